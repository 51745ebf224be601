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
// matter, each judged, and the detections that they make. There may be millions: what only some
// have, or have for a moment, is apart.
type window struct {
	plan *plan
	key  rules.Key

	ms    []*match // by time, then id
	runs  []*run
	index *index // nil while the window is small
	*followers
	*work

	// unevenTo is up to where a late firing point that was folded away still decides what is counted.
	unevenTo int64
	due      int64 // least deadline of an event that holds and does not show, 0 if none
	lates    int32 // how many of ms came late
	dropped  int32 // what limits of memories dropped, to be counted
	dirty    bool  // runs are behind ms
	full     bool  // more changed than that events came in order, at the end, and firing points showed
	capped   bool  // a limit dropped something
}

// followers follow the events of a window.
type followers struct {
	memories []memory
	// trackers are first those of the plan's atoms, then memories.
	trackers []tracker
}

// work is what a window has between an entry and its being settled.
type work struct {
	flips []*match // events that became or ceased to be firing points
	tail  []*match // events that came in order, at the end
	shown []*match // events that became firing points
}

// What most windows have; neither is ever written.
var (
	nobody followers
	idle   work
)

func newWindow(p *plan, key rules.Key) *window {
	w := &window{plan: p, key: key, followers: &nobody, work: &idle, unevenTo: math.MinInt64}
	if len(p.memories)+len(p.trackers) == 0 {
		return w
	}
	w.followers = new(followers)
	for _, a := range p.trackers {
		w.trackers = append(w.trackers, a.tracker())
	}
	for _, r := range p.memories {
		m := r.memory(w)
		w.memories = append(w.memories, m)
		if t, ok := m.(tracker); ok {
			w.trackers = append(w.trackers, t)
		}
	}
	return w
}

// begin gives the window something to note work in.
func (w *window) begin() *work {
	if w.work == &idle {
		if n := len(w.plan.spare); n > 0 {
			w.work, w.plan.spare = w.plan.spare[n-1], w.plan.spare[:n-1]
		} else {
			w.work = new(work)
		}
	}
	return w.work
}

// rest ends the work: all of it is done.
func (w *window) rest() {
	if w.work == &idle {
		return
	}
	clear(w.flips)
	clear(w.tail)
	clear(w.shown)
	w.flips, w.tail, w.shown = w.flips[:0], w.tail[:0], w.shown[:0]
	w.plan.spare = append(w.plan.spare, w.work)
	w.work = &idle
}

func (w *window) flipped(m *match) {
	x := w.begin()
	x.flips = append(x.flips, m)
}

// put adds an event's patterns. Of copies of one event the one that arrived first counts (W2).
// It reports whether anything was new.
func (w *window) put(ref rules.EventRef, bits uint64, barred int8, vals []string, at now) bool {
	old := w.find(ref.ID)
	if old != nil {
		earlier := cmp.Or(cmp.Compare(ref.Arrival, old.ref.Arrival), cmp.Compare(ref.Time, old.ref.Time),
			slices.Compare(vals, old.vals)) < 0
		if bits&^old.bits == 0 && !earlier {
			return false
		}
		bits |= old.bits & w.plan.own
		if !earlier {
			ref, barred, vals = old.ref, old.barred, old.vals
		}
		w.full = true
		w.take(old)
	}
	m := w.newMatch(ref, bits, barred, vals)
	if old != nil && old.fp {
		m.fp, m.run, m.verdict = true, old.run, old.verdict // the same event, better known
		w.flipped(m)
	}
	if m.late && !w.uneven() {
		w.enrolFolded()
	}
	i := sort.Search(len(w.ms), func(i int) bool { return m.before(w.ms[i]) })
	w.ms = append(w.ms, nil)
	copy(w.ms[i+1:], w.ms[i:])
	w.ms[i] = m
	w.note(m, 1)
	w.enter(m)
	one, around := w.stir(m)
	w.rejudge(m, at, old == nil)
	if old != nil {
		w.rejudge(old, at, false) // after it is replaced: nothing is taken back because of a copy
	}
	w.rejudgeMore(one, around, at)
	w.dirty = true
	if w.full = w.full || m.ref.Time != w.ms[len(w.ms)-1].ref.Time || w.uneven() || w.plan.alone; !w.full {
		x := w.begin()
		x.tail = append(x.tail, m)
	}
	return true
}

// drop removes patterns of an event: a firing point of a referenced rule that ceased to be.
func (w *window) drop(id event.ID, bits uint64, at now) {
	m := w.find(id)
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
	w.rejudge(m, at, false)
	w.rejudgeMore(one, around, at)
	w.dirty = true
}

// take removes an event from the window.
func (w *window) take(m *match) {
	i := sort.Search(len(w.ms), func(i int) bool { return !w.ms[i].before(m) })
	w.ms = append(w.ms[:i], w.ms[i+1:]...)
	w.leave(m)
}

// note counts an event that came or went.
func (w *window) note(m *match, n int32) {
	if m.late {
		w.lates += n
	}
	if w.index != nil {
		w.index.note(m, n)
	}
	for _, t := range w.trackers {
		t.note(m, n)
	}
}
