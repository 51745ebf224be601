// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"tocsin/rules/pred"
)

// Warning is what is allowed in a rule and probably not meant.
type Warning struct {
	Rule *Rule
	// Kind is a short label: "no-witness", "never-matches", "reads-part", "unknown-logsource", "guessed-placeholder".
	Kind    string
	Message string
}

// shortReach is how much of a text a pattern should read: more than most texts have.
const shortReach = 64 << 10

// Warnings lists what `rules check` has to say of a Set that compiles, by rule.
func (s *Set) Warnings() []Warning {
	var out []Warning
	slow := make(map[place]bool)
	for _, i := range s.program.Unindexed() {
		slow[s.places[i]] = true
	}
	for _, r := range s.Rules {
		for _, w := range r.warnings {
			out = append(out, Warning{r, w.Kind, w.Message})
		}
	}
	for _, p := range s.places {
		r := p.site.rule
		if len(p.site.path) > 0 {
			continue // it is told of as a rule of its own
		}
		name := r.Patterns[p.pattern].Name
		if reach := pred.Reach(r.matcher.patterns[p.pattern]); reach > 0 && reach < shortReach {
			out = append(out, Warning{r, "reads-part", fmt.Sprintf(
				"the pattern %s is costly: its regular expressions, wildcards and long lists read the first %d bytes of a text", name, reach)})
		}
		switch {
		case pred.Never(r.matcher.patterns[p.pattern]):
			out = append(out, Warning{r, "never-matches", fmt.Sprintf("the pattern %s never matches: it asks for what one field cannot be at once", name)})
		case slow[p]:
			out = append(out, Warning{r, "no-witness", fmt.Sprintf(
				"the pattern %s is evaluated for every event: without a comparison with a constant that must hold, no index finds it", name)})
		}
	}
	return out
}
