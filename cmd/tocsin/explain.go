// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/rules/pred"
)

// newExplainCommand says why rules match events, or do not.
func newExplainCommand(c *cli) *cobra.Command {
	var paths, ids []string
	var source, only, format string
	var matched bool
	cmd := &cobra.Command{
		Use:   "explain --rules PATH FILE…",
		Short: "Say why each rule did or did not match each event",
		Long: "Explain reads NDJSON events (- is stdin) and says, for each of them and each rule, which patterns match and\n" +
			"which comparison decided it, whether an exception covers the event, and for which key it counts. Then it says of\n" +
			"each rule with a condition over events how far its keys came.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if len(paths) == 0 {
				paths = cfg.Rules
			}
			if format != "text" && format != "json" {
				return &usageError{fmt.Errorf("--format is text or json, not %q", format)}
			}
			set, err := loadRules(cmd.Context(), paths)
			if err != nil {
				return err
			}
			picked, err := pick(set, ids)
			if err != nil {
				return &usageError{err}
			}
			out := bufio.NewWriter(c.stdout)
			x := explainer{out: out, matched: matched}
			lateness := cfg.Lateness
			input := pipeline.NewReplay(set, ingest.NewParser(cfg.parserConfig()), lateness)
			found, history := rules.Result{}, correlate.History{Lateness: int64(lateness)}
			for _, name := range args {
				if _, err := c.records(name, func(raw []byte) error {
					e, err := input.Read(source, raw)
					if err != nil {
						return err
					}
					if e.Time != 0 { // replay leaves it out, too
						set.Match(e, &found)
						history.Until = max(history.Until, e.Arrival)
					}
					if only != "" && e.EventID != only {
						return nil
					}
					if format == "json" {
						return x.json(e, picked)
					}
					x.text(e, picked)
					return nil
				}); err != nil {
					return err
				}
			}
			if only == "" {
				history.Matches = found.Matches
				if err := x.keys(set, picked, history, format == "json"); err != nil {
					return err
				}
			}
			return out.Flush()
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&paths, "rules", nil, "rule file or directory (repeatable)")
	f.StringArrayVar(&ids, "rule", nil, "explain this rule only (repeatable)")
	f.StringVar(&only, "event", "", "explain the event with this id only")
	f.BoolVar(&matched, "matched", false, "leave out the rules that do not match, and events that no rule matches")
	f.StringVar(&source, "input", "", "the source that the records are of: falco, vector, … (default: plain records)")
	f.StringVar(&format, "format", "text", "text, or json: one object for each event and rule")
	return cmd
}

// pick returns the rules with the ids, all if there are none.
func pick(set *rules.Set, ids []string) ([]*rules.Rule, error) {
	if len(ids) == 0 {
		return set.Rules, nil
	}
	var out []*rules.Rule
	for _, id := range ids {
		r := set.ByID(id)
		if r == nil {
			var all []string
			for _, r := range set.Rules {
				all = append(all, r.ID)
			}
			return nil, fmt.Errorf("there is no rule %q; the nearest is %q", id, rules.Nearest(id, all))
		}
		out = append(out, r)
	}
	return out, nil
}

type explainer struct {
	out     io.Writer
	matched bool
}

func (x explainer) text(e *event.Event, rs []*rules.Rule) {
	said := false
	for _, r := range rs {
		why := r.Explain(e)
		if !why.Matched() && x.matched {
			continue
		}
		if !said {
			said = true
			fmt.Fprintf(x.out, "event %s, %s, from %s\n", e.EventID, event.Stamp(e.Time), cmp.Or(e.Source, "a plain record"))
		}
		fmt.Fprintf(x.out, "  %s: %s\n", r.ID, verdictOf(why))
		for _, p := range why.Patterns {
			word := "no "
			if p.Holds {
				word = "yes"
			}
			fmt.Fprintf(x.out, "    %s %s\n", word, p.Name)
			for _, reason := range p.Why {
				fmt.Fprintf(x.out, "        %s\n", sentence(reason))
			}
		}
	}
}

