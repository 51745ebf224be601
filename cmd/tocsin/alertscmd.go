// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
)

func newAlertsCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "alerts", Short: "Look at alerts, their receivers and the way that incidents take to them"}
	asking := []*cobra.Command{newAlertsList(c), newAlertsReceivers(c), newAlertsRetry(c)}
	for _, sub := range asking {
		c.clientFlags(sub.Flags())
	}
	cmd.AddCommand(append(asking, newAlertsRoute(c))...)
	return cmd
}

func newAlertsList(c *cli) *cobra.Command {
	return listing[api.AlertView]{
		use: "list", short: "List alerts, newest first", path: "alerts",
		filters: map[string]string{"state": "pending, sent, dead or silenced", "cursor": cursorFlag},
		header:  "ID\tCREATED\tSTATE\tRECEIVER\tKIND\tINCIDENT\tATTEMPTS\tWHY",
		row: func(a api.AlertView) string {
			why := a.Error
			if a.SilencedBy != "" {
				why = a.SilencedBy
			}
			return strings.Join([]string{
				fmt.Sprint(a.ID), a.Created.String(), a.State, a.Receiver, a.Kind, a.Incident, fmt.Sprint(a.Attempts), oneLine(why),
			}, "\t")
		},
	}.command(c)
}

func newAlertsReceivers(c *cli) *cobra.Command {
	return listing[api.ReceiverView]{
		use: "receivers", short: "Show how the alerts to each receiver stand", path: "receivers",
		header: "RECEIVER\tTYPE\tSTATE\tPENDING\tSILENCED\tDEAD\tOLDEST\tLAST ERROR",
		row: func(r api.ReceiverView) string {
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%d\t%.0fs\t%s", r.Name, r.Type, r.State, r.Pending, r.Silenced, r.Dead, r.OldestSeconds, oneLine(r.LastError))
		},
	}.command(c)
}

func newAlertsRetry(c *cli) *cobra.Command {
	var since, receiver string
	cmd := &cobra.Command{
		Use: "retry --since 24h", Short: "Try all alerts again that were given up since a time, and print how many they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since == "" {
				return &usageError{errors.New("--since is missing: RFC 3339, or a span back from now such as 24h")}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]any{"since": since}
			if receiver != "" {
				body["receiver"] = receiver
			}
			var out api.Retried
			if err := cl.get(cmd.Context(), http.MethodPost, "alerts/retry", body, &out); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(out)
			}
			_, err = fmt.Fprintln(c.stdout, out.Alerts)
			return err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "RFC 3339, or a span back from now such as 24h")
	cmd.Flags().StringVar(&receiver, "receiver", "", "of this receiver alone")
	return cmd
}

func newAlertsRoute(c *cli) *cobra.Command {
	var texts []string
	cmd := &cobra.Command{
		Use: "route --labels severity=high", Short: "Print the way that an incident with some labels takes through the routes of the configuration", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			labels := alert.LabelSet{}
			for _, text := range texts {
				m, err := alert.ParseMatcher(text)
				if err == nil && m.Op != "=" {
					err = fmt.Errorf("%q: a label is name=value", text)
				}
				if err != nil {
					return &usageError{fmt.Errorf("--labels: %w", err)}
				}
				if !slices.Contains(labels[m.Name], m.Value) {
					labels[m.Name] = append(labels[m.Name], m.Value)
				}
			}
			router, err := alert.NewRouter(cfg.Alert, "")
			if err != nil {
				return &usageError{err}
			}
			ways := router.Along(labels)
			if len(ways) == 0 {
				fmt.Fprintln(c.stderr, "nobody is told")
				return errSilent
			}
			w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "RECEIVER\tBY\tAFTER\tAGAIN")
			for _, way := range ways {
				after, again := "at once", "-"
				if way.Wait > 0 {
					after = spell(way.Wait)
				}
				if way.Repeat > 0 {
					again = "each " + spell(way.Repeat)
				}
				fmt.Fprintf(w, "%s\talert.%s\t%s\t%s\n", way.Receiver, way.Path, after, again)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringArrayVar(&texts, "labels", nil, "a label of the incident, name=value (repeatable; a name may be given several times)")
	return cmd
}
