// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tocsin/api"
)

// newSourcesCommand shows whether what was configured sends anything.
func newSourcesCommand(c *cli) *cobra.Command {
	cmd := listing[api.SourceView]{
		use: "sources", short: "Show each source and host: when it was last seen, its rate, its errors", path: "sources",
		header: "SOURCE\tHOST\tINPUT\tLAST SEEN\tRECORDS\tPER SECOND\tUSUAL\tERRORS\tSTATE\tLAST ERROR",
		row: func(s api.SourceView) string {
			seen := "-"
			if s.LastSeen != 0 {
				seen = time.Unix(0, int64(s.LastSeen)).UTC().Format(time.RFC3339)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%.1f\t%.1f\t%d\t%s\t%s", printable(s.Source), printable(cmp.Or(s.Host, "-")), printable(s.Input),
				seen, s.Records, s.Rate, s.Usual, s.Errors, printable(cmp.Or(s.State, "-")), printable(s.LastError))
		},
	}.command(c)
	c.clientFlags(cmd.Flags())
	return cmd
}
