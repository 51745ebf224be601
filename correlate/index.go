// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/event"

// A window of more events than this has an index; smaller ones are looked through.
const indexed = 4

// index finds the events of a window by id, and knows how many there are by pattern, and by fact.
type index struct {
	byID map[event.ID]*match
	seen []int32
	// What only windows of settled conditions have.
	times  timeline
	chases []*chase
	slides []*slide
	waits  waits
	held   held
}

func newIndex(p *plan) *index {
	x := &index{byID: make(map[event.ID]*match, 2*indexed), seen: make([]int32, p.facts)}
	if p.settled {
		x.times, x.chases, x.slides = make(timeline, p.facts), newChases(p), newSlides(p)
	}
	return x
}

func (x *index) note(m *match, n int32) {
	for s := range x.seen {
		if m.bits&(1<<s) != 0 {
			x.seen[s] += n
		}
	}
	x.times.note(m, n)
	for _, c := range x.chases {
		c.note(m, n)
	}
	for _, s := range x.slides {
		s.note(m, n)
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
		w.index.stand(m)
	case len(w.ms) > indexed:
		w.index = newIndex(w.plan)
		for _, m := range w.ms {
			w.index.byID[m.ref.ID] = m
			w.index.note(m, 1)
			w.index.stand(m)
		}
	}
}

// stand notes how an event stands.
func (x *index) stand(m *match) {
	if x.times == nil {
		return
	}
	x.held.hold(m)
	if m.waits() {
		x.waits.add(m)
	}
}

// release ends what events are noted for.
func (x *index) release() {
	for _, w := range x.waits {
		w.m.place = 0
	}
	for _, m := range x.held {
		m.held = false
	}
}

// leave forgets an event that is no longer in ms.
func (w *window) leave(m *match) {
	if w.index != nil {
		delete(w.index.byID, m.ref.ID)
		w.index.waits.remove(m)
		w.index.held.remove(m)
	}
	w.note(m, -1)
}

// shrinkIndex lets go of the index of a window that has become small.
func (w *window) shrinkIndex() {
	if w.index != nil && len(w.ms) <= indexed/2 {
		w.index.release()
		w.index = nil
	}
}
