// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tocsin/incident"
)

func newIncidentsAssign(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "assign ID NAME", Short: `Say who works on an incident; "" is nobody`, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.patchIncident(cmd, args[0], map[string]any{"assignee": args[1]})
		},
	}
}

func newIncidentsStatus(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "status ID new|in_progress|on_hold|resolved", Short: "Set the status of an open incident", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch incident.Status(args[1]) {
			case incident.New, incident.InProgress, incident.OnHold, incident.Resolved:
			case incident.Closed:
				return &usageError{fmt.Errorf("to close it: tocsin incidents close %s --verdict …", args[0])}
			default:
				return &usageError{fmt.Errorf("the status is new, in_progress, on_hold or resolved, not %q", args[1])}
			}
			return c.patchIncident(cmd, args[0], map[string]any{"status": args[1]})
		},
	}
}

// patchIncident changes an incident, in whatever state it is.
func (c *cli) patchIncident(cmd *cobra.Command, id string, patch map[string]any) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var v incident.View
	if err := cl.getWith(cmd.Context(), http.MethodPatch, "incidents/"+url.PathEscape(id), patch, map[string]string{"If-Match": "*"}, &v); err != nil {
		return err
	}
	if c.flags.output == "json" {
		return c.printJSON(v)
	}
	_, err = fmt.Fprintf(c.stdout, "%s is %s, %s\n", v.ID, v.Status, assigned(v))
	return err
}

func assigned(v incident.View) string {
	if v.Assignee == nil {
		return "assigned to nobody"
	}
	return "assigned to " + printable(*v.Assignee)
}

func newIncidentsComment(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "comment ID TEXT", Short: "Write a comment on an incident; - reads it from stdin", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[1]
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(c.stdin, 1<<20))
				if err != nil {
					return err
				}
				text = string(b)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			var a incident.Act
			headers := map[string]string{"Idempotency-Key": rand.Text()}
			if err := cl.getWith(cmd.Context(), http.MethodPost, "incidents/"+url.PathEscape(args[0])+"/comments", map[string]string{"text": text}, headers, &a); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(a)
			}
			_, err = fmt.Fprintf(c.stdout, "%s has the comment\n", a.Incident)
			return err
		},
	}
}

func newIncidentsMerge(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "merge ID INTO", Short: "Show an incident with another", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.join(cmd, args[0], "merge", map[string]string{"into": args[1]})
		},
	}
}

func newIncidentsUnmerge(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "unmerge ID", Short: "Show an incident that was merged by itself again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.join(cmd, args[0], "unmerge", nil) },
	}
}

// join asks for what the last part of a path says, and prints where the incident is shown then.
func (c *cli) join(cmd *cobra.Command, id, what string, body any) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var v incident.View
	if err := cl.get(cmd.Context(), http.MethodPost, "incidents/"+url.PathEscape(id)+"/"+what, body, &v); err != nil {
		return err
	}
	if c.flags.output == "json" {
		return c.printJSON(v)
	}
	where := "by itself"
	if v.MergedInto != nil {
		where = "with " + *v.MergedInto
	}
	_, err = fmt.Fprintf(c.stdout, "%s is shown %s\n", v.ID, where)
	return err
}

func newIncidentsExport(c *cli) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export ID", Short: "Print an incident as JSON, Markdown or an OCSF Incident Finding", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.do(cmd.Context(), http.MethodGet, "incidents/"+url.PathEscape(args[0])+"/export?format="+url.QueryEscape(format))
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(c.stdout, r)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "json, markdown or ocsf")
	return cmd
}

func newIncidentsBundle(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "bundle ID", Short: "Print an incident as an evidence bundle with proof, a .tar.gz: see audit verify", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.do(cmd.Context(), http.MethodGet, "incidents/"+url.PathEscape(args[0])+"/bundle")
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(c.stdout, r)
			return err
		},
	}
}

func newIncidentsTimeline(c *cli) *cobra.Command {
	var kind, cursor string
	var limit int
	cmd := &cobra.Command{
		Use: "timeline ID", Short: "Show what happened in an incident, oldest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"limit": {fmt.Sprint(limit)}}
			for name, v := range map[string]string{"kind": kind, "cursor": cursor} {
				if v != "" {
					q.Set(name, v)
				}
			}
			l := listing[incident.Moment]{
				path: "incidents/" + url.PathEscape(args[0]) + "/timeline", header: "AT\tWHAT\tWHO\tTEXT",
				row: func(m incident.Moment) string {
					what, who, text := told(m)
					return fmt.Sprintf("%s\t%s\t%s\t%s", m.At, what, printable(who), printable(text))
				},
			}
			return l.print(cmd, c, q)
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "event, detection, act or alert, joined by commas")
	f.StringVar(&cursor, "cursor", "", cursorFlag)
	f.IntVar(&limit, "limit", 100, "at most so many")
	return cmd
}

// told is a moment in words.
func told(m incident.Moment) (what, who, text string) {
	switch {
	case m.Event != nil:
		what = m.Event.Step
		if m.Event.Late {
			what += " (late)"
		}
		return what, m.Event.Source, m.Event.Message
	case m.Detection != nil:
		what = "detected"
		if m.Detection.Retracted != nil {
			what = "detected, retracted"
		}
		return what, "", fmt.Sprintf("%d events", m.Detection.EventCount)
	case m.Alert != nil:
		return "told: " + m.Alert.Kind, m.Alert.Receiver, strings.TrimSpace(m.Alert.State + " " + m.Alert.Error)
	case m.Act != nil:
		d := m.Act.Detail
		text = cmp.Or(d["text"], d["verdict"], d["into"], d["to"])
		if text == "" && m.Act.Kind == incident.ActAssignee {
			text = "nobody"
		}
		return m.Act.Kind, m.Act.Actor, cmp.Or(text, d["from"])
	}
	return m.Kind, "", ""
}

// showActs prints what people did with an incident.
func (c *cli) showActs(moments []incident.Moment) {
	if len(moments) == 0 {
		return
	}
	fmt.Fprintln(c.stdout, "\nwork")
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, m := range moments {
		what, who, text := told(m)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.At, printable(who), what, printable(text))
	}
	_ = w.Flush() // stdout that is gone has nobody to tell
}
