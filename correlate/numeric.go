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

func (a reaching) mask() uint64  { return a.bit }
func (a reaching) needs() []need { return counting{a.bit, 1}.needs() }

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

// aggregated compares what a function makes of the numbers of W(e).
type aggregated struct {
	column
	f    rules.Func
	rank rules.Number
	op   rules.Op
	n    rules.Number
}

func (c aggregated) ahead() bool { return false }

func (c aggregated) holds(v *view) bool {
	var t tallied
	for _, m := range v.back {
		x, ok := c.of(m)
		if !ok || c.f == rules.Sum && x.Sign() < 0 {
			continue
		}
		t.count(x, c.n)
		if c.f == rules.Sum || c.f == rules.Avg {
			t.sum.add(x, false)
		}
	}
	if c.f == rules.Sum {
		return c.op.Of(t.sum.compare(c.n, 1))
	}
	return t.n > 0 && c.op.Of(c.compare(&t))
}

// compare orders the aggregate and its threshold.
func (c aggregated) compare(t *tallied) int {
	switch c.f {
	case rules.Avg:
		return t.sum.compare(c.n, t.n)
	case rules.Max:
		return t.ranked(t.n)
	case rules.Min:
		return t.ranked(1)
	case rules.Percentile:
		return t.ranked(nearestRank(c.rank, t.n))
	}
	low, high := t.ranked((t.n+1)/2), t.ranked(t.n/2+1)
	if low < 0 && high > 0 { // the threshold is between the middle two
		var middle total
		middle.add(t.below, false)
		middle.add(t.above, false)
		return middle.compare(c.n, 2)
	}
	if low != 0 {
		return low
	}
	return high
}

// tallied is numbers counted by how they compare with a threshold. Where the r-th of them stands to the threshold takes no
// sorting.
type tallied struct {
	n, less, equal int64
	// below is the greatest number below the threshold, above the least above it.
	below, above rules.Number
	sum          total
}

func (t *tallied) count(x, threshold rules.Number) {
	t.n++
	switch x.Compare(threshold) {
	case -1:
		if t.less == 0 || x.Compare(t.below) > 0 {
			t.below = x
		}
		t.less++
	case 0:
		t.equal++
	default:
		if t.n == t.less+t.equal+1 || x.Compare(t.above) < 0 {
			t.above = x
		}
	}
}

// ranked compares the r-th least of the numbers with the threshold.
func (t *tallied) ranked(r int64) int {
	switch {
	case r <= t.less:
		return -1
	case r <= t.less+t.equal:
		return 0
	}
	return 1
}

// nearestRank is the least r with r >= n × p / 100, which is of the values: the first of them for p = 0.
func nearestRank(p rules.Number, n int64) int64 {
	per := int64(100)
	for e := p.Exp; e < 0; e++ {
		per *= 10
	}
	return max(1, (n*int64(p.Digits)+per-1)/per)
}
