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
	"tocsin/rules"
	"tocsin/rules/pred"
)

// newExplainCommand says why rules match events, or do not.
func newExplainCommand(c *cli) *cobra.Command {
	var paths, ids []string
	var input, only, format string
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
			history := rules.Result{}
			parser := ingest.NewParser(cfg.parserConfig())
			for _, name := range args {
				if _, err := c.records(name, func(raw []byte) error {
					e, err := parser.Parse(event.Record{Input: "replay", Source: input, Raw: raw}, 0)
					if err != nil {
						return err
					}
					set.Match(e, &history)
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
				if err := x.keys(picked, history.Matches, format == "json"); err != nil {
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
	f.StringVar(&input, "input", "", "the source that the records are of: falco, vector, … (default: plain records)")
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

// maxKeys is of how many keys of a rule it is said how far they came.
const maxKeys = 5

// keys says how far the keys of each rule with a condition came, the furthest first.
func (x explainer) keys(rs []*rules.Rule, history []rules.Match, asJSON bool) error {
	byRule := make(map[string][]rules.Match)
	for _, m := range history {
		byRule[m.Rule] = append(byRule[m.Rule], m)
	}
	enc := json.NewEncoder(x.out)
	enc.SetEscapeHTML(false)
	for _, r := range rs {
		if r.Within == 0 {
			continue // each event decides by itself
		}
		near := correlate.Nearest(r, byRule[r.Revision])
		if !asJSON && len(near) > 0 {
			fmt.Fprintf(x.out, "%s, over %s\n", r.ID, spell(r.Within))
		}
		for _, n := range near[:min(len(near), maxKeys)] {
			if asJSON {
				if err := enc.Encode(nearest{r.ID, keyOf(r, n.Key), event.Stamp(n.At), n.Done(), n.Steps}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(x.out, "  %s: %s\n", printKey(n.Key), came(n))
		}
		if !asJSON && len(near) > maxKeys {
			fmt.Fprintf(x.out, "  and %d other keys\n", len(near)-maxKeys)
		}
	}
	return nil
}

// came says how far a key came.
func came(n correlate.Near) string {
	var steps []string
	for _, s := range n.Steps {
		switch {
		case s.Need == 0 && s.Done:
			steps = append(steps, s.What+" so far")
		case s.Need == 0:
			steps = append(steps, s.What+" is broken")
		case s.Done:
			steps = append(steps, fmt.Sprintf("%s: %d", s.What, s.Have))
		default:
			steps = append(steps, fmt.Sprintf("%s: only %d of %d", s.What, s.Have, s.Need))
		}
	}
	word := "came as far as"
	if n.Done() {
		word = "has all of"
	}
	return fmt.Sprintf("at %s %s %s", event.Stamp(n.At), word, strings.Join(steps, ", "))
}

type nearest struct {
	Rule  string           `json:"rule"`
	Key   map[string]any   `json:"key"`
	At    event.Stamp      `json:"at"`
	Done  bool             `json:"done"`
	Steps []correlate.Step `json:"steps"`
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
