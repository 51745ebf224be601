// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"math"
	"slices"

	"tocsin/rules"
)

// atom is a positive condition: it holds of a set as soon as it holds of a part of it.
type atom interface {
	// latest returns the latest start from which it still holds of ms, which is ordered by time.
	latest(ms []*match) (start int64, ok bool)
	// mask has the patterns whose events it is made of.
	mask() uint64
	// needs is what it cannot do without.
	needs() []need
}

// tracked is an atom of which a window keeps a tally, so that it need not look at its events to know that they
// are not enough.
type tracked interface {
	atom
	tracker() tracker
}

// tracker follows the events of a window.
type tracker interface {
	// note counts an event that came (n = 1) or went (n = -1).
	note(m *match, n int32)
	// enough reports whether the atom can hold of a part of the window.
	enough() bool
	clear()
}

// tallies are the places of those of an atom: of all of the window, and of a stretch of it.
type tallies struct{ window, slide int }

// need is how many events of a pattern a condition cannot do without.
type need struct {
	pattern int
	events  int32
}

// view is what an event is judged by: W(e), and the events within reach of it that it met.
type view struct {
	w            *window
	e            *match
	back, around []*match
	// timeline has the times of all of w, if all of it met e: what it can answer need not be looked for.
	timeline timeline
}

// comparison is a condition that a further event could make false.
type comparison interface {
	holds(v *view) bool
	// ahead: it is read on what comes after the event (A5).
	ahead() bool
	// mask has the patterns that it reads.
	mask() uint64
}

// guard is an absence beside an event that a positive atom has found.
type guard interface {
	holds(v *view) bool
	// end is up to when it looks; open says that it is judged no further than the input goes (C4).
	end(v *view) (end int64, open bool)
	// mask has the patterns that must be absent, ahead those of them that are looked for after the event.
	mask() uint64
	ahead() uint64
}

// counting holds of n events with a bit.
type counting struct {
	bit uint64
	n   int64
}

func (a counting) latest(ms []*match) (int64, bool) {
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

func (a counting) mask() uint64 { return a.bit }

func (a counting) needs() []need { return []need{{place(a.bit), int32(min(a.n, math.MaxInt32))}} }

// place is the pattern of a bit.
func place(bit uint64) int {
	i := 0
	for bit > 1 {
		bit >>= 1
		i++
	}
	return i
}

// counted compares the number of events with a bit.
type counted struct {
	bit uint64
	op  rules.Op
	n   int64
}

func (c counted) ahead() bool { return lookahead(c.op) }

func (c counted) mask() uint64 { return c.bit }

func (c counted) holds(v *view) bool {
	n := int64(0)
	if v.timeline != nil {
		from, to := v.span(c.op)
		return c.op.Holds(int64(v.timeline.count(c.bit, from, to)), c.n)
	}
	for _, m := range v.of(c.op) {
		if m.bits&c.bit != 0 {
			n++
		}
	}
	return c.op.Holds(n, c.n)
}

// lookahead: fewer than n is read from the event on (A5).
func lookahead(op rules.Op) bool { return op == rules.LT || op == rules.LE }

// span is where a count is read.
func (v *view) span(op rules.Op) (from, to int64) {
	t := v.e.ref.Time
	if lookahead(op) {
		return t, add(t, v.w.plan.t)
	}
	return add(t, -v.w.plan.t), t
}

// of returns the events that a count is read on.
func (v *view) of(op rules.Op) []*match {
	if !lookahead(op) {
		return v.back
	}
	from, to := v.span(op)
	return between(v.around, from, to)
}
