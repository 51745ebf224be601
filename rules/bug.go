// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"tocsin/event"
	"tocsin/rules/pred"
)

// Bug is a rule whose matching of an event ended in a panic.
type Bug struct {
	// Rule is its id; "" if each rule by itself matches, and only all at once did not: then nothing is left out.
	Rule  string
	Panic *event.Panic
}

// mark is how much a Result has.
type mark struct{ matches, counts int }

func (r *Result) mark() mark { return mark{len(r.Matches), len(r.Counts)} }

// undo takes back what was added since, and throws away the memory: it may be half written.
func (r *Result) undo(to mark) {
	r.Matches, r.Counts = r.Matches[:to.matches], r.Counts[:to.counts]
	r.set, r.run, r.about = nil, nil, nil
}

// apart matches one rule after the other by what conditions mean ([pred.Eval]), without the program, in which rules share what
// they ask, so that each that panics leaves out itself alone.
func (s *Set) apart(e *event.Event, out *Result, all *event.Panic) {
	bugs := len(out.Bugs)
	for i, end := 0, 0; i < len(s.places); i = end {
		top := s.places[i].site.top
		for end < len(s.places) && s.places[end].site.top == top {
			end++
		}
		before := out.mark()
		if bug := event.Guard(func() { one(s.places[i:end], e, out) }); bug != nil {
			out.undo(before)
			out.Bugs = append(out.Bugs, Bug{top.ID, bug})
		}
	}
	if len(out.Bugs) == bugs {
		out.Bugs = append(out.Bugs, Bug{Panic: all})
	}
}

// one matches the rule that the places are of.
func one(places []place, e *event.Event, out *Result) {
	x := matching{e: e, out: out}
	for i := 0; i < len(places); {
		at, bits := places[i].site, uint64(0)
		for ; i < len(places) && places[i].site == at; i++ {
			if n := places[i].pattern; pred.Eval(at.rule.matcher.patterns[n], e) {
				bits |= 1 << n
			}
		}
		if bits != 0 {
			x.emit(at, bits)
		}
	}
	x.count()
}
