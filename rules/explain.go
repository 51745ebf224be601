// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"tocsin/event"
	"tocsin/rules/pred"
)

// Explanation says what a rule makes of one event.
type Explanation struct {
	// Patterns are the rule's own: of a detection the rule that it names has the answer.
	Patterns []PatternReasons
	// Excepted is the exception that covers the event, nil if none does: of an event that a pattern matches, or one of a rule
	// that it refers to.
	Excepted *Exception
	// Keys are the event's for the patterns that hold; Missing are the parts of `by` that it lacks (K1).
	Keys    []Key
	Missing []string
}

// Matched reports whether a pattern holds.
func (x Explanation) Matched() bool {
	for _, p := range x.Patterns {
		if p.Holds {
			return true
		}
	}
	return false
}

// PatternReasons says whether a pattern holds, and what decided it.
type PatternReasons struct {
	Name  string
	Holds bool
	Why   []pred.Reason
}

// Explain says what the rule makes of one event.
func (r *Rule) Explain(e *event.Event) Explanation {
	var x Explanation
	hold := -1
	for i, p := range r.matcher.patterns {
		if p == nil {
			continue
		}
		holds, why := pred.Explain(p, e)
		x.Patterns = append(x.Patterns, PatternReasons{r.Patterns[i].Name, holds, why})
		if holds {
			hold = i
		}
	}
	if hold < 0 && !slices.ContainsFunc(r.Children, func(c *Rule) bool { return c.sees(e) }) {
		return x
	}
	if i := r.matcher.exceptionFor(e); i >= 0 {
		x.Excepted = &r.Exceptions[i]
		return x
	}
	if hold < 0 {
		return x
	}
	if r.matcher.byEntity {
		if k, ok := r.matcher.entityKey(e); ok {
			x.Keys = []Key{k}
		} else {
			x.Missing = entityFields
		}
		return x
	}
	x.Keys, _ = keys(r.matcher.keys, e, hold)
	for _, k := range r.matcher.keys {
		if !k.value(e, hold).Exists() {
			x.Missing = append(x.Missing, k.name)
		}
	}
	return x
}

// sees reports whether the event matches a pattern of the rule or of one that it refers to.
func (r *Rule) sees(e *event.Event) bool {
	return slices.ContainsFunc(r.matcher.patterns, func(p pred.Node) bool { return p != nil && pred.Eval(p, e) }) ||
		slices.ContainsFunc(r.Children, func(c *Rule) bool { return c.sees(e) })
}
