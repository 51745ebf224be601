// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// maxKeys is of how many keys of a rule it is said how far they came.
const maxKeys = 5

type nearest struct {
	Rule  string           `json:"rule"`
	Key   map[string]any   `json:"key"`
	At    event.Stamp      `json:"at"`
	Done  bool             `json:"done"`
	Steps []correlate.Step `json:"steps"`
}

// keys says how far the keys of each rule with a condition came, the furthest first.
func (x explainer) keys(set *rules.Set, rs []*rules.Rule, history correlate.History, asJSON bool) error {
	byRule := make(map[string][]rules.Match)
	for _, m := range history.Matches {
		byRule[m.Rule] = append(byRule[m.Rule], m)
	}
	enc := json.NewEncoder(x.out)
	enc.SetEscapeHTML(false)
	for _, r := range rs {
		if r.Within == 0 {
			continue // each event decides by itself
		}
		history.Matches = byRule[r.Revision]
		near, err := correlate.Nearest(set, r, history)
		if err != nil {
			return err
		}
		if !asJSON && len(near) > 0 {
			fmt.Fprintf(x.out, "%s, over %s\n", r.ID, spell(r.Within))
		}
		for _, n := range near[:min(len(near), maxKeys)] {
			if asJSON {
				if err := enc.Encode(nearest{r.ID, keyOf(r, n.Key), event.Stamp(n.At), n.Done, n.Steps}); err != nil {
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
	steps := make([]string, 0, len(n.Steps))
	for _, s := range n.Steps {
		steps = append(steps, stepOf(s, n.Done))
	}
	word := "came as far as"
	if n.Done {
		word = "has all of"
	}
	return fmt.Sprintf("at %s %s %s", event.Stamp(n.At), word, strings.Join(steps, ", "))
}

// stepOf says how far a step came. What is not complete can still be broken: until then an absence is one so far.
func stepOf(s correlate.Step, complete bool) string {
	switch {
	case s.Open:
		return s.What + ": the input ends before that is known"
	case s.Need > 0 && s.Done:
		return fmt.Sprintf("%s: %d", s.What, s.Have)
	case s.Need > 0:
		return fmt.Sprintf("%s: only %d of %d", s.What, s.Have, s.Need)
	case s.Against != "":
		return fmt.Sprintf("%s: event %s is against it", s.What, s.Against)
	case s.Value != "":
		return fmt.Sprintf("%s: it is %s", s.What, s.Value)
	case !s.Done:
		return s.What + ": is not so"
	case complete:
		return s.What
	}
	return s.What + " so far"
}
