// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"math/bits"
	"slices"
	"sort"
)

// timeline has the times of a window's events by pattern, in order: what a settled condition asks again and again is
// found there without looking at the events. It is for windows that have an index.
type timeline [][]int64

// timeline returns that of the window, nil if it has none, or late events are about: they did not meet all others.
func (w *window) timeline() timeline {
	if w.index == nil || w.lates > 0 {
		return nil
	}
	return w.index.times
}

// note adds an event, or takes it away.
func (t timeline) note(m *match, n int32) {
	at := m.ref.Time
	for b := range t {
		if m.bits&(1<<b) == 0 {
			continue
		}
		s := t[b]
		switch i := len(s); {
		case n > 0 && (i == 0 || s[i-1] <= at):
			t[b] = append(s, at)
		case n > 0:
			t[b] = slices.Insert(s, until(s, at), at)
		case s[0] == at:
			t[b] = s[1:]
		default:
			i = before(s, at)
			t[b] = slices.Delete(s, i, i+1)
		}
	}
}

// before and until return how many of s are before t, and not after it.
func before(s []int64, t int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i] >= t })
}

func until(s []int64, t int64) int { return sort.Search(len(s), func(i int) bool { return s[i] > t }) }

// count is how many events with a bit there are in [from, to].
func (t timeline) count(bit uint64, from, to int64) int {
	s := t[place(bit)]
	return max(0, until(s, to)-before(s, from))
}

// latest is from where on there are n events with a bit up to a time.
func (t timeline) latest(bit uint64, n, from, to int64) (int64, bool) {
	s := t[place(bit)]
	i := until(s, to)
	if int64(i) < n || s[i-int(n)] < from {
		return 0, false
	}
	return s[i-int(n)], true
}

// last is the time of the last event with one of the bits in [from, to].
func (t timeline) last(mask uint64, from, to int64) (last int64, ok bool) {
	for ; mask != 0; mask &= mask - 1 {
		s := t[bits.TrailingZeros64(mask)]
		if i := until(s, to); i > 0 && s[i-1] >= from && (!ok || s[i-1] > last) {
			last, ok = s[i-1], true
		}
	}
	return last, ok
}

// latest is from where on an atom holds of W(e).
func (v *view) latest(a atom) (int64, bool) {
	if c, ok := a.(counting); ok && v.timeline != nil {
		return v.timeline.latest(c.bit, c.n, add(v.e.ref.Time, -v.w.plan.t), v.e.ref.Time)
	}
	return a.latest(v.back)
}

// occurs reports whether an event around e with one of the bits has its time in [from, to].
func (v *view) occurs(bits uint64, from, to int64) bool {
	if v.timeline != nil {
		_, ok := v.timeline.last(bits, from, to)
		return ok
	}
	return occurs(v.around, bits, from, to)
}

// near reports whether an atom holds of what is around e in [from, to].
func (v *view) near(a atom, at tallies, from, to int64) bool {
	if !v.w.enough(a, at.window) {
		return false
	}
	if v.timeline != nil {
		if at.slide >= 0 {
			return v.w.slide(at.slide, from, to).(tracker).enough()
		}
		for _, n := range a.needs() {
			if v.timeline.count(1<<n.pattern, from, to) < int(n.events) {
				return false
			}
		}
		if _, ok := a.(counting); ok {
			return true // it needs no more
		}
	}
	_, holds := a.latest(between(v.around, from, to))
	return holds
}