func verdictOf(x rules.Explanation) string {
	switch {
	case !x.Matched() && x.Excepted != nil:
		return fmt.Sprintf("does not match, and what a rule below it makes of it is excepted: %s (%s)", x.Excepted.Reason, x.Excepted.Owner)
	case !x.Matched():
		return "does not match"
	case x.Excepted != nil:
		return fmt.Sprintf("matches, and is excepted: %s (%s)", x.Excepted.Reason, x.Excepted.Owner)
	case len(x.Keys) == 0:
		return "matches, and has no key: it lacks " + strings.Join(x.Missing, ", ")
	}
	var keys []string
	for _, k := range x.Keys {
		keys = append(keys, printKey(k))
	}
	return "matches, for " + strings.Join(keys, "; ")
}

// maxValue bounds how much of a value is shown.
const maxValue = 120

// sentence says what a test found.
func sentence(r pred.Reason) string {
	is := "is not so"
	if r.Holds {
		is = "is so"
	}
	if !r.Value.Exists() {
		if slices.Contains([]pred.Op{pred.Exists, pred.There, pred.Null}, r.Test.Op) || r.Test.Field.Everywhere {
			return fmt.Sprintf("%s: %s", r.Test, is)
		}
		return fmt.Sprintf("%s: %s, the field is missing", r.Test, is)
	}
	b, err := json.Marshal(r.Value.Any())
	if err != nil {
		return fmt.Sprintf("%s: %s", r.Test, is) // no value of a record
	}
	shown := []rune(string(b))
	if len(shown) > maxValue {
		shown = append(shown[:maxValue], '…')
	}
	return fmt.Sprintf("%s: %s, it is %s", r.Test, is, string(shown))
}

// keyOf returns a key's parts by name.
func keyOf(r *rules.Rule, k rules.Key) map[string]any {
	key := make(map[string]any)
	for i, v := range k.Values() {
		if v != nil {
			key[r.By[i]] = v
		}
	}
	return key
}

func printKey(k rules.Key) string {
	var parts []string
	for _, v := range k.Values() {
		if v != nil {
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return strings.Join(parts, ", ")
}

type explained struct {
	Event    string             `json:"event"`
	Rule     string             `json:"rule"`
	Matched  bool               `json:"matched"`
	Excepted string             `json:"excepted,omitempty"`
	Keys     []map[string]any   `json:"keys,omitempty"`
	Missing  []string           `json:"missing,omitempty"`
	Patterns []explainedPattern `json:"patterns"`
}

type explainedPattern struct {
	Name  string            `json:"name"`
	Holds bool              `json:"holds"`
	Why   []explainedReason `json:"why"`
}

type explainedReason struct {
	Test  string `json:"test"`
	Holds bool   `json:"holds"`
	Value any    `json:"value"`
}

func (x explainer) json(e *event.Event, rs []*rules.Rule) error {
	enc := json.NewEncoder(x.out)
	enc.SetEscapeHTML(false)
	for _, r := range rs {
		why := r.Explain(e)
		if !why.Matched() && x.matched {
			continue
		}
		out := explained{Event: e.EventID, Rule: r.ID, Matched: why.Matched(), Missing: why.Missing, Patterns: []explainedPattern{}}
		if why.Excepted != nil {
			out.Excepted = why.Excepted.Reason
		}
		for _, k := range why.Keys {
			out.Keys = append(out.Keys, keyOf(r, k))
		}
		for _, p := range why.Patterns {
			printed := explainedPattern{Name: p.Name, Holds: p.Holds, Why: []explainedReason{}}
			for _, reason := range p.Why {
				printed.Why = append(printed.Why, explainedReason{reason.Test.String(), reason.Holds, reason.Value.Any()})
			}
			out.Patterns = append(out.Patterns, printed)
		}
		if err := enc.Encode(out); err != nil {
			return err
		}
	}
	return nil
}
