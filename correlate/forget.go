// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
)

// retention is how long after max(time, arrival) an event can still matter: it can meet others
// until reach + L, those it met can be judged again as long after their own, and a firing point that it
// meets can turn up by so much later.
func (p *plan) retention() int64 {
	return 2*(p.reach+p.late) + p.delay() + p.lag + p.hop()
}

// forgetAt is the clock at which m is no longer needed.
func (w *window) forgetAt(m *match) int64 {
	return add(max(m.ref.Time, m.ref.Arrival), w.plan.retention()+1)
}

// uneven reports whether late events are about: then an event in a detection's interval need not count in it.
func (w *window) uneven() bool {
	return w.lates > 0 || len(w.ms) > 0 && w.ms[0].ref.Time <= w.unevenTo
}

// enrolFolded notes what counts in a detection by firing points that are folded away. As long as all came on time
// that is a question of intervals.
func (w *window) enrolFolded() {
	for _, r := range w.runs {
		if !r.folded || r.retracted != nil {
			continue
		}
		for _, m := range between(w.ms, r.from, min(r.to, add(r.last, w.plan.t))) {
			if !slices.Contains(m.counted, r) {
				m.countIn(append(m.counted, r))
			}
		}
	}
}

// forget folds what can no longer matter into its detections and memories, and lets go of what those need no more. The
// runs must be settled.
func (w *window) forget(clock int64) (changed bool) {
	if at := w.lapse(); clock < at {
		return false
	}
	kept, uneven := w.ms[:0], w.uneven()
	for _, m := range w.ms {
		if clock < w.forgetAt(m) || m.holds && !m.fp && clock < m.due {
			kept = append(kept, m)
			continue
		}
		w.fold(m, uneven)
		changed = true
	}
	clear(w.ms[len(kept):])
	w.ms = kept
	w.shrinkIndex()
	w.sweepRuns()
	for _, x := range w.memories {
		changed = x.forget(clock) || changed
	}
	return changed
}

// shrink folds the oldest events away until n are left (B2).
func (w *window) shrink(n int) (dropped int) {
	dropped = len(w.ms) - n
	uneven := w.uneven()
	for _, m := range w.ms[:dropped] {
		w.fold(m, uneven)
	}
	rest := copy(w.ms, w.ms[dropped:])
	clear(w.ms[rest:])
	w.ms = w.ms[:rest]
	w.capped, w.dirty, w.full = true, true, true // its detections are told to say so
	return dropped
}

// fold moves one event out of the window into the detections that count it.
func (w *window) fold(m *match, uneven bool) {
	for _, r := range w.runs {
		if w.plan.alone && m.run == r || !w.plan.alone && r.counts(m, uneven) {
			r.fold(m)
		}
	}
	for _, x := range w.memories {
		w.dropped += int32(x.fold(m))
	}
	if m.late && m.fp {
		w.unevenTo = max(w.unevenTo, add(m.ref.Time, w.plan.t))
	}
	w.leave(m)
}

// wake is the next clock at which the window has something to do, 0 if never.
func (w *window) wake() int64 {
	if at := w.lapse(); w.due == 0 || at != 0 && at < w.due {
		return at
	}
	return w.due
}

// lapse is the next clock at which the window has something to forget, 0 if it has nothing that will be. Forgetting lags:
// it is batched so that a busy window is not swept on every tick.
func (w *window) lapse() int64 {
	next := int64(0)
	for _, m := range w.ms[:min(1, len(w.ms))] {
		at := add(w.forgetAt(m), w.plan.retention()/4)
		if next == 0 || at < next {
			next = at
		}
	}
	for _, x := range w.memories {
		if at := x.wake(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// fleeting reports whether windows need no memory: each event stands alone and nothing can take it
// back; the chain knows the detections, and with them the events, that it has had.
func (p *plan) fleeting() bool {
	return p.alone && len(p.children) == 0 && len(p.memories) == 0
}

func (w *window) empty() bool {
	for _, x := range w.memories {
		if !x.empty() {
			return false
		}
	}
	return len(w.ms) == 0 && len(w.runs) == 0
}
