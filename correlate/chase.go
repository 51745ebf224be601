// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"math"
	"slices"
	"sort"
)

// chase follows a sequence with absences through a window, event by event, so that it need not be looked for anew for
// each of them. Of the ways in which some steps can be served it keeps the one that began last: whatever else is to
// come, no other can be in a window that this one is not in.
//
// It takes events in order of time. When one comes that is older, or one goes, it starts anew.
type chase struct {
	sequence
	t       int64
	reads   uint64
	started bool

	// before[k] is when the last assignment of the first k steps began that nothing has disturbed, as of all before
	// the time at; with[k] the same with what is at that time.
	before, with []int64
	at           int64
	// group is what is at that time, of events that are alike no more than can matter.
	group []*match
	// lead is the last time before at of what must not come before the first step.
	lead int64
	// now is when the last whole assignment began that ends at that time; ended has those that ended before and that
	// nothing has disturbed since, as far as they began later than those that ended before them.
	now   int64
	ended []ending
}

// ending is a whole assignment.
type ending struct{ start, end int64 }

// never is before all times.
const never = math.MinInt64

func newChase(s sequence, t int64) *chase {
	c := &chase{sequence: s, t: t, reads: s.mask() | ordered{s.steps}.mask()}
	c.before, c.with = make([]int64, len(s.steps)), make([]int64, len(s.steps))
	return c
}

// chase returns what follows a sequence, up to the window's last event.
func (w *window) chase(at int) *chase {
	c := w.index.chases[at]
	if !c.started {
		c.start()
		for _, m := range w.ms {
			c.take(m)
		}
	}
	return c
}

// note takes notice of an event that came or went.
func (c *chase) note(m *match, n int32) {
	switch {
	case !c.started || m.bits&c.reads == 0:
	case n < 0 || m.ref.Time < c.at:
		c.started = false
	default:
		c.take(m)
	}
}

func (c *chase) start() {
	c.started = true
	c.at, c.lead, c.now = never, never, never
	for k := range c.before {
		c.before[k], c.with[k] = never, never
	}
	c.group, c.ended = c.group[:0], c.ended[:0]
}

// take takes in an event that is not before those that it had.
func (c *chase) take(m *match) {
	if m.bits&c.reads == 0 {
		return
	}
	if m.ref.Time > c.at {
		c.pass(m.ref.Time)
	}
	alike := 0
	for _, x := range c.group {
		if (x.bits^m.bits)&c.reads == 0 {
			alike++
		}
	}
	if alike > len(c.steps)+2 {
		return // so many can neither serve steps nor be neighbours of what must be absent
	}
	c.group = append(c.group, m)
	if m.bits&c.guards[len(c.steps)] != 0 {
		c.disturb()
	}
	c.serve()
}

// pass goes on to another time.
func (c *chase) pass(t int64) {
	if c.now != never && (len(c.ended) == 0 || c.now > c.ended[len(c.ended)-1].start) {
		c.ended = append(c.ended, ending{c.now, c.at})
	}
	if anyBits(c.group, c.guards[0]) {
		c.lead = c.at
	}
	c.before, c.with = c.with, c.before
	clear(c.group)
	c.group, c.at = c.group[:0], t
}

// disturb ends what must not be followed by what is there now. Those that ended later are disturbed first: what one
// that ended before them makes needless stays so.
func (c *chase) disturb() {
	i := len(c.ended)
	for i > 0 && c.ended[i-1].end >= add(c.at, -c.t) {
		i--
	}
	c.ended = c.ended[:i]
}

// serve works out what there is with the events of the time at.
func (c *chase) serve() {
	n := len(c.steps)
	for k := range c.with {
		c.with[k] = never
	}
	c.now = never
	for k := range n {
		start := c.before[k]
		if k == 0 && (c.guards[0] == 0 || c.lead == never || c.lead < add(c.at, -c.t)) {
			start = c.at
		}
		if start == never {
			continue
		}
		if k > 0 && !anyBits(c.group, c.guards[k]) {
			c.with[k] = max(c.with[k], start)
		}
		for r := 1; r <= len(c.group) && k+r <= n; r++ {
			switch fits := c.fits(c.group, k, k+r); {
			case fits && k+r == n:
				c.now = max(c.now, start)
			case fits:
				c.with[k+r] = max(c.with[k+r], start)
			case !c.guardedWithin(k, k+r):
				r = n // more steps cannot fit where fewer do not
			}
		}
	}
}

// holds reports whether an assignment that nothing disturbs lies in [from, to].
func (c *chase) holds(from, to int64) bool {
	if c.now != never && c.at <= to && c.now >= from {
		return true
	}
	i := sort.Search(len(c.ended), func(i int) bool { return c.ended[i].end > to })
	return i > 0 && c.ended[i-1].start >= from
}

// newChases makes what follows the sequences of a plan.
func newChases(p *plan) []*chase {
	out := make([]*chase, 0, len(p.chased))
	for _, s := range p.chased {
		out = append(out, newChase(s, p.t))
	}
	return slices.Clip(out)
}
