// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tocsin/incident"
)

func newIncidentsCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "incidents", Short: "List, show and work on incidents of a running tocsin"}
	c.clientFlags(cmd.PersistentFlags())
	cmd.AddCommand(newIncidentsList(c), newIncidentsShow(c), newIncidentsTimeline(c), newIncidentsAssign(c), newIncidentsStatus(c),
		newIncidentsComment(c), newIncidentsMerge(c), newIncidentsUnmerge(c), newIncidentsExport(c), newIncidentsBundle(c), newIncidentsClose(c))
	return cmd
}

func newIncidentsList(c *cli) *cobra.Command {
	return listing[incident.View]{
		use: "list", short: "List incidents, newest activity first", path: "incidents",
		filters: map[string]string{
			"status": "new, in_progress, on_hold, resolved or closed", "severity": "severities, joined by commas", "rule": "id of a rule",
			"entity": "type:name, as in user:ana", "technique": "ATT&CK technique", "since": "RFC 3339 or a span back, as in 24h",
			"until": "RFC 3339 or a span back", "q": "text", "include": "merged, retracted", "cursor": cursorFlag,
		},
		header: "ID\tSEVERITY\tSTATUS\tEVENTS\tLAST EVENT\tTITLE",
		row: func(v incident.View) string {
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s", v.ID, v.Severity, v.Status, v.EventCount,
				time.Unix(0, int64(v.LastEvent)).UTC().Format(time.RFC3339), printable(v.Title))
		},
	}.command(c)
}

func newIncidentsShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an incident with its evidence", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			var v incident.View
			if err := cl.get(cmd.Context(), http.MethodGet, "incidents/"+url.PathEscape(args[0]), nil, &v); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(v)
			}
			var page struct {
				Items      []incident.EvidenceItem `json:"items"`
				NextCursor string                  `json:"next_cursor"`
			}
			if err := cl.get(cmd.Context(), http.MethodGet, "incidents/"+url.PathEscape(args[0])+"/evidence?limit=100", nil, &page); err != nil {
				return err
			}
			var acts struct {
				Items      []incident.Moment `json:"items"`
				NextCursor string            `json:"next_cursor"`
			}
			if err := cl.get(cmd.Context(), http.MethodGet, "incidents/"+url.PathEscape(args[0])+"/timeline?kind=act&limit=100", nil, &acts); err != nil {
				return err
			}
			c.showIncident(v, page.Items)
			c.showActs(acts.Items)
			if acts.NextCursor != "" {
				fmt.Fprintf(c.stderr, "there is more: tocsin incidents timeline %s\n", v.ID)
			}
			if page.NextCursor != "" {
				fmt.Fprintf(c.stderr, "there is more evidence: see the page, or /api/v1/incidents/%s/evidence\n", v.ID)
			}
			return nil
		},
	}
}

func (c *cli) showIncident(v incident.View, evidence []incident.EvidenceItem) {
	fmt.Fprintf(c.stdout, "%s\n%s, %s, %d events, %s to %s\n", printable(v.Title), v.Severity, v.Status, v.EventCount, v.FirstEvent, v.LastEvent)
	fmt.Fprintf(c.stdout, "rule      %s\n", v.Rule.ID)
	if v.Assignee != nil {
		fmt.Fprintf(c.stdout, "assignee  %s\n", printable(*v.Assignee))
	}
	if v.MergedInto != nil {
		fmt.Fprintf(c.stdout, "merged    into %s\n", *v.MergedInto)
	}
	names := make([]string, 0, len(v.Key))
	for name := range v.Key {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(c.stdout, "key       %s = %s\n", name, printable(fmt.Sprint(v.Key[name])))
	}
	if len(v.Attack.Techniques) > 0 {
		fmt.Fprintf(c.stdout, "ATT&CK    %s\n", strings.Join(v.Attack.Techniques, ", "))
	}
	if v.Runbook != "" {
		fmt.Fprintf(c.stdout, "runbook   %s\n", v.Runbook)
	}
	if len(evidence) > 0 {
		fmt.Fprintln(c.stdout, "\nevidence")
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, e := range evidence {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Time, e.Step, e.Source, printable(e.Message))
	}
	_ = w.Flush() // stdout that is gone has nobody to tell
}

func newIncidentsClose(c *cli) *cobra.Command {
	var verdict, by string
	cmd := &cobra.Command{
		Use: "close ID --verdict true_positive|benign|false_positive", Short: "Close an incident", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch incident.Verdict(verdict) {
			case incident.TruePositive, incident.Benign, incident.FalsePositive:
			default:
				return &usageError{fmt.Errorf("--verdict is true_positive, benign or false_positive, not %q", verdict)}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			var v incident.View
			body := map[string]string{"verdict": verdict, "by": by}
			if err := cl.get(cmd.Context(), http.MethodPost, "incidents/"+url.PathEscape(args[0])+"/close", body, &v); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(v)
			}
			_, err = fmt.Fprintf(c.stdout, "%s is %s\n", v.ID, v.Status)
			return err
		},
	}
	cmd.Flags().StringVar(&verdict, "verdict", "", "what it was")
	cmd.Flags().StringVar(&by, "by", "", "for whom you close it, if for somebody else")
	return cmd
}

func (c *cli) printJSON(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printable takes control characters out of what events say: a terminal would obey them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
