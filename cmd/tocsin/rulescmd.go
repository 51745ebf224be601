// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// newRulesCommand checks and tests rule files.
func newRulesCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check and test rule files, and try rules out on the events that a server keeps"}
	cmd.AddCommand(newRulesCheckCommand(c), newRulesTestCommand(c), newRulesCoverageCommand(c), newRulesBacktestCommand(c), newRulesNearCommand(c))
	return cmd
}

// rulePaths returns the configuration, and the paths that are given, else those that it names.
func (c *cli) rulePaths(args []string) (Config, []string, error) {
	cfg, err := c.config()
	if err == nil && len(args) == 0 {
		args = cfg.Rules
	}
	return cfg, args, err
}

// format is a flag that takes one of a few words; the first is the default.
type format struct {
	words []string
	word  string
}

func (c *cli) formatFlag(cmd *cobra.Command, words ...string) *format {
	f := &format{words: words}
	cmd.Flags().StringVar(&f.word, "format", words[0], strings.Join(words, ", "))
	return f
}

func (f *format) check() error {
	if !slices.Contains(f.words, f.word) {
		last := len(f.words) - 1
		return &usageError{fmt.Errorf("--format is %s or %s, not %q", strings.Join(f.words[:last], ", "), f.words[last], f.word)}
	}
	return nil
}
