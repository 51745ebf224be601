// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/rules"
)

// Step is one part of a condition, and how far a key came with it.
type Step struct {
	// What is the part, in the words of the rule.
	What string `json:"what"`
	// Have of Need events or values. Of a part that must be absent Need is 0.
	Have int64 `json:"have"`
	Need int64 `json:"need"`
	Done bool  `json:"done"`
}

// Near is how far one key came, at the event with which most of the condition held.
type Near struct {
	Key   rules.Key
	Steps []Step
	// At is the event's time, Unix nanoseconds.
	At int64
}

// Done reports whether all of the condition held.
func (n Near) Done() bool { return !slices.ContainsFunc(n.Steps, func(s Step) bool { return !s.Done }) }

// share is how much of the condition held, from 0 to 1.
func (n Near) share() float64 {
	sum := 0.0
	for _, s := range n.Steps {
		if s.Done {
			sum++
		} else if s.Need > 0 {
			sum += float64(min(s.Have, s.Need)) / float64(s.Need)
		}
	}
	return sum / float64(max(len(n.Steps), 1))
}

// Nearest returns how far each key of a rule came in a history, the furthest first: all of the history is known, and what
// an absence waits for has not come. Of conditions over what a key did long before (first_seen, silent, usual) and of
// aggregates it says nothing: they are left out.
func Nearest(r *rules.Rule, history []rules.Match) []Near {
	h := nearing{history}
	var out []Near
	for key, ms := range h.byKey(r, nil) {
		var near Near
		for _, e := range ms {
			n := Near{key, nearSteps(r, ms, e), e.ref.Time}
			if near.Steps == nil || n.share() >= near.share() {
				near = n
			}
		}
		out = append(out, near)
	}
	slices.SortFunc(out, func(a, b Near) int {
		return cmp.Or(cmp.Compare(b.share(), a.share()), cmp.Compare(b.At, a.At), cmp.Compare(a.Key, b.Key))
	})
	return out
}

type nearing struct{ all []rules.Match }

// byKey sorts the events of the rule at a path by key and time; those of rules that it refers to are their firing points.
func (h nearing) byKey(r *rules.Rule, path []int) map[rules.Key][]*match {
	byKey := make(map[rules.Key][]*match)
	add := func(key rules.Key, m match) {
		for _, had := range byKey[key] {
			if had.ref.ID == m.ref.ID {
				had.bits |= m.bits
				return
			}
		}
		byKey[key] = append(byKey[key], &m)
	}
	for i := range h.all {
		if m := &h.all[i]; slices.Equal(m.Path, path) {
			add(m.Key, match{ref: m.Event, bits: m.Patterns, details: &details{vals: m.Values}})
		}
	}
	for i, child := range r.Children {
		var feeds uint64
		for b, p := range r.Patterns {
			if p.Child == i {
				feeds |= 1 << b
			}
		}
		for key, ms := range h.byKey(child, append(slices.Clip(path), i)) {
			for _, e := range ms {
				if (Near{Steps: nearSteps(child, ms, e)}).Done() {
					add(key.Part(child.ParentKey), match{ref: e.ref, bits: feeds, details: &details{vals: e.vals[min(len(e.vals), len(child.Values)):]}})
				}
			}
		}
	}
	for _, ms := range byKey {
		slices.SortFunc(ms, func(a, b *match) int {
			return cmp.Or(cmp.Compare(a.ref.Time, b.ref.Time), bytes.Compare(a.ref.ID[:], b.ref.ID[:]))
		})
	}
	return byKey
}

// nearSteps says how far the condition holds of an event's window.
func nearSteps(r *rules.Rule, ms []*match, e *match) []Step {
	w := []*match{e}
	if r.Within > 0 {
		w = between(ms, add(e.ref.Time, -int64(r.Within)), e.ref.Time)
	}
	return nearPart(r, r.When, w)
}

func nearPart(r *rules.Rule, c rules.Cond, w []*match) []Step {
	name := func(pattern int) string { return r.Patterns[pattern].Name }
	switch c := c.(type) {
	case rules.Is:
		return []Step{reached(name(c.Pattern), tally(w, 1<<c.Pattern, nil), 1, rules.GE)}
	case rules.Count:
		return []Step{reached(fmt.Sprintf("count(%s) %s %d", name(c.Pattern), c.Op, c.N), tally(w, 1<<c.Pattern, nil), c.N, c.Op)}
	case rules.Distinct:
		var of []string
		for _, v := range c.Values {
			of = append(of, r.Values[v])
		}
		what := fmt.Sprintf("distinct(%s, %s) %s %d", name(c.Pattern), strings.Join(of, ", "), c.Op, c.N)
		return []Step{reached(what, tally(w, 1<<c.Pattern, c.Values), c.N, c.Op)}
	case rules.Score:
		var bits uint64
		for _, m := range w {
			bits |= m.bits
		}
		return []Step{reached(fmt.Sprintf("score %s %d", c.Op, c.N), score(bits, c.Weights), c.N, c.Op)}
	case rules.Sequence:
		return nearSequence(r, c, w)
	case rules.And:
		var out []Step
		for _, x := range c.X {
			out = append(out, nearPart(r, x, w)...)
		}
		return out
	case rules.Or:
		var best Near
		for _, x := range c.X {
			if n := (Near{Steps: nearPart(r, x, w)}); best.Steps == nil || n.share() > best.share() {
				best = n
			}
		}
		return best.Steps
	case rules.Not:
		there := Near{Steps: nearPart(r, c.X, w)}
		if len(there.Steps) == 0 {
			return nil
		}
		return []Step{{What: "not " + there.Steps[0].What, Have: there.Steps[0].Have, Done: !there.Done()}}
	}
	return nil
}

// reached is a part that compares a number.
func reached(what string, have, need int64, op rules.Op) Step {
	return Step{What: what, Have: have, Need: need, Done: op.Holds(have, need)}
}

// nearSequence takes the events of a window for the steps one after the other, each as early as it can be.
func nearSequence(r *rules.Rule, c rules.Sequence, w []*match) []Step {
	var out []Step
	next := 0
	for _, s := range c.Steps {
		name := r.Patterns[s.Pattern].Name
		if s.Not {
			out = append(out, Step{What: "not " + name, Done: true}) // the engine knows, in time
			continue
		}
		have := int64(0)
		for ; next < len(w) && have < int64(s.Times); next++ {
			if w[next].bits&(1<<s.Pattern) != 0 {
				have++
			}
		}
		out = append(out, reached(name, have, int64(s.Times), rules.GE))
	}
	return out
}

// tally counts the events with a bit, or the distinct tuples of their values.
func tally(ms []*match, bit uint64, values []int) (n int64) {
	seen := make(map[string]bool)
	for _, m := range ms {
		if m.bits&bit == 0 {
			continue
		}
		if values == nil {
			n++
		} else if v, ok := m.tuple(bit, values); ok && !seen[v] {
			seen[v] = true
			n++
		}
	}
	return n
}
