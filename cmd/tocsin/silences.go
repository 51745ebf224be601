// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
)

func newSilencesCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "silences", Short: "Make, list and end silences of a running tocsin"}
	c.clientFlags(cmd.PersistentFlags())
	cmd.AddCommand(newSilencesList(c), newSilencesAdd(c), newSilencesExpire(c))
	return cmd
}

func newSilencesList(c *cli) *cobra.Command {
	return listing[api.SilenceView]{
		use: "list", short: "List silences, newest first", path: "silences",
		filters: map[string]string{"all": "true for those that are over, too", "cursor": cursorFlag},
		header:  "ID\tSTATE\tMATCHERS\tUNTIL\tBY\tCOMMENT",
		row: func(s api.SilenceView) string {
			return strings.Join([]string{s.ID, s.State, strings.Join(s.Matchers, ", "), s.Ends.String(), cmp.Or(s.Creator, "-"), oneLine(s.Comment)}, "\t")
		},
	}.command(c)
}

// oneLine keeps a table whole.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func newSilencesAdd(c *cli) *cobra.Command {
	var comment, starts, ends string
	cmd := &cobra.Command{
		Use: `add MATCHER… --comment WHY`, Short: "Silence the alerts of the incidents that all matchers match, and print its id", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// What is wrong is said before anybody is asked.
			if _, err := alert.ParseMatchers(args); err != nil {
				return &usageError{err}
			}
			if comment == "" {
				return &usageError{errors.New("--comment is missing: say why, for who wonders later")}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]any{"matchers": args, "comment": comment, "ends": ends}
			if starts != "" {
				body["starts"] = starts
			}
			var s api.SilenceView
			if err := cl.get(cmd.Context(), http.MethodPost, "silences", body, &s); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(s)
			}
			fmt.Fprintf(c.stderr, "silenced until %s\n", s.Ends)
			_, err = fmt.Fprintln(c.stdout, s.ID)
			return err
		},
	}
	cmd.Flags().StringVar(&comment, "comment", "", "why")
	cmd.Flags().StringVar(&starts, "starts", "", "RFC 3339 (default now)")
	cmd.Flags().StringVar(&ends, "for", "4h", "how long, or until when as RFC 3339")
	return cmd
}

func newSilencesExpire(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "expire ID", Short: "End a silence: what it holds back is told, if its incident is still open", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.do(cmd.Context(), http.MethodDelete, "silences/"+url.PathEscape(args[0]))
			if err != nil {
				return err
			}
			return r.Close()
		},
	}
}
