// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"bytes"
	"sort"

	"tocsin/rules"
)

// match is one event of a window: all patterns of the rule that it matched.
type match struct {
	ref  rules.EventRef
	bits uint64
	vals []string
	nums []number // those of vals that aggregates read
	// keep is until when the event can meet another: max(time, arrival) + reach + L (C2).
	keep int64
	late bool

	verdict
	// fp is set once the event is a firing point that shows: holds, and past its deadline.
	fp bool
	// run is the detection that the firing point belongs to.
	run *run
	// counted lists the detections that count the event, kept only where late events make it
	// more than a question of intervals.
	counted []*run
}

// newMatch makes a match of an event of the window.
func (w *window) newMatch(ref rules.EventRef, bits uint64, vals []string) *match {
	return &match{
		ref: ref, bits: bits, vals: vals, nums: w.plan.numbers(vals),
		keep: add(max(ref.Time, ref.Arrival), w.plan.reach+w.plan.late),
		late: ref.Arrival > add(ref.Time, w.plan.late),
	}
}

// before orders events by time, then id (W4).
func (m *match) before(o *match) bool {
	if m.ref.Time != o.ref.Time {
		return m.ref.Time < o.ref.Time
	}
	return bytes.Compare(m.ref.ID[:], o.ref.ID[:]) < 0
}

// met reports whether each of two events arrived while the other was still kept. Of events that
// were on time and within reach it is always true; it is what makes the fate of
// late ones a function of their times and arrivals, and not of the order in which the log brings them.
func (m *match) met(o *match) bool {
	return max(m.ref.Arrival, o.ref.Arrival) <= min(m.keep, o.keep)
}

// between returns the part of ms, ordered by time, with times in [from, to].
func between(ms []*match, from, to int64) []*match {
	i := sort.Search(len(ms), func(i int) bool { return ms[i].ref.Time >= from })
	j := i + sort.Search(len(ms)-i, func(j int) bool { return ms[i+j].ref.Time > to })
	return ms[i:j]
}

// add and sub saturate: a time near the end of int64 must not wrap.
func add(a, b int64) int64 {
	if c := a + b; (c > a) == (b > 0) {
		return c
	}
	if b > 0 {
		return 1<<63 - 1
	}
	return -1 << 63
}
