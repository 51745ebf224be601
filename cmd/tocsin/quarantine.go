// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/api"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/stream"
)

// shownRaw is how much of an entry a list shows.
const shownRaw = 1024

func quarantineWants(f api.QuarantineFilter) func(stream.Kept) bool {
	return func(k stream.Kept) bool {
		return (f.Source == "" || k.Source == f.Source) && (f.Reason == "" || k.Reason == f.Reason) &&
			(f.Since == 0 || k.Time >= f.Since) && (f.Until == 0 || k.Time < f.Until)
	}
}

func viewKept(k stream.Kept, most int) api.QuarantineView {
	return api.QuarantineView{
		ID: api.LogPlace{Seq: k.Seq, Index: k.Index}.String(), Time: event.Stamp(k.Time), Input: k.Input, Source: k.Source, Reason: k.Reason,
		Detail: k.Detail, Size: len(k.Raw), Cut: k.Cut, Text: strings.ToValidUTF8(string(k.Raw[:min(len(k.Raw), most)]), "\uFFFD"),
	}
}

func (b backend) Quarantine(ctx context.Context, f api.QuarantineFilter) ([]api.QuarantineView, string, error) {
	var from api.LogPlace
	if f.Before != nil {
		from = *f.Before
	}
	wants := quarantineWants(f)
	var out []api.QuarantineView
	older := false
	seq, index, err := b.n.streams.Quarantined(ctx, from.Seq, from.Index, func(k stream.Kept) bool {
		if older = f.Since != 0 && k.Time < f.Since; older {
			return true // and so are all others
		}
		if wants(k) {
			out = append(out, viewKept(k, shownRaw))
		}
		return len(out) == f.Limit
	})
	next := ""
	if seq != 0 && !older {
		next = api.LogPlace{Seq: seq, Index: index}.String()
	}
	return out, next, err
}

func (b backend) kept(ctx context.Context, p api.LogPlace) (stream.Kept, error) {
	k, ok, err := b.n.streams.QuarantineEntry(ctx, p.Seq, p.Index)
	if err == nil && !ok {
		err = incident.ErrNotFound
	}
	return k, err
}

func (b backend) QuarantineEntry(ctx context.Context, p api.LogPlace) (api.QuarantineView, error) {
	k, err := b.kept(ctx, p)
	if err != nil {
		return api.QuarantineView{}, err
	}
	v := viewKept(k, len(k.Raw))
	v.Raw = k.Raw
	return v, nil
}

func (b backend) ReleaseQuarantine(ctx context.Context, p api.LogPlace) (int, error) {
	k, err := b.kept(ctx, p)
	if err != nil {
		return 0, err
	}
	n, err := b.n.releaser.Release(ctx, k)
	if _, refused := pipeline.Unreleasable(err); refused {
		err = &api.UnreadableError{Why: err.Error()}
	}
	return n, err
}

func (b backend) ReleaseAllQuarantine(ctx context.Context, f api.QuarantineFilter) (api.Released, error) {
	r, err := b.n.releaser.ReleaseAll(ctx, (*pipeline.LogPlace)(f.Before), quarantineWants(f))
	out := api.Released{Released: r.Entries, Events: r.Events, Refused: r.Refused}
	if r.Next != nil {
		out.NextCursor = api.LogPlace(*r.Next).String()
	}
	return out, busy(err)
}

func newQuarantineCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "quarantine", Short: "Look at what could not be read, and have it read again"}
	show := &cobra.Command{Use: "show ID", Short: "Print one entry as it came", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		var v api.QuarantineView
		if err := cl.get(cmd.Context(), http.MethodGet, "quarantine/"+args[0], nil, &v); err != nil {
			return err
		}
		if c.flags.output == "json" {
			return c.printJSON(v)
		}
		fmt.Fprintf(c.stderr, "%s  %s  %s: %s\n", v.Time, printable(v.Source), printable(v.Reason), printable(v.Detail))
		_, err = fmt.Fprintf(c.stdout, "%s\n", v.Raw)
		return err
	}}
	cmd.AddCommand(listing[api.QuarantineView]{
		use: "list", short: "List what could not be read, newest first", path: "quarantine",
		filters: map[string]string{
			"source": "name that it was posted under", "reason": "why, such as malformed_json", "cursor": cursorFlag,
			"since": "came from here on: RFC 3339, or a span back from now such as 24h", "until": "came before this",
		},
		header: "ID\tTIME\tSOURCE\tREASON\tBYTES\tDETAIL\tBEGINS",
		row: func(v api.QuarantineView) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s", v.ID, time.Unix(0, int64(v.Time)).UTC().Format(time.RFC3339), printable(v.Source), printable(v.Reason), v.Size,
				shortened(printable(v.Detail), 60), shortened(printable(v.Text), 60))
		},
		oneLine: true,
	}.command(c), show, newReleaseCommand(c))
	c.clientFlags(cmd.PersistentFlags())
	return cmd
}

func newReleaseCommand(c *cli) *cobra.Command {
	body := make(map[string]string)
	var all bool
	var source, reason, since, until string
	cmd := &cobra.Command{
		Use: "release ID… | --all", Short: "Have entries read again, and taken in if that goes well",
		Long: "Release reads entries as if they came now, with the parsers and the configuration of now. What can be read becomes the\n" +
			"events that it would have been; releasing it twice within 15 minutes is releasing it once. What cannot stays where it is.",
		Example: "  tocsin quarantine release --all --source keycloak --since 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return &usageError{fmt.Errorf("name entries, or --all with --source, --reason, --since or --until")}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			for name, v := range map[string]string{"source": source, "reason": reason, "since": since, "until": until} {
				if v != "" {
					body[name] = v
				}
			}
			if !all {
				return c.releaseEach(cmd.Context(), cl, args)
			}
			return c.releaseAll(cmd.Context(), cl, body)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "all that the other flags select")
	f.StringVar(&source, "source", "", "name that they were posted under")
	f.StringVar(&reason, "reason", "", "why they could not be read")
	f.StringVar(&since, "since", "", "came from here on: RFC 3339, or a span back from now such as 24h")
	f.StringVar(&until, "until", "", "came before this")
	return cmd
}

func (c *cli) releaseEach(ctx context.Context, cl *client, ids []string) error {
	for _, id := range ids {
		var r api.Released
		if err := cl.get(ctx, http.MethodPost, "quarantine/"+id+"/release", nil, &r); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintf(c.stdout, "%s: %d events\n", id, r.Events)
	}
	return nil
}

// releaseAll goes on until all were tried.
func (c *cli) releaseAll(ctx context.Context, cl *client, body map[string]string) error {
	total := api.Released{Refused: make(map[string]int)}
	for {
		var r api.Released
		if err := cl.get(ctx, http.MethodPost, "quarantine/release", body, &r); err != nil {
			return err
		}
		total.Released += r.Released
		total.Events += r.Events
		for reason, n := range r.Refused {
			total.Refused[reason] += n
		}
		if body["cursor"] = r.NextCursor; r.NextCursor == "" {
			break
		}
	}
	if c.flags.output == "json" {
		return c.printJSON(total)
	}
	fmt.Fprintf(c.stdout, "%d entries released, %d events\n", total.Released, total.Events)
	for reason, n := range total.Refused {
		fmt.Fprintf(c.stdout, "%d stay: %s\n", n, printable(reason))
	}
	return nil
}
