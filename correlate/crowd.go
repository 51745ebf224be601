// SPDX-License-Identifier: Apache-2.0

package correlate

import "container/heap"

// manyWindows is up to how many windows of a cell are all looked at: those of a key, and of a rule that it refers to.
const manyWindows = 2

// windowKey is what tells the windows of a cell apart.
type windowKey struct{ path, key string }

// crowd is what a cell of many windows has, so that an entry costs what it touches and not what there is.
type crowd struct {
	members map[windowKey]*member
	touched []*window
	alarms  alarms
}

// member is a window of a crowd.
type member struct {
	window *window
	place  int   // among the cell's windows
	woken  int64 // the alarm that counts, 0 if there is none
}

func (x *crowd) of(w *window) *member { return x.members[windowKey{w.plan.path, string(w.key)}] }

func (x *crowd) join(w *window, place int) {
	x.members[windowKey{w.plan.path, string(w.key)}] = &member{window: w, place: place}
}

// leave returns the place that becomes free.
func (x *crowd) leave(w *window) int {
	m := x.of(w)
	m.woken = 0
	delete(x.members, windowKey{w.plan.path, string(w.key)})
	return m.place
}

// touch notes that a window changes.
func (c *cell) touch(w *window) {
	if x := c.crowd; x != nil && (len(x.touched) == 0 || x.touched[len(x.touched)-1] != w) {
		x.touched = append(x.touched, w)
	}
}

// busy returns the windows that may have changed, some perhaps twice.
func (c *cell) busy() []*window {
	if c.crowd != nil {
		return c.crowd.touched
	}
	return c.windows
}

// rest ends what busy returns.
func (c *cell) rest() {
	if c.crowd != nil {
		clear(c.crowd.touched)
		c.crowd.touched = c.crowd.touched[:0]
	}
}

// arm sets the alarms of windows that have changed. One that rings too early is harmless.
func (c *cell) arm(ws []*window) {
	if c.crowd == nil {
		return
	}
	for _, w := range ws {
		m := c.crowd.of(w)
		if m == nil || m.window != w {
			continue // it has gone
		}
		if at := w.wake(); at != 0 && (m.woken == 0 || at < m.woken) {
			m.woken = at
			heap.Push(&c.crowd.alarms, alarm{at, m})
		}
	}
}

// awake returns the windows that may have something to do, and takes their alarms away.
func (c *cell) awake(clock int64) []*window {
	if c.crowd == nil {
		return c.windows
	}
	var out []*window
	for at := c.crowd.next(); at != 0 && at <= clock; at = c.crowd.next() {
		m := heap.Pop(&c.crowd.alarms).(alarm).member
		m.woken = 0
		out = append(out, m.window)
	}
	return out
}

// next is the first alarm, 0 if there is none.
func (x *crowd) next() int64 {
	for len(x.alarms) > 0 && x.alarms[0].at != x.alarms[0].member.woken {
		heap.Pop(&x.alarms)
	}
	if len(x.alarms) == 0 {
		return 0
	}
	return x.alarms[0].at
}

// wake is the next clock at which the cell has something to do, 0 if never.
func (c *cell) wake() int64 {
	next := int64(0)
	sooner := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if c.chain != nil {
		sooner(c.chain.Wake())
	}
	if c.crowd != nil {
		sooner(c.crowd.next())
		return next
	}
	for _, w := range c.windows {
		sooner(w.wake())
	}
	return next
}

// alarm says when a window has something to do.
type alarm struct {
	at     int64
	member *member
}

// alarms is a heap. Those of one time are taken together and sorted then.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = alarm{}
	*a = old[:len(old)-1]
	return x
}
