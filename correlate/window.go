// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"tocsin/event"
	"tocsin/rules"
)

// window is the state that one rule keeps for one key: the events that can still
// matter, each judged, and the detections that they make.
type window struct {
	plan *plan
	path string // encoded path of children from the top-level rule
	key  rules.Key

	ms    []*match // by time, then id
	byID  map[event.ID]*match
	lates int // how many of ms came late
	// unevenTo is up to where a late firing point that was folded away still decides what is counted.
	unevenTo int64
	seen     []int32 // events in ms by pattern, and by fact
	memories []memory
	limits   Limits
	// trackers follow ms: first those of the plan's, then memories.
	trackers []tracker
	view     view
	runs     []*run

	flips   []*match // events that became or ceased to be firing points
	due     int64    // least deadline of an event that holds and does not show, 0 if none
	dirty   bool     // runs are behind ms
	tail    []*match // all that changed since they were settled is that these came, in order, at the end
	full    bool     // more than that changed
	capped  bool     // a limit dropped something
	dropped int      // what limits of memories dropped, to be counted
}

func newWindow(p *plan, path string, key rules.Key, lim Limits) *window {
	w := &window{
		plan: p, path: path, key: key, limits: lim, byID: make(map[event.ID]*match), unevenTo: math.MinInt64,
		seen: make([]int32, p.facts),
	}
	for _, r := range p.memories {
		m := r.memory(w)
		w.memories = append(w.memories, m)
		if t, ok := m.(tracker); ok {
			w.trackers = append(w.trackers, t)
		}
	}
	for _, a := range p.trackers {
		w.trackers = append(w.trackers, a.tracker())
	}
	return w
}

// now is what judging needs to know of the present: the clock, the end of the input (0 while it goes
// on), and the event that is being taken in.
type now struct {
	clock, horizon int64
	cause          string
}

// put adds an event's patterns. Of copies of one event the one that arrived first counts (W2).
// It reports whether anything was new.
func (w *window) put(ref rules.EventRef, bits uint64, vals []string, at now) bool {
	old := w.byID[ref.ID]
	if old != nil {
		earlier := cmp.Or(cmp.Compare(ref.Arrival, old.ref.Arrival), cmp.Compare(ref.Time, old.ref.Time),
			slices.Compare(vals, old.vals)) < 0
		if bits&^old.bits == 0 && !earlier {
			return false
		}
		bits |= old.bits & w.plan.own
		if !earlier {
			ref, vals = old.ref, old.vals
		}
		w.full = true
		w.take(old)
	}
	m := w.newMatch(ref, bits, vals)
	if old != nil && old.fp {
		m.fp, m.run, m.verdict = true, old.run, old.verdict // the same event, better known
		w.flips = append(w.flips, m)
	}
	if m.late && !w.uneven() {
		w.enrolFolded()
	}
	i := sort.Search(len(w.ms), func(i int) bool { return m.before(w.ms[i]) })
	w.ms = append(w.ms, nil)
	copy(w.ms[i+1:], w.ms[i:])
	w.ms[i] = m
	w.byID[ref.ID] = m
	w.note(m, 1)
	one, around := w.stir(m)
	w.rejudge(m, at)
	if old != nil {
		w.rejudge(old, at) // after it is replaced: nothing is taken back because of a copy
	}
	w.rejudgeMore(one, around, at)
	w.dirty = true
	if w.full = w.full || i != len(w.ms)-1 || w.uneven() || w.plan.alone; !w.full {
		w.tail = append(w.tail, m)
	}
	return true
}

// drop removes patterns of an event: a firing point of a referenced rule that ceased to be.
func (w *window) drop(id event.ID, bits uint64, at now) {
	m := w.byID[id]
	if m == nil || m.bits&bits == 0 {
		return
	}
	w.full = true
	w.note(m, -1)
	m.bits &= w.plan.own &^ bits
	w.note(m, 1)
	if m.bits == 0 {
		w.take(m)
		if m.fp {
			w.unfire(m, at)
		}
	}
	one, around := w.stir(m)
	w.rejudge(m, at)
	w.rejudgeMore(one, around, at)
	w.dirty = true
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

// take removes an event from the window.
func (w *window) take(m *match) {
	i := sort.Search(len(w.ms), func(i int) bool { return !w.ms[i].before(m) })
	w.ms = append(w.ms[:i], w.ms[i+1:]...)
	delete(w.byID, m.ref.ID)
	w.note(m, -1)
}

// note counts an event that came or went.
func (w *window) note(m *match, n int32) {
	if m.late {
		w.lates += int(n)
	}
	for s := range w.seen {
		if m.bits&(1<<s) != 0 {
			w.seen[s] += n
		}
	}
	for _, t := range w.trackers {
		t.note(m, n)
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
		if e != m && !e.met(m) {
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
		w.flips = append(w.flips, e)
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
	w.flips = append(w.flips, e)
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

// retention is how long after max(time, arrival) an event can still matter: it can meet others
// until reach + L, those it met can be judged again as long after their own, and a firing point that it
// meets can turn up by so much later.
func (w *window) retention() int64 {
	return 2*(w.plan.reach+w.plan.late) + w.plan.delay() + w.plan.lag + w.plan.hop()
}

// forgetAt is the clock at which m is no longer needed.
func (w *window) forgetAt(m *match) int64 {
	return add(max(m.ref.Time, m.ref.Arrival), w.retention()+1)
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
				m.counted = append(m.counted, r)
			}
		}
	}
}

// forget folds what can no longer matter into its detections and memories, and lets go of what those need no more. The
// runs must be settled.
func (w *window) forget(clock int64) (changed bool) {
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
	w.capped = true
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
		w.dropped += x.fold(m)
	}
	if m.late && m.fp {
		w.unevenTo = max(w.unevenTo, add(m.ref.Time, w.plan.t))
	}
	delete(w.byID, m.ref.ID)
	w.note(m, -1)
}

// wake is the next clock at which the window has something to do, 0 if never. Forgetting may lag: it
// is batched so that a busy window is not swept on every tick.
func (w *window) wake() int64 {
	next := w.due
	for _, m := range w.ms[:min(1, len(w.ms))] {
		at := add(w.forgetAt(m), w.retention()/4)
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

// fleeting reports whether the window needs no memory: each event stands alone and nothing can take it
// back; the chain knows the detections, and with them the events, that it has had.
func (w *window) fleeting() bool {
	return w.plan.alone && len(w.plan.children) == 0 && len(w.plan.memories) == 0
}

// clear forgets everything of a fleeting window.
func (w *window) clear() {
	clear(w.byID)
	clear(w.seen)
	for _, t := range w.trackers {
		t.clear()
	}
	w.tail, w.full = nil, false
	w.ms, w.runs, w.flips, w.lates, w.unevenTo, w.due = nil, nil, nil, 0, math.MinInt64, 0
}

func (w *window) empty() bool {
	for _, x := range w.memories {
		if !x.empty() {
			return false
		}
	}
	return len(w.ms) == 0 && len(w.runs) == 0
}
