// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/rules"

// carry hands the firing points that came or went in a referenced rule's window to the rule above it.
func (c *cell) carry(w *window, path []int, at now, n *Stats) {
	if w.work == &idle {
		return
	}
	flips := w.flips
	w.flips = nil
	if len(path) == 0 {
		clear(flips)
		w.flips = flips[:0]
		return
	}
	up, last := path[:len(path)-1], path[len(path)-1]
	parent := c.plan.planAt(up)
	bits := parent.feeds[last]
	key := w.key.Part(w.plan.rule.ParentKey)
	for _, e := range flips {
		fires := e.goesUp()
		pw := c.find(parent, key)
		if fires && pw == nil {
			pw = c.window(parent, key)
		}
		if pw == nil {
			if fires {
				n.Capped++
			}
			continue
		}
		c.touch(pw)
		pw.capped = pw.capped || w.capped
		if fires {
			ref := e.ref
			if w.plan.settled {
				// It was not to be known before its deadline, whatever armed it.
				ref.Arrival = max(ref.Arrival, add(ref.Time, w.plan.delay()))
			}
			if pw.put(ref, bits, max(e.barred-1, 0), e.vals[min(len(w.plan.rule.Values), len(e.vals)):], at) {
				n.Negative += pw.negatives(ref.ID)
			}
		} else if !c.firesElsewhere(w, e, key) {
			pw.drop(e.ref.ID, bits, at)
		}
		c.carry(pw, up, at, n)
		c.bound(pw, up, n)
	}
}

// bound drops the oldest matches of a window that has too many (B2).
func (c *cell) bound(w *window, path []int, n *Stats) {
	limit := w.plan.limits.Matches
	if len(w.ms) <= limit {
		return
	}
	c.settleWindow(w, n)
	n.Capped += int64(w.shrink(limit-limit/10)) + int64(w.dropped)
	w.dropped = 0
	c.cap(path, w.key)
}

// goesUp reports whether the event is a match of the rule above: a firing point that no exception of that rule covers (E1).
func (m *match) goesUp() bool { return m.fp && m.barred != 1 }

// firesElsewhere reports whether an event is a firing point of the same referenced rule for
// another key that is part of the same key above.
func (c *cell) firesElsewhere(w *window, e *match, key rules.Key) bool {
	for _, o := range c.windows {
		if o != w && o.plan == w.plan && o.key.Part(o.plan.rule.ParentKey) == key {
			if m := o.find(e.ref.ID); m != nil && m.goesUp() {
				return true
			}
		}
	}
	return false
}

// cap notes that a limit dropped something of a key: the detections of those above it are lower bounds too (B2).
func (c *cell) cap(path []int, key rules.Key) {
	for ; len(path) > 0; path = path[:len(path)-1] {
		key = key.Part(c.plan.planAt(path).rule.ParentKey)
		if w := c.find(c.plan.planAt(path[:len(path)-1]), key); w != nil && !w.capped {
			w.capped, w.dirty, w.full = true, true, true
			c.touch(w)
			c.outdated, c.touched = true, true
		}
	}
}

func splitPath(s string) []int {
	var out []int
	n := 0
	for _, r := range s {
		if r == '/' {
			out = append(out, n)
			n = 0
		} else {
			n = n*10 + int(r-'0')
		}
	}
	return out
}
