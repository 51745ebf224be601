// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"bytes"
	"cmp"
	"sort"

	"tocsin/event"
	"tocsin/rules"
)

// match is one event of a window: all patterns of the rule that it matched.
type match struct {
	ref  rules.EventRef
	bits uint64
	// run is the detection that the firing point belongs to.
	run *run
	*details

	verdict
	late bool
	// fp is set once the event is a firing point that shows: holds, and past its deadline.
	fp   bool
	held bool
	// barred is how many references up the rule is that leaves the event out, 0 if none does ([rules.Match]); a rule has 100 of
	// them at the most.
	barred int8
	// place is 1 + where it stands among those that wait, 0 if it does not.
	place int32
}

// details are what few events have.
type details struct {
	vals []string
	nums []number // those of vals that aggregates read
	// counted lists the detections that count the event, kept only where late events make it
	// more than a question of intervals.
	counted []*run
}

// plain are the details of an event that has none; they are never written.
var plain details

func newDetails(p *plan, vals []string) *details {
	if len(vals) == 0 {
		return &plain
	}
	return &details{vals: vals, nums: p.numbers(vals)}
}

// countIn sets the detections that count the event.
func (m *match) countIn(runs []*run) {
	if m.details == &plain {
		if len(runs) == 0 {
			return
		}
		m.details = new(details)
	}
	m.counted = runs
}

// newMatch makes a match of an event of the window.
func (w *window) newMatch(ref rules.EventRef, bits uint64, barred int8, vals []string) *match {
	return &match{
		ref: ref, bits: bits, barred: barred, details: newDetails(w.plan, vals),
		late: ref.Arrival > add(ref.Time, w.plan.late),
	}
}

// before orders events by time, then id (W4).
func (m *match) before(o *match) bool { return m.compare(o) < 0 }

func (m *match) compare(o *match) int {
	if m.ref.Time != o.ref.Time {
		return cmp.Compare(m.ref.Time, o.ref.Time)
	}
	return bytes.Compare(m.ref.ID[:], o.ref.ID[:])
}

// keep is until when an event can meet another: max(time, arrival) + reach + L (C2).
func (p *plan) keep(m *match) int64 {
	return add(max(m.ref.Time, m.ref.Arrival), p.reach+p.late)
}

// met reports whether each of two events arrived while the other was still kept. Of events that
// were on time and within reach it is always true; it is what makes the fate of
// late ones a function of their times and arrivals, and not of the order in which the log brings them.
func (p *plan) met(m, o *match) bool {
	return max(m.ref.Arrival, o.ref.Arrival) <= min(p.keep(m), p.keep(o))
}

// between returns the part of ms, ordered by time, with times in [from, to].
func between(ms []*match, from, to int64) []*match {
	i := sort.Search(len(ms), func(i int) bool { return ms[i].ref.Time >= from })
	j := i + sort.Search(len(ms)-i, func(j int) bool { return ms[i+j].ref.Time > to })
	return ms[i:j]
}

func add(a, b int64) int64 { return event.Plus(a, b) }

func sub(a, b int64) int64 { return event.Minus(a, b) }
