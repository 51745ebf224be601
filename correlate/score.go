// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/rules"
)

// scoring holds if the weights of the patterns that matched add up to n.
type scoring struct {
	weights []int64
	n       int64
}

func (a scoring) latest(ms []*match) (int64, bool) {
	var seen uint64
	sum := int64(0)
	for _, m := range slices.Backward(ms) {
		if fresh := m.bits & a.mask() &^ seen; fresh != 0 {
			seen |= fresh
			if sum += score(fresh, a.weights); sum >= a.n {
				return m.ref.Time, true
			}
		}
	}
	return 0, false
}

func (a scoring) mask() (mask uint64) {
	for i, w := range a.weights {
		if w != 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// needs: no pattern is needed, some of them are.
func (a scoring) needs() []need { return nil }

func (a scoring) tracker() tracker {
	return &weighed{scoring: a, events: make([]int32, len(a.weights))}
}

// weighed counts the events of a window by pattern.
type weighed struct {
	scoring
	events []int32
	sum    int64
}

func (w *weighed) note(m *match, n int32) {
	for i, weight := range w.weights {
		if m.bits&(1<<i) == 0 {
			continue
		}
		had := w.events[i] > 0
		w.events[i] += n
		switch has := w.events[i] > 0; {
		case has && !had:
			w.sum += weight
		case had && !has:
			w.sum -= weight
		}
	}
}

func (w *weighed) enough() bool { return w.sum >= w.n }

func (w *weighed) clear() {
	clear(w.events)
	w.sum = 0
}

func score(bits uint64, weights []int64) (sum int64) {
	for i, w := range weights {
		if bits&(1<<i) != 0 {
			sum += w
		}
	}
	return sum
}

// scored compares the score of W(e).
type scored struct {
	weights []int64
	op      rules.Op
	n       int64
}

func (c scored) ahead() bool  { return false }
func (c scored) mask() uint64 { return scoring{weights: c.weights}.mask() }

func (c scored) holds(v *view) bool {
	var seen uint64
	for _, m := range v.back {
		seen |= m.bits
	}
	return c.op.Holds(score(seen, c.weights), c.n)
}
