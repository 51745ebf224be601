// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/event"
	"tocsin/rules"
)

// number is a value of a match as aggregates read it; ok is false if it is none.
type number struct {
	rules.Number
	ok bool
}

// numbers reads the values that the aggregates of a rule are about.
func (p *plan) numbers(vals []string) []number {
	if len(p.numeric) == 0 {
		return nil
	}
	out := make([]number, len(p.numeric))
	for i, v := range p.numeric {
		if v < len(vals) {
			out[i].Number, out[i].ok = rules.ReadNumber(vals[v])
		}
	}
	return out
}

// column is the numbers that events with a bit have at a place.
type column struct {
	bit uint64
	at  int
}

func (c column) of(m *match) (rules.Number, bool) {
	if m.bits&c.bit == 0 || !m.nums[c.at].ok {
		return rules.Number{}, false
	}
	return m.nums[c.at].Number, true
}

// addend is of, for a sum: it leaves out what is negative, so that a further event cannot make the sum less.
func (c column) addend(m *match) (rules.Number, bool) {
	n, ok := c.of(m)
	return n, ok && n.Sign() >= 0
}

// negatives counts the values of a new event that sums leave out.
func (w *window) negatives(id event.ID) (n int64) {
	m := w.find(id)
	for _, c := range w.plan.sums {
		if x, ok := c.of(m); ok && x.Sign() < 0 {
			n++
		}
	}
	return n
}

// reaching holds if one of the numbers compares with n: a maximum of at least, or a minimum of at most.
type reaching struct {
	column
	op rules.Op
	n  rules.Number
}

func (a reaching) latest(ms []*match) (int64, bool) {
	for _, m := range slices.Backward(ms) {
		if x, ok := a.of(m); ok && a.op.Of(x.Compare(a.n)) {
			return m.ref.Time, true
		}
	}
	return 0, false
}

func (a reaching) mask() uint64     { return a.bit }
func (a reaching) needs() []need    { return counting{a.bit, 1}.needs() }
func (a reaching) tracker() tracker { return &reachers{reaching: a} }

// reachers counts the numbers that compare so.
type reachers struct {
	reaching
	count int32
}

func (r *reachers) note(m *match, n int32) {
	if x, ok := r.of(m); ok && r.op.Of(x.Compare(r.n)) {
		r.count += n
	}
}

func (r *reachers) enough() bool { return r.count > 0 }
func (r *reachers) clear()       { r.count = 0 }

// summing holds if the numbers add up to n.
type summing struct {
	column
	op rules.Op
	n  rules.Number
}

func (a summing) latest(ms []*match) (int64, bool) {
	var sum total
	for _, m := range slices.Backward(ms) {
		if x, ok := a.addend(m); ok {
			if sum.add(x, false); a.op.Of(sum.compare(a.n, 1)) {
				return m.ref.Time, true
			}
		}
	}
	return 0, false
}

func (a summing) mask() uint64     { return a.bit }
func (a summing) needs() []need    { return counting{a.bit, 1}.needs() }
func (a summing) tracker() tracker { return &sum{summing: a} }

// sum is what the numbers of a window add up to.
type sum struct {
	summing
	total total
}

func (s *sum) note(m *match, n int32) {
	if x, ok := s.addend(m); ok {
		s.total.add(x, n < 0)
	}
}

func (s *sum) enough() bool { return s.op.Of(s.total.compare(s.n, 1)) }
func (s *sum) clear()       { s.total = total{} }
