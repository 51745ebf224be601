// SPDX-License-Identifier: Apache-2.0

package correlate

// verdict is what judging an event as a firing point came to.
type verdict struct {
	// holds: the condition holds of the event's window (F1), as far as is known.
	holds bool
	// start is where its tight window begins (F2).
	start int64
	// due is the clock from which a settled condition shows; 0 for a positive one (F5).
	due int64
	// horizon is the last time that is looked at by what is judged no further than the input goes, 0 if nothing is (C4).
	horizon int64
}

// judge decides whether e is a firing point of its window.
func (w *window) judge(e *match, at now) verdict {
	if !w.possible() {
		return verdict{}
	}
	x := w.sight(e)
	if !w.plan.alone {
		x.timeline = w.timeline()
	}
	return w.plan.judge(x, at.horizon)
}

// sight is what e is judged by.
func (w *window) sight(e *match) *view {
	p, t := w.plan, e.ref.Time
	if p.alone {
		one := []*match{e}
		return w.see(e, one, one)
	}
	around := between(w.ms, add(t, -p.reach), add(t, p.reach))
	if w.lates > 0 {
		around = p.meeting(around, e)
	}
	return w.see(e, between(around, add(t, -p.t), t), around)
}

// see fills in the plan's only view: a judgement makes no garbage.
func (w *window) see(e *match, back, around []*match) *view {
	w.plan.view = view{w: w, e: e, back: back, around: around}
	return &w.plan.view
}

// enough reports whether an atom can hold of some part of the window; at is the place of its tally, -1 if it has none.
func (w *window) enough(a atom, at int) bool {
	if at >= 0 && !w.trackers[at].enough() {
		return false
	}
	for _, n := range a.needs() {
		if w.count(n.pattern) < n.events {
			return false
		}
	}
	return true
}

// possible reports whether the window has events enough for any of the conjunctions: most windows of a sequence
// wait for one step that never comes.
func (w *window) possible() bool {
	for i := range w.plan.conjs {
		c := &w.plan.conjs[i]
		enough := true
		for _, n := range c.needs {
			enough = enough && w.count(n.pattern) >= n.events
		}
		for _, at := range c.trackers {
			enough = enough && w.trackers[at].enough()
		}
		if enough {
			return true
		}
	}
	return false
}

// meeting returns the events of ms that met e.
func (p *plan) meeting(ms []*match, e *match) []*match {
	out := make([]*match, 0, len(ms))
	for _, m := range ms {
		if m == e || p.met(m, e) {
			out = append(out, m)
		}
	}
	return out
}

// judge decides for W(e) and everything within reach of it. Of several conjunctions that
// hold, the shortest tight window counts, and the earliest deadline. horizon is where the input ends, 0 if it goes on.
func (p *plan) judge(x *view, horizon int64) verdict {
	var v verdict
	for i := range p.conjs {
		c := &p.conjs[i]
		start, ok := c.start(x)
		if !ok {
			continue
		}
		first, last := start, c.last(x, start)
		if !c.undisturbed(p, x, first, last) {
			continue
		}
		due, ahead := p.deadline(c, x, first)
		if horizon != 0 && ahead > horizon {
			continue
		}
		if !v.holds || start > v.start {
			v.start = start
		}
		if !v.holds || due < v.due {
			v.due = due
		}
		v.holds, v.horizon = true, max(v.horizon, ahead)
	}
	return v
}

// start returns where the tight window of the positive part begins.
func (c *conj) start(x *view) (int64, bool) {
	start := x.e.ref.Time
	for _, a := range c.pos {
		s, ok := x.latest(a)
		if !ok {
			return 0, false
		}
		start = min(start, s)
	}
	return start, true
}

// last returns the time of the last positive event of the tight window.
func (c *conj) last(x *view, start int64) int64 {
	if x.timeline != nil {
		if last, ok := x.timeline.last(c.mask, start, x.e.ref.Time); ok {
			return last
		}
		return x.e.ref.Time
	}
	for i := len(x.back) - 1; i >= 0 && x.back[i].ref.Time >= start; i-- {
		if x.back[i].bits&c.mask != 0 {
			return x.back[i].ref.Time
		}
	}
	return x.e.ref.Time
}

// undisturbed reports whether the absences and comparisons of c hold.
func (c *conj) undisturbed(p *plan, x *view, first, last int64) bool {
	for _, g := range c.guards {
		if !g.holds(x) {
			return false
		}
	}
	for i, a := range c.neg {
		if x.near(a, c.negTallies[i], add(last, -p.t), add(first, p.t)) {
			return false
		}
	}
	for _, cmp := range c.cmp {
		if !cmp.holds(x) {
			return false
		}
	}
	return true
}

// deadline returns the clock from which c shows, and the horizon of what it reads ahead.
func (p *plan) deadline(c *conj, x *view, first int64) (due, horizon int64) {
	if !c.settled() {
		return 0, 0
	}
	end := x.e.ref.Time
	if len(c.neg) > 0 {
		end = max(end, add(first, p.t))
	}
	if c.lookahead {
		end = add(x.e.ref.Time, p.t)
		horizon = end
	}
	for _, g := range c.guards {
		at, open := g.end(x)
		if end = max(end, at); open {
			horizon = max(horizon, at)
		}
	}
	for _, m := range between(x.back, first, x.e.ref.Time) {
		end = max(end, m.ref.Arrival)
	}
	return add(end, p.late), horizon
}
