// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tocsin/api"
)

// newSourcesCommand shows whether what was configured sends anything.
func newSourcesCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sources", Short: "Show each source and host: when it was last seen, its rate, its errors", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			var page struct {
				Items []api.SourceView `json:"items"`
			}
			if err := cl.get(cmd.Context(), http.MethodGet, "sources", nil, &page); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(page.Items)
			}
			w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SOURCE\tHOST\tINPUT\tLAST SEEN\tRECORDS\tPER SECOND\tERRORS\tSTATE\tLAST ERROR")
			for _, s := range page.Items {
				seen := "-"
				if s.LastSeen != 0 {
					seen = time.Unix(0, int64(s.LastSeen)).UTC().Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%.1f\t%d\t%s\t%s\n", printable(s.Source), printable(cmp.Or(s.Host, "-")), printable(s.Input),
					seen, s.Records, s.Rate, s.Errors, printable(cmp.Or(s.State, "-")), printable(s.LastError))
			}
			return w.Flush()
		},
	}
	c.clientFlags(cmd.Flags())
	return cmd
}
