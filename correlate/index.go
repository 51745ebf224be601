// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/event"

// A window of more events than this has an index; smaller ones are looked through.
const indexed = 4

// index finds the events of a window by id, and knows how many there are by pattern, and by fact.
type index struct {
	byID map[event.ID]*match
	seen []int32
}

func (x *index) note(m *match, n int32) {
	for s := range x.seen {
		if m.bits&(1<<s) != 0 {
			x.seen[s] += n
		}
	}
}

// find returns the event with an id, nil if the window does not have it.
func (w *window) find(id event.ID) *match {
	if w.index != nil {
		return w.index.byID[id]
	}
	for _, m := range w.ms {
		if m.ref.ID == id {
			return m
		}
	}
	return nil
}

// count returns how many events have a bit.
func (w *window) count(bit int) (n int32) {
	if w.index != nil {
		return w.index.seen[bit]
	}
	for _, m := range w.ms {
		if m.bits&(1<<bit) != 0 {
			n++
		}
	}
	return n
}

// enter indexes an event that is in ms, and noted.
func (w *window) enter(m *match) {
	switch {
	case w.index != nil:
		w.index.byID[m.ref.ID] = m
	case len(w.ms) > indexed:
		w.index = &index{byID: make(map[event.ID]*match, 2*indexed), seen: make([]int32, w.plan.facts)}
		for _, m := range w.ms {
			w.index.byID[m.ref.ID] = m
			w.index.note(m, 1)
		}
	}
}

// leave forgets an event that is no longer in ms.
func (w *window) leave(m *match) {
	if w.index != nil {
		delete(w.index.byID, m.ref.ID)
	}
	w.note(m, -1)
}

// shrinkIndex lets go of the index of a window that has become small.
func (w *window) shrinkIndex() {
	if len(w.ms) <= indexed/2 {
		w.index = nil
	}
}
