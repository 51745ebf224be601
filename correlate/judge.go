// SPDX-License-Identifier: Apache-2.0

package correlate

import "slices"

// verdict is what judging an event as a firing point came to.
type verdict struct {
	// holds: the condition holds of the event's window (F1), as far as is known.
	holds bool
	// start is where its tight window begins (F2).
	start int64
	// due is the clock from which a settled condition shows; 0 for a positive one (F5).
	due int64
	// horizon is the last time that a comparison looks at, 0 if none does (C4).
	horizon int64
}

// judge decides whether e is a firing point of its window.
func (w *window) judge(e *match) verdict {
	p := w.plan
	t := e.ref.Time
	if !w.possible() {
		return verdict{}
	}
	if p.alone {
		one := []*match{e}
		return p.judge(e, one, one)
	}
	around := between(w.ms, add(t, -p.reach), add(t, p.reach))
	if w.lates > 0 {
		around = meeting(around, e)
	}
	return p.judge(e, between(around, add(t, -p.t), t), around)
}

// possible reports whether the window has events enough for any of the conjunctions: most windows of a sequence
// wait for one step that never comes.
func (w *window) possible() bool {
	for i := range w.plan.conjs {
		enough := true
		for j := range w.plan.conjs[i].pos {
			a := &w.plan.conjs[i].pos[j]
			for _, n := range a.needs {
				enough = enough && w.seen[n.pattern] >= n.events
			}
			if a.tuples > 0 {
				enough = enough && int64(len(w.tuples[a.tuples-1])) >= a.n
			}
		}
		if enough {
			return true
		}
	}
	return false
}

// meeting returns the events of ms that met e.
func meeting(ms []*match, e *match) []*match {
	out := make([]*match, 0, len(ms))
	for _, m := range ms {
		if m == e || m.met(e) {
			out = append(out, m)
		}
	}
	return out
}

// judge decides for W(e) = w and everything within reach of it. Of several conjunctions that
// hold, the shortest tight window counts, and the earliest deadline.
func (p *plan) judge(e *match, w, around []*match) verdict {
	var v verdict
	for i := range p.conjs {
		c := &p.conjs[i]
		start, ok := c.start(w, e)
		if !ok {
			continue
		}
		first, last := start, c.last(w, start, e)
		if !c.undisturbed(p, e, w, around, first, last) {
			continue
		}
		due, horizon := p.deadline(c, e, w, first)
		if !v.holds || start > v.start {
			v.start = start
		}
		if !v.holds || due < v.due {
			v.due, v.horizon = due, horizon
		}
		v.holds = true
	}
	return v
}

// start returns where the tight window of the positive part begins.
func (c *conj) start(w []*match, e *match) (int64, bool) {
	start := e.ref.Time
	for i := range c.pos {
		s, ok := c.pos[i].latest(w)
		if !ok {
			return 0, false
		}
		start = min(start, s)
	}
	return start, true
}

// last returns the time of the last positive event of the tight window.
func (c *conj) last(w []*match, start int64, e *match) int64 {
	for i := len(w) - 1; i >= 0 && w[i].ref.Time >= start; i-- {
		if w[i].bits&c.mask != 0 {
			return w[i].ref.Time
		}
	}
	return e.ref.Time
}

// undisturbed reports whether the absences and comparisons of c hold.
func (c *conj) undisturbed(p *plan, e *match, w, around []*match, first, last int64) bool {
	for _, s := range c.seqs {
		if !s.holds(w, around, p.t) {
			return false
		}
	}
	if len(c.neg) > 0 {
		near := between(around, add(last, -p.t), add(first, p.t))
		for i := range c.neg {
			if _, holds := c.neg[i].latest(near); holds {
				return false
			}
		}
	}
	for _, cmp := range c.cmp {
		seen := w
		if cmp.lookahead() {
			seen = between(around, e.ref.Time, add(e.ref.Time, p.t))
		}
		if !cmp.op.Holds(tally(seen, cmp.bit, cmp.values), cmp.n) {
			return false
		}
	}
	return true
}

// deadline returns the clock from which c shows, and the horizon of its comparisons.
func (p *plan) deadline(c *conj, e *match, w []*match, first int64) (due, horizon int64) {
	if !c.settled() {
		return 0, 0
	}
	end := e.ref.Time
	if len(c.neg) > 0 {
		end = max(end, add(first, p.t))
	}
	if c.trailing || c.lookahead {
		end = add(e.ref.Time, p.t)
	}
	if c.lookahead {
		horizon = end
	}
	for _, m := range w {
		if m.ref.Time >= first {
			end = max(end, m.ref.Arrival)
		}
	}
	return add(end, p.late), horizon
}

// latest returns the latest start from which the atom still holds of ms.
func (a *atom) latest(ms []*match) (int64, bool) {
	if a.steps != nil {
		return latestSequence(ms, a.steps)
	}
	if a.values == nil {
		n := a.n
		for _, m := range slices.Backward(ms) {
			if m.bits&a.bit != 0 {
				if n--; n <= 0 {
					return m.ref.Time, true
				}
			}
		}
		return 0, false
	}
	seen := make(map[string]struct{})
	for _, m := range slices.Backward(ms) {
		if v, ok := m.tuple(a.bit, a.values); ok {
			seen[v] = struct{}{}
			if int64(len(seen)) >= a.n {
				return m.ref.Time, true
			}
		}
	}
	return 0, false
}

// tally counts the matches with bit, or the distinct tuples of their values.
func tally(ms []*match, bit uint64, values []int) int64 {
	var n int64
	if values == nil {
		for _, m := range ms {
			if m.bits&bit != 0 {
				n++
			}
		}
		return n
	}
	seen := make(map[string]struct{})
	for _, m := range ms {
		if v, ok := m.tuple(bit, values); ok {
			seen[v] = struct{}{}
		}
	}
	return int64(len(seen))
}

// tuple returns the values at the given places as one string; a match that lacks one has none.
// Encodings are self-delimiting, so that joining them keeps tuples apart.
func (m *match) tuple(bit uint64, values []int) (string, bool) {
	if m.bits&bit == 0 {
		return "", false
	}
	if len(values) == 1 {
		v := m.value(values[0])
		return v, v != ""
	}
	var out []byte
	for _, i := range values {
		v := m.value(i)
		if v == "" {
			return "", false
		}
		out = append(out, v...)
	}
	return string(out), true
}

func (m *match) value(i int) string {
	if i >= len(m.vals) {
		return ""
	}
	return m.vals[i]
}
