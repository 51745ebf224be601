// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tocsin/ingest"
	"tocsin/pipeline"
)

// newRulesCommand checks and tests rule files.
func newRulesCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check and test rule files"}
	cmd.AddCommand(&cobra.Command{
		Use:   "check [PATH…]",
		Short: "Compile rules; every mistake with file, line and what was meant",
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = cfg.Rules
			}
			set, err := loadRules(args)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%d rules, set %s\n", len(set.Rules), set.Hash)
			for _, w := range set.Warnings() {
				fmt.Fprintf(c.stderr, "%s:%d: rule %q: %s\n", w.Rule.File, w.Rule.Line, w.Rule.ID, w.Message)
			}
			for _, r := range set.Rules {
				if kept := cfg.Retention.Events.Age; kept > 0 && r.Within+2*cfg.Lateness > kept {
					fmt.Fprintf(c.stderr, "%s:%d: rule %q: within %s and twice the lateness is beyond the retention of EVENTS (%s): old evidence will lack its bytes\n",
						r.File, r.Line, r.ID, r.Within, kept)
				}
				if len(r.Tests) == 0 {
					fmt.Fprintf(c.stderr, "%s:%d: rule %q has no tests\n", r.File, r.Line, r.ID)
				}
			}
			return nil
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "test [PATH…]",
		Short: "Run the tests inside rule files, in order, shuffled, duplicated and split by a restart",
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = cfg.Rules
			}
			set, err := loadRules(args)
			if err != nil {
				return err
			}
			parser := ingest.NewParser(cfg.parserConfig())
			passed, failed, total := 0, 0, 0
			for _, r := range set.Rules {
				total += len(r.Tests)
			}
			running := c.progress("tests")
			for _, r := range set.Rules {
				for _, t := range r.Tests {
					running.at(passed+failed, total)
					if err := pipeline.RunTest(set, r, t, parser, cfg.Lateness); err != nil {
						failed++
						running.end()
						fmt.Fprintln(c.stderr, err)
						continue
					}
					passed++
				}
			}
			running.end()
			fmt.Fprintf(c.stdout, "%d rules, %d tests passed, %d failed\n", len(set.Rules), passed, failed)
			if failed > 0 {
				return errSilent
			}
			return nil
		},
	})
	return cmd
}
