// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
	"sort"
)

// held are the events of a window that hold, by time, then id, for what comes after them and can contradict them. Some
// may have ceased to hold.
type held []*match

// hold notes an event that holds.
func (h *held) hold(m *match) {
	if m.held || !m.holds {
		return
	}
	m.held = true
	*h = slices.Insert(*h, h.place(m), m)
}

func (h held) place(m *match) int {
	return sort.Search(len(h), func(i int) bool { return !h[i].before(m) })
}

// remove lets go of an event that leaves the window.
func (h *held) remove(m *match) {
	if !m.held {
		return
	}
	m.held = false
	if i := h.place(m); i == 0 {
		*h = (*h)[1:]
	} else {
		*h = slices.Delete(*h, i, i+1)
	}
}

// each calls f for those that hold with times in [from, to], and lets go of those that do not after it.
func (h *held) each(from, to int64, f func(*match)) {
	i := sort.Search(len(*h), func(i int) bool { return (*h)[i].ref.Time >= from })
	part := between(*h, from, to)
	kept := part[:0]
	for _, m := range part {
		if m.holds {
			f(m)
		}
		if m.held = m.holds; m.held {
			kept = append(kept, m)
		}
	}
	*h = slices.Delete(*h, i+len(kept), i+len(part))
}
