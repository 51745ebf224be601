// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"tocsin/event"
	"tocsin/ingest"
)

// newParseCommand shows what the parsers make of records.
func newParseCommand(c *cli) *cobra.Command {
	var input string
	cmd := &cobra.Command{
		Use:   "parse --input SOURCE FILE…",
		Short: "Show the Event that each record of a file becomes",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			parser := ingest.NewParser(cfg.parserConfig())
			enc := json.NewEncoder(c.stdout)
			enc.SetEscapeHTML(false)
			bad := 0
			for _, name := range args {
				n, err := c.records(name, func(raw []byte) error {
					e, err := parser.Parse(event.Record{Input: "parse", Source: input, Raw: raw}, 0)
					if err != nil {
						return err
					}
					return enc.Encode(map[string]any{
						"id": e.ID.String(), "event_id": e.EventID, "time": event.Stamp(e.Time),
						"source": e.Source, "fields": e.Fields(), "raw": e.Object().Any(),
					})
				})
				if err != nil {
					return err
				}
				bad += n
			}
			if bad > 0 {
				return fmt.Errorf("%d records cannot be read: serve would quarantine them", bad)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&input, "input", "", "the source that the records are of: falco, vector, … (default: plain records)")
	return cmd
}
