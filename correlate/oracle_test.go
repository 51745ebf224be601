// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"math/big"
	"slices"
	"sort"

	"tocsin/event"
	"tocsin/rules"
)

// This file is detection.md in Go, as plain as its text: it looks at the whole set of events at once
// and knows no state, clock or log. It shares no code with the engine.

// seen is one event of a rule's set S for one key.
type seen struct {
	id   event.ID
	t, a int64
	bits uint64
	vals []string
	nums []*big.Rat
	// fresh has the first_seen that the event is new for.
	fresh map[string]bool
}

type oracle struct {
	rule     *rules.Rule
	lateness int64
	horizon  int64 // where the input ends, 0 if it goes on (C4)
}

func (o oracle) t() int64 { return int64(o.rule.Within) }

// settles reports whether the condition has a part that waits (F5).
func settles(c rules.Cond) bool {
	if _, ok := isComparison(c); ok {
		return true
	}
	switch c := c.(type) {
	case rules.Not, rules.FirstSeen, rules.Silent:
		return true
	case rules.Sequence:
		for _, s := range c.Steps {
			if s.Not {
				return true
			}
		}
	case rules.And:
		if slices.ContainsFunc(c.X, settles) {
			return true
		}
	case rules.Or:
		if slices.ContainsFunc(c.X, settles) {
			return true
		}
	}
	return false
}

// l is the lateness bound, longer by what referenced rules need to settle.
func (o oracle) l() int64 {
	l := o.lateness
	for _, c := range o.rule.Children {
		child := oracle{c, o.lateness, 0}
		d := child.l()
		if settles(c.When) {
			d += child.t() + child.l()
		}
		l = max(l, d)
	}
	return l
}

func (o oracle) reach() int64 {
	if settles(o.rule.When) {
		return 2 * o.t()
	}
	return o.t()
}

func (o oracle) keep(x seen) int64 { return max(x.t, x.a) + o.reach() + o.l() }

func (o oracle) met(x, y seen) bool {
	return x.id == y.id || max(x.a, y.a) <= min(o.keep(x), o.keep(y))
}

// alternatives lists every way to choose a branch at each `or`, as literals: conditions, negated or not.
type lit struct {
	c   rules.Cond
	neg bool
}

func alternatives(c rules.Cond, neg bool) [][]lit {
	var parts []rules.Cond
	all := false
	switch c := c.(type) {
	case rules.Not:
		return alternatives(c.X, !neg)
	case rules.And:
		parts, all = c.X, !neg
	case rules.Or:
		parts, all = c.X, neg
	default:
		return [][]lit{{{c, neg}}}
	}
	if !all {
		var out [][]lit
		for _, p := range parts {
			out = append(out, alternatives(p, neg)...)
		}
		return out
	}
	out := [][]lit{nil}
	for _, p := range parts {
		var next [][]lit
		for _, have := range out {
			for _, more := range alternatives(p, neg) {
				next = append(next, append(append([]lit(nil), have...), more...))
			}
		}
		out = next
	}
	return out
}

func within(s []seen, from, to int64) []seen {
	var out []seen
	for _, x := range s {
		if x.t >= from && x.t <= to {
			out = append(out, x)
		}
	}
	return out
}

func number(s []seen, pattern int, values []int) int64 {
	distinct := make(map[string]bool)
	n := int64(0)
	for _, x := range s {
		if x.bits&(1<<pattern) == 0 {
			continue
		}
		n++
		if v, whole := tuple(x, values); whole {
			distinct[v] = true
		}
	}
	if values != nil {
		return int64(len(distinct))
	}
	return n
}

// steps unrolls a sequence; nots[k] are the patterns forbidden before step k.
func unroll(q rules.Sequence) (steps []int, nots map[int][]int) {
	nots = make(map[int][]int)
	for _, s := range q.Steps {
		if s.Not {
			nots[len(steps)] = append(nots[len(steps)], s.Pattern)
			continue
		}
		for range max(1, s.Times) {
			steps = append(steps, s.Pattern)
		}
	}
	return steps, nots
}

