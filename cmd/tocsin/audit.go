// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"tocsin/api"
)

func newAuditCommand(c *cli) *cobra.Command {
	cmd := listing[api.AuditView]{
		use: "audit", short: "List who did what in a running tocsin, newest first", path: "audit",
		filters: map[string]string{
			"actor": "a name, as in token:ci", "operation": "an operation's id, as in close-incident, or login", "outcome": "started, done, failed or refused",
			"object": "a path", "since": "RFC 3339 or a span back, as in 24h", "until": "RFC 3339 or a span back", "cursor": cursorFlag,
		},
		header: "TIME\tWHO\tVIA\tOPERATION\tOUTCOME\tSTATUS\tFROM\tREQUEST\tOBJECT",
		row: func(e api.AuditView) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s", orNever(e.At), printable(cmp.Or(e.Actor, "-")), cmp.Or(e.Via, "-"), printable(e.Operation),
				e.Outcome, e.Status, printable(e.Remote), printable(e.Request), printable(e.Object))
		},
	}.command(c)
	c.clientFlags(cmd.PersistentFlags())
	cmd.AddCommand(newAuditCheckpoint(c), newAuditVerify(c), newAuditKeyCommand(c))
	return cmd
}
