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
		w.rejudge(e, at)
	}
}

// rejudge judges again all events that m can matter to. Those that never met it are left alone: what
// they were judged by may be forgotten already.
func (w *window) rejudge(m *match, at now) {
	t := m.ref.Time
	from := t
	if w.plan.ahead {
		from = add(t, -w.plan.reach)
	}
	for _, e := range between(w.ms, from, add(t, w.plan.reach)) {
		if e != m && !w.plan.met(e, m) {
			continue
		}
		// Of a positive condition the tight window is a shortest suffix: what lies before it neither adds to
		// it nor takes from it.
		if e != m && !w.plan.settled && e.holds && e.start > t {
			continue
		}
		if e == m {
			e.verdict = w.judge(e, at)
			w.show(e, at)
			continue
		}
		w.reconsider(e, at)
	}
}

// reconsider judges an event again.
func (w *window) reconsider(e *match, at now) {
	was, shown := e.verdict, e.fp
	e.verdict = w.judge(e, at)
	w.show(e, at)
	if e.verdict != was || e.fp != shown {
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
		e.fp = true
		w.flipped(e)
		w.dirty = true
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
	for _, e := range w.ms {
		if e.holds && !e.fp {
			w.show(e, at)
			w.full = w.full || e.fp
		}
	}
}
