// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"container/heap"
	"slices"
)

// waits are the events of a window that hold and wait for their deadline, as a heap: a tick looks at those whose time has
// come. One that does not hold any more stays until then.
type waits []wait

// wait is an event that waits, and for what: its deadline may have become a later one since.
type wait struct {
	due int64
	m   *match
}

// waits reports whether the event holds and is not shown.
func (m *match) waits() bool { return m.holds && !m.fp }

// add has an event wait for its deadline.
func (w *waits) add(m *match) {
	switch {
	case m.place == 0:
		heap.Push(w, wait{m.due, m})
	case m.due < (*w)[m.place-1].due:
		(*w)[m.place-1].due = m.due
		heap.Fix(w, int(m.place-1))
	}
}

func (w *waits) remove(m *match) {
	if m.place != 0 {
		heap.Remove(w, int(m.place-1))
	}
}

// take returns the events whose time has come, in their order.
func (w *waits) take(clock int64) []*match {
	var out []*match
	for len(*w) > 0 && (*w)[0].due <= clock {
		if m := heap.Pop(w).(wait).m; m.waits() {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, (*match).compare)
	return out
}

// next is the first deadline, 0 if there is none.
func (w waits) next() int64 {
	if len(w) == 0 {
		return 0
	}
	return w[0].due
}

func (w waits) Len() int           { return len(w) }
func (w waits) Less(i, j int) bool { return w[i].due < w[j].due }

func (w waits) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].m.place, w[j].m.place = int32(i+1), int32(j+1)
}

func (w *waits) Push(x any) {
	*w = append(*w, x.(wait))
	x.(wait).m.place = int32(len(*w))
}

func (w *waits) Pop() any {
	old := *w
	x := old[len(old)-1]
	x.m.place = 0
	old[len(old)-1] = wait{}
	*w = old[:len(old)-1]
	return x
}