// assign tries every assignment of distinct events to the steps, each at or after the one before.
func assign(s []seen, steps []int, chosen []seen, ok func([]seen) bool) bool {
	if len(chosen) == len(steps) {
		return ok(chosen)
	}
	for _, x := range s {
		if x.bits&(1<<steps[len(chosen)]) == 0 || len(chosen) > 0 && x.t < chosen[len(chosen)-1].t {
			continue
		}
		used := false
		for _, y := range chosen {
			used = used || y.id == x.id
		}
		if !used && assign(s, steps, append(slices.Clip(chosen), x), ok) {
			return true
		}
	}
	return false
}

// positive evaluates the positive form of a literal on a set.
func positive(c rules.Cond, s []seen) bool {
	switch c := c.(type) {
	case rules.Is:
		return number(s, c.Pattern, nil) >= 1
	case rules.Silent:
		return number(s, c.Pattern, nil) >= 1
	case rules.Count:
		return c.Op.Holds(number(s, c.Pattern, nil), c.N)
	case rules.Distinct:
		return c.Op.Holds(number(s, c.Pattern, c.Values), c.N)
	case rules.Aggregate:
		return aggregate(c, s)
	case rules.Score:
		return c.Op.Holds(weight(c, s), c.N)
	case rules.FirstSeen:
		return slices.ContainsFunc(s, func(x seen) bool { return x.fresh[fmt.Sprint(c)] })
	case rules.Sequence:
		steps, _ := unroll(c)
		return assign(s, steps, nil, func([]seen) bool { return true })
	}
	panic(fmt.Sprintf("no literal: %T", c))
}

// isComparison reports whether a condition compares in a way that a further event could undo; ahead, whether it
// is read on what comes after the event (A5).
func isComparison(c rules.Cond) (ahead, ok bool) {
	least := func(op rules.Op) bool { return op == rules.GE || op == rules.GT }
	most := func(op rules.Op) bool { return op == rules.LE || op == rules.LT }
	switch c := c.(type) {
	case rules.Rate:
		return false, true
	case rules.Count:
		return most(c.Op), !least(c.Op)
	case rules.Distinct:
		return most(c.Op), !least(c.Op)
	case rules.Score:
		return false, !least(c.Op)
	case rules.Aggregate:
		switch c.Func {
		case rules.Sum, rules.Max:
			return false, !least(c.Op)
		case rules.Min:
			return false, !most(c.Op)
		}
		return false, true
	}
	return false, false
}

// partOf reports whether a positive condition is made of events like x.
func partOf(c rules.Cond, x seen) bool {
	if _, ok := c.(rules.FirstSeen); ok {
		return positive(c, []seen{x})
	}
	return x.bits&mask(c) != 0
}

// patterns of the positive part.
func mask(c rules.Cond) (m uint64) {
	switch c := c.(type) {
	case rules.Is:
		return 1 << c.Pattern
	case rules.Silent:
		return 1 << c.Pattern
	case rules.Count:
		return 1 << c.Pattern
	case rules.Distinct:
		return 1 << c.Pattern
	case rules.Aggregate:
		return 1 << c.Pattern
	case rules.Score:
		for p, w := range c.Weights {
			if w > 0 {
				m |= 1 << p
			}
		}
	case rules.Sequence:
		steps, _ := unroll(c)
		for _, s := range steps {
			m |= 1 << s
		}
	}
	return m
}

// firing decides F1 and F2 for e: whether it is a firing point, and where its tight window starts.
func (o oracle) firing(e seen, all []seen) (start int64, ok bool) {
	var s []seen
	for _, x := range all {
		if o.rule.Within == 0 && x.id != e.id {
			continue
		}
		if o.met(x, e) {
			s = append(s, x)
		}
	}
	w := within(s, e.t-o.t(), e.t)
	for _, alt := range alternatives(o.rule.When, false) {
		if from, holds := o.alternative(e, s, w, all, alt); holds && (!ok || from > start) {
			start, ok = from, true
		}
	}
	return start, ok
}

