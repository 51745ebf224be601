// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"

	"tocsin/rules"
)

// windowKey is what tells the windows of a cell apart.
type windowKey struct{ path, key string }

// manyWindows is from when on the windows of a cell are looked up by key.
const manyWindows = 8

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

// find returns the window of a plan and key, nil if there is none.
func (c *cell) find(p *plan, key rules.Key) *window {
	if c.byKey != nil {
		return c.byKey[windowKey{p.path, string(key)}]
	}
	for _, w := range c.windows {
		if w.plan == p && w.key == key {
			return w
		}
	}
	return nil
}

func (c *cell) window(p *plan, key rules.Key) *window {
	w := c.find(p, key)
	if w != nil {
		return w
	}
	if key == c.group {
		key = c.group // one string for both
	}
	w = newWindow(p, key)
	c.windows = append(c.windows, w)
	switch {
	case c.byKey != nil:
		c.byKey[windowKey{p.path, string(key)}] = w
	case len(c.windows) > manyWindows:
		c.byKey = make(map[windowKey]*window, 2*manyWindows)
		for _, w := range c.windows {
			c.byKey[windowKey{w.plan.path, string(w.key)}] = w
		}
	}
	return w
}

// retain lets go of the windows that keep does not want.
func (c *cell) retain(keep func(*window) bool) {
	kept := c.windows[:0]
	for _, w := range c.windows {
		if keep(w) {
			kept = append(kept, w)
		} else {
			delete(c.byKey, windowKey{w.plan.path, string(w.key)})
			c.outdated = true
		}
	}
	clear(c.windows[len(kept):])
	c.windows = kept
	if len(kept) == 0 {
		c.windows, c.byKey = nil, nil
	}
}

// sorted returns windows in an order of their own.
func sorted(ws []*window) []*window {
	ws = slices.Clone(ws)
	slices.SortFunc(ws, func(a, b *window) int {
		return cmp.Or(cmp.Compare(a.plan.path, b.plan.path), cmp.Compare(a.key, b.key))
	})
	return ws
}
