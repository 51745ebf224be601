// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/rules"

// aggregated compares what a function makes of the numbers of W(e).
type aggregated struct {
	column
	f    rules.Func
	rank rules.Number
	op   rules.Op
	n    rules.Number
	at   int // the place of its tally
}

func (c aggregated) ahead() bool  { return false }
func (c aggregated) mask() uint64 { return c.bit }

func (c aggregated) holds(v *view) bool {
	t := &tallied{aggregated: c}
	if v.timeline != nil {
		t = v.w.slide(c.at, add(v.e.ref.Time, -v.w.plan.t), v.e.ref.Time).(*tallied)
	} else {
		for _, m := range v.back {
			t.note(m, 1)
		}
	}
	if c.f == rules.Sum {
		return c.op.Of(t.sum.compare(c.n, 1))
	}
	return t.n > 0 && c.op.Of(t.compare(v.back))
}

// tallied is numbers counted by how they compare with the threshold of an aggregate. Where the r-th of them stands to it
// takes no sorting.
type tallied struct {
	aggregated
	n, less, equal int64
	sum            total
}

func (t *tallied) note(m *match, n int32) {
	x, ok := t.of(m)
	if !ok || t.f == rules.Sum && x.Sign() < 0 {
		return
	}
	t.n += int64(n)
	switch x.Compare(t.aggregated.n) {
	case -1:
		t.less += int64(n)
	case 0:
		t.equal += int64(n)
	}
	if t.f == rules.Sum || t.f == rules.Avg {
		t.sum.add(x, n < 0)
	}
}

func (t *tallied) clear() { *t = tallied{aggregated: t.aggregated} }

// compare orders the aggregate of what is counted, which are those of ms, and its threshold.
func (t *tallied) compare(ms []*match) int {
	c := &t.aggregated
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
		return c.middle(ms)
	}
	if low != 0 {
		return low
	}
	return high
}

// middle compares the mean of the greatest number below the threshold and the least above it with the threshold.
func (c *aggregated) middle(ms []*match) int {
	var below, above rules.Number
	var less, more bool
	for _, m := range ms {
		x, ok := c.of(m)
		if !ok {
			continue
		}
		switch order := x.Compare(c.n); {
		case order < 0 && (!less || x.Compare(below) > 0):
			below, less = x, true
		case order > 0 && (!more || x.Compare(above) < 0):
			above, more = x, true
		}
	}
	var mean total
	mean.add(below, false)
	mean.add(above, false)
	return mean.compare(c.n, 2)
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
