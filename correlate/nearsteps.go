// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/rules"
)

// part is a condition that has no `and` and no `or`, negated if not, and what the engine judges it by.
type part struct {
	rules.Cond
	not  bool
	conj conj
}

// parts returns the alternatives of a condition that a plan has in its own form.
func (p *plan) parts(c rules.Cond, neg bool) [][]part {
	join := func(xs []rules.Cond, all bool) (out [][]part) {
		if all {
			out = [][]part{nil}
		}
		for _, x := range xs {
			if !all {
				out = append(out, p.parts(x, neg)...)
				continue
			}
			var product [][]part
			for _, a := range out {
				for _, b := range p.parts(x, neg) {
					product = append(product, concat(a, b))
				}
			}
			out = product
		}
		return out
	}
	switch c := c.(type) {
	case rules.And:
		return join(c.X, !neg)
	case rules.Or:
		return join(c.X, neg)
	case rules.Not:
		return p.parts(c.X, !neg)
	}
	only, err := p.disjunction(c, neg)
	if err != nil {
		return nil // the plan would not be there
	}
	return [][]part{{{c, neg, only[0]}}}
}

// steps says how far the condition holds at an event of a window that has all of the history: of the alternative of which
// most does. Who contradicts an absence takes some searching, and is told if asked for.
func (w *window) steps(alternatives [][]part, e *match, until int64, whom bool) []Step {
	x := *w.sight(e)
	var best []Step
	for _, ps := range alternatives {
		if steps := (alternative{x: &x, parts: ps, until: until, whom: whom}).steps(); best == nil || share(steps) > share(best) {
			best = steps
		}
	}
	return best
}

// alternative is parts that hold together or not at all, at an event.
type alternative struct {
	x     *view
	parts []part
	until int64
	whom  bool
	// first and last are of the positive events, if they are complete: absences are about them.
	first, last int64
	complete    bool
}

func (a alternative) steps() []Step {
	var all conj
	for _, p := range a.parts {
		all.pos = append(all.pos, p.conj.pos...)
	}
	for _, pos := range all.pos {
		all.mask |= pos.mask()
	}
	a.first, a.complete = all.start(a.x)
	a.last = all.last(a.x, a.first)
	var out []Step
	for i := range a.parts {
		out = append(out, a.part(&a.parts[i])...)
	}
	return out
}

// part says how far one part holds: whether it does is what the engine finds.
func (a alternative) part(p *part) []Step {
	pl := a.x.w.plan
	if s, is := p.Cond.(rules.Sequence); is && !p.not {
		return a.sequence(s)
	}
	step := pl.describe(p, a.x)
	switch {
	case len(p.conj.neg) > 0:
		// What is absent is absent around the positive events; until those are there, from what there is.
		near := a.x.back
		if a.complete {
			near = between(a.x.around, add(a.last, -pl.t), add(a.first, pl.t))
		}
		_, there := p.conj.neg[0].latest(near)
		step.Done = !there
		if there && a.whom {
			n := 1 // of the events that make it up, the one that completed it
			for ; n < len(near); n++ {
				if _, there := p.conj.neg[0].latest(near[:n]); there {
					break
				}
			}
			step.Against = near[n-1].ref.About.EventID()
		}
	case len(p.conj.cmp) > 0:
		step.Done = p.conj.cmp[0].holds(a.x)
	default:
		_, step.Done = p.conj.pos[0].latest(a.x.back)
	}
	if len(p.conj.guards) > 0 && step.Done {
		step.Done = p.conj.guards[0].holds(a.x)
		if s, is := p.conj.guards[0].(silence); is && !step.Done && a.whom {
			step.Against = a.against(s.bit, s)
		}
	}
	if _, ahead := pl.deadline(&p.conj, a.x, a.first); step.Done && ahead > a.until {
		step.Done, step.Open = false, true
	}
	return []Step{step}
}

// sequence says how many of the steps distinct events serve in order, and which absences between them are broken.
func (a alternative) sequence(c rules.Sequence) []Step {
	t := a.x.w.plan.t
	s := newSequence(c)
	served := len(s.steps)
	for ; served > 0; served-- {
		if _, ok := (ordered{s.steps[:served]}).latest(a.x.back); ok {
			break
		}
	}
	var out []Step
	var nots []int
	at := 0
	for _, st := range c.Steps {
		name := a.x.w.plan.rule.Patterns[st.Pattern].Name
		if !st.Not {
			times := max(st.Times, 1)
			out = append(out, atLeastOf(name, int64(min(max(served-at, 0), times)), int64(times)))
			at += times
			continue
		}
		step := Step{What: "not " + name, Done: true}
		if served > 0 && at <= served {
			one := sequence{steps: s.steps[:served], guards: make([]uint64, served+1)}
			one.guards[at] = 1 << st.Pattern
			if step.Done = one.among(a.x.back, a.x.around, t); !step.Done && a.whom {
				step.Against = a.against(one.guards[at], one)
			}
		}
		nots = append(nots, len(out))
		out = append(out, step)
	}
	// Each absence can hold of other events than the rest: together they do not, then.
	if served == len(s.steps) && s.guarded() && allDone(out) && !s.among(a.x.back, a.x.around, t) {
		for _, i := range nots {
			out[i].Done = false
		}
	}
	return out
}

// against returns the id of the first event with a bit that breaks an absence if it is the only one that has it.
func (a alternative) against(bit uint64, g guard) string {
	for _, m := range a.x.around {
		if m.bits&bit == 0 {
			continue
		}
		only := func(ms []*match) []*match {
			out := slices.Clone(ms)
			for i, o := range out {
				if o != m && o.bits&bit != 0 {
					other := *o
					other.bits &^= bit
					out[i] = &other
				}
			}
			return out
		}
		back := a.x.back
		if _, silent := g.(silence); !silent {
			back = only(back)
		}
		if !g.holds(&view{w: a.x.w, e: a.x.e, back: back, around: only(a.x.around)}) {
			return m.ref.About.EventID()
		}
	}
	return ""
}
