// SPDX-License-Identifier: Apache-2.0

package correlate

// now is what judging needs to know of the present: the clock, the end of the input (0 while it goes
// on), and the event that is being taken in.
type now struct {
	clock, horizon int64
	cause          string
}

// stir lets memories take notice of what came, changed or went; it returns the events that have to be judged again, by
// themselves and with all around them.
func (w *window) stir(m *match) (one, around []*match) {
	for _, x := range w.memories {
		a, b := x.stir(m)
		one, around = append(one, a...), append(around, b...)
	}
	return one, around
}

// rejudgeMore judges again what memories have stirred.
func (w *window) rejudgeMore(one, around []*match, at now) {
	for _, e := range one {
		w.reconsider(e, at)
	}
	for _, e := range around {
		w.rejudge(e, at, false)
	}
}

// rejudge judges again all events that m can matter to. Those that never met it are left alone: what
// they were judged by may be forgotten already. fresh says that m came, and nothing else happened.
func (w *window) rejudge(m *match, at now, fresh bool) {
	t, p := m.ref.Time, w.plan
	if p.ahead != 0 && (!fresh || w.contradicts(m)) {
		w.rejudgeBefore(m, at, fresh)
	}
	w.rejudgeGroup(m, at, fresh)
	for _, e := range between(w.ms, add(t, 1), add(t, p.reach)) {
		if !p.unmoved(e, m, fresh) && p.met(e, m) {
			w.reconsider(e, at)
		}
	}
}

// rejudgeBefore judges again the events before m. It is no part of their windows: one that comes can contradict, and not
// confirm.
func (w *window) rejudgeBefore(m *match, at now, fresh bool) {
	from, to := add(m.ref.Time, -w.plan.t), add(m.ref.Time, -1)
	again := func(e *match) {
		if w.plan.met(e, m) {
			w.reconsider(e, at)
		}
	}
	if fresh && w.index != nil {
		w.index.held.each(from, to, again)
		return
	}
	for _, e := range between(w.ms, from, to) {
		if e.holds || !fresh {
			again(e)
		}
	}
}

// contradicts reports whether an event that comes can make anything false of those before it.
func (w *window) contradicts(m *match) bool {
	if m.bits&w.plan.ahead == 0 {
		return false
	}
	for i := range w.plan.conjs {
		c := &w.plan.conjs[i]
		if m.bits&c.ahead != 0 {
			return true
		}
		for i, a := range c.neg {
			if m.bits&a.mask() != 0 && w.enough(a, c.negTallies[i].window) {
				return true
			}
		}
	}
	return false
}

// unmoved reports whether an event need not be judged again for one before it. Of a positive part the tight window is
// a shortest suffix: what lies before it neither adds to it nor takes from it. What comes can undo the rest only by what
// that reads.
func (p *plan) unmoved(e, m *match, fresh bool) bool {
	return e.holds && e.start > m.ref.Time && (!p.settled || fresh && len(p.conjs) == 1 && m.bits&p.against == 0)
}

// rejudgeGroup judges again the events of the time of m, itself among them if the window has it.
func (w *window) rejudgeGroup(m *match, at now, fresh bool) {
	group := between(w.ms, m.ref.Time, m.ref.Time)
	switch {
	case len(group) == 0:
	case w.plan.alone:
		if w.find(m.ref.ID) == m {
			w.become(m, w.judge(m, at), at)
		}
	case w.lates > 0 || len(w.plan.memories) > 0:
		for _, e := range group {
			if e == m || w.plan.met(e, m) {
				w.reconsider(e, at)
			}
		}
	default: // their windows are the same, and so is what is found in them
		w.rejudgeAlike(group, m, at, fresh)
	}
}

// rejudgeAlike judges one of a group for all of it.
func (w *window) rejudgeAlike(group []*match, m *match, at now, fresh bool) {
	one := group[0]
	if one == m && len(group) > 1 {
		one = group[1]
	}
	if v := one.verdict; fresh && one != m && !w.plan.settled && v.holds && v.start == m.ref.Time {
		w.become(m, v, at) // no window is tighter
		return
	}
	v := w.judge(one, at)
	for _, e := range group {
		if e == m || e.verdict != v {
			w.become(e, v, at)
		}
	}
}

// reconsider judges an event again.
func (w *window) reconsider(e *match, at now) { w.become(e, w.judge(e, at), at) }

// become gives an event its verdict.
func (w *window) become(e *match, v verdict, at now) {
	shown, start := e.fp, e.start
	e.verdict = v
	w.show(e, at)
	if w.index != nil {
		w.index.stand(e)
	}
	if shown && (!e.fp || e.start != start) {
		w.full, w.dirty = true, true
	}
}

// show makes a firing point visible when its time has come, or takes it back when
// it has been contradicted. One that shows stays until it is contradicted.
func (w *window) show(e *match, at now) {
	switch {
	case e.holds && !e.fp:
		if at.horizon != 0 && e.horizon > at.horizon {
			if e.verdict = w.judge(e, at); !e.holds { // of what it held by, some is beyond the end of the input
				return
			}
		}
		if e.due != 0 && at.clock < e.due {
			if w.due == 0 || e.due < w.due {
				w.due = e.due
			}
			return
		}
		e.fp, w.dirty = true, true
		w.flipped(e)
		w.shown = append(w.shown, e)
	case !e.holds && e.fp:
		w.unfire(e, at)
	}
}

func (w *window) unfire(e *match, at now) {
	e.fp = false
	if e.run != nil {
		e.run.cause = at.cause
		e.run = nil
	}
	w.flipped(e)
	w.dirty, w.full = true, true
}

// tick shows what has fallen due.
func (w *window) tick(at now) {
	if w.due == 0 || at.clock < w.due {
		return
	}
	w.due = 0
	due := w.ms
	if w.index != nil {
		due, w.due = w.index.waits.take(at.clock), w.index.waits.next()
	}
	for _, e := range due {
		if e.waits() {
			w.become(e, e.verdict, at)
		}
	}
}
