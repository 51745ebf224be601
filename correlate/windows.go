// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"

	"tocsin/rules"
)

// planAt follows a path of children.
func (p *plan) planAt(path []int) *plan {
	for _, i := range path {
		if i < 0 || i >= len(p.children) {
			return nil
		}
		p = p.children[i]
	}
	return p
}

// admits reports whether there is a window of a plan and key, or room for one. A cell that is yet to be made has none.
func (c *cell) admits(p *plan, key rules.Key) bool {
	return p == nil || p.windows < p.limits.Keys || c != nil && c.find(p, key) != nil
}

// find returns the window of a plan and key, nil if there is none.
func (c *cell) find(p *plan, key rules.Key) *window {
	if c.crowd != nil {
		if m := c.crowd.members[windowKey{p.path, string(key)}]; m != nil {
			return m.window
		}
		return nil
	}
	for _, w := range c.windows {
		if w.plan == p && w.key == key {
			return w
		}
	}
	return nil
}

// window returns the window of a plan and key, to be changed: a new one if there is none, nil if its rule has as many
// keys as it may (B2).
func (c *cell) window(p *plan, key rules.Key) *window {
	w := c.find(p, key)
	if w == nil {
		if p.windows >= p.limits.Keys {
			return nil
		}
		w = c.open(p, key)
	}
	c.touch(w)
	return w
}

// open adds a window.
func (c *cell) open(p *plan, key rules.Key) *window {
	if key == c.group {
		key = c.group // one string for both
	}
	w := newWindow(p, key)
	p.windows++
	c.windows = append(c.windows, w)
	if c.crowd != nil {
		c.crowd.join(w, len(c.windows)-1)
	} else if len(c.windows) > manyWindows {
		c.crowd = &crowd{members: make(map[windowKey]*member, 2*manyWindows)}
		for i, w := range c.windows {
			c.crowd.join(w, i)
			c.touch(w)
		}
	}
	return w
}

// remove lets go of a window.
func (c *cell) remove(w *window) {
	last := len(c.windows) - 1
	if c.crowd == nil {
		c.windows[slices.Index(c.windows, w)] = c.windows[last]
	} else if i := c.crowd.leave(w); i != last {
		c.windows[i] = c.windows[last]
		c.crowd.of(c.windows[i]).place = i
	}
	c.windows[last] = nil
	c.windows = c.windows[:last]
	c.outdated = true
	w.plan.windows--
	if last == 0 {
		c.windows, c.crowd = nil, nil
	}
}

// removeAll lets go of all windows.
func (c *cell) removeAll() {
	for len(c.windows) > 0 {
		c.remove(c.windows[len(c.windows)-1])
	}
}

// sorted returns windows in an order of their own.
func sorted(ws []*window) []*window {
	ws = slices.Clone(ws)
	slices.SortFunc(ws, (*window).compare)
	return slices.Compact(ws)
}

func (w *window) compare(o *window) int {
	return cmp.Or(cmp.Compare(w.plan.path, o.plan.path), cmp.Compare(w.key, o.key))
}