func (o oracle) alternative(e seen, s, w, all []seen, alt []lit) (int64, bool) {
	var pos []rules.Cond
	for _, l := range alt {
		if _, cmp := isComparison(l.c); !l.neg && !cmp {
			pos = append(pos, l.c)
		}
	}
	// The shortest suffix for which the positive part holds.
	first, found := e.t, len(pos) == 0
	for from := e.t; !found && from >= e.t-o.t(); from-- {
		found = true
		for _, c := range pos {
			found = found && positive(c, within(w, from, e.t))
		}
		if found {
			first = from
		}
	}
	if !found {
		return 0, false
	}
	last := e.t
	if len(pos) > 0 {
		last = first
		for _, x := range within(w, first, e.t) {
			if slices.ContainsFunc(pos, func(c rules.Cond) bool { return partOf(c, x) }) {
				last = max(last, x.t)
			}
		}
	}
	for _, l := range alt {
		if r, is := l.c.(rules.Rate); is {
			if !o.unusual(r, e, w, all) {
				return 0, false
			}
			continue
		}
		if ahead, cmp := isComparison(l.c); cmp {
			over := w
			if ahead && o.horizon != 0 && e.t+o.t() > o.horizon {
				return 0, false
			}
			if ahead {
				over = within(s, e.t, e.t+o.t())
			}
			if !positive(l.c, over) {
				return 0, false
			}
			continue
		}
		if l.neg && positive(l.c, within(s, last-o.t(), first+o.t())) {
			return 0, false
		}
		if q, is := l.c.(rules.Silent); is && !o.silent(q, w, s) {
			return 0, false
		}
		if q, is := l.c.(rules.Sequence); is && !l.neg && !o.undisturbed(q, w, s) {
			return 0, false
		}
	}
	return first, true
}

// silent decides whether no other followed the last event of a pattern for T, before the input ended.
func (o oracle) silent(q rules.Silent, w, s []seen) bool {
	last := int64(0)
	for _, x := range w {
		if x.bits&(1<<q.Pattern) != 0 {
			last = max(last, x.t)
		}
	}
	return number(within(s, last+1, last+o.t()), q.Pattern, nil) == 0 && (o.horizon == 0 || last+o.t() <= o.horizon)
}

// undisturbed looks for an assignment that no forbidden event disturbs (A1).
func (o oracle) undisturbed(q rules.Sequence, w, s []seen) bool {
	steps, nots := unroll(q)
	if len(nots) == 0 {
		return true
	}
	return assign(w, steps, nil, func(c []seen) bool {
		for k, forbidden := range nots {
			var from, to int64
			neighbour := make(map[event.ID]bool)
			if k > 0 {
				from = c[k-1].t
				neighbour[c[k-1].id] = true
			} else {
				from = c[0].t - o.t()
			}
			if k < len(steps) {
				to = c[k].t
				neighbour[c[k].id] = true
			} else {
				to = c[k-1].t + o.t()
			}
			for _, x := range within(s, from, to) {
				for _, p := range forbidden {
					if x.bits&(1<<p) != 0 && !neighbour[x.id] {
						return false
					}
				}
			}
		}
		return true
	})
}

// dedupe keeps of copies of one event the one that arrived first (W2).
func dedupe(s []seen) []seen {
	best := make(map[event.ID]seen)
	for _, x := range s {
		y, ok := best[x.id]
		if !ok {
			best[x.id] = x
			continue
		}
		bits := x.bits | y.bits
		if x.a < y.a || x.a == y.a && x.t < y.t {
			y = x
		}
		y.bits = bits
		best[x.id] = y
	}
	out := make([]seen, 0, len(best))
	for _, x := range best {
		out = append(out, x)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].t != out[j].t {
			return out[i].t < out[j].t
		}
		return string(out[i].id[:]) < string(out[j].id[:])
	})
	return out
}

// points returns the firing points of S.
func (o oracle) points(s []seen) map[event.ID]int64 {
	out := make(map[event.ID]int64)
	s = o.remember(s)
	for _, e := range s {
		if start, ok := o.firing(e, s); ok {
			out[e.id] = start
		}
	}
	return out
}
