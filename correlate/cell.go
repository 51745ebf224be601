// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
)

// cell is the state of one rule and grouping key: the windows of its keys, those of the
// rules it refers to, and the chain of its incidents.
type cell struct {
	id      string
	plan    *plan
	group   rules.Key
	windows map[string]*window
	chain   *incident.Chain
	limits  Limits

	outdated bool // changed since the last snapshot
	touched  bool // has to be settled
	woken    int64

	settledOut []DetectionChange // waiting to be drained
	incidents  []incident.Incident
}

func cellID(revision string, group rules.Key) string { return revision + "\x00" + string(group) }

func newCell(p *plan, group rules.Key, lim Limits) *cell {
	c := &cell{
		id: cellID(p.rule.Revision, group), plan: p, group: group, limits: lim,
		windows: make(map[string]*window),
	}
	c.chain = incident.NewChain(p.rule, group, p.late, p.delay(), p.lag+p.hop(), lim.Detections)
	return c
}

func pathString(path []int) string {
	var s strings.Builder
	for _, i := range path {
		s.WriteString(strconv.Itoa(i) + "/")
	}
	return s.String()
}

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

func (c *cell) window(p *plan, path string, key rules.Key) *window {
	id := path + "\x00" + string(key)
	w := c.windows[id]
	if w == nil {
		w = newWindow(p, path, key, c.limits)
		c.windows[id] = w
	}
	return w
}

// take takes in a match for the rule at path and carries what it makes of referenced rules up
// to the rule itself.
func (c *cell) take(path []int, key rules.Key, ref rules.EventRef, bits uint64, vals []string, at now, n *Stats) {
	p := c.plan.planAt(path)
	if p == nil {
		return
	}
	w := c.window(p, pathString(path), key)
	c.outdated, c.touched = true, true
	if w.path == "" && w.fleeting() {
		if born, ok := c.chain.Born(runID(w, ref.ID, 0)); ok && born <= ref.Arrival {
			n.Duplicates++
			return
		}
	}
	if w.put(ref, bits, vals, at) {
		n.Matched++
		n.Negative += w.negatives(ref.ID)
		if ref.Arrival > add(ref.Time, p.late) {
			n.Late++
		}
	} else {
		n.Duplicates++
	}
	if over := len(w.ms) - c.limits.Matches; over > 0 {
		c.carry(w, path, at, n)
		c.settleWindow(w, n)
		n.Capped += int64(w.shrink(c.limits.Matches-c.limits.Matches/10) + w.dropped)
		w.dropped = 0
		return
	}
	c.carry(w, path, at, n)
}

// carry hands the firing points that came or went in a referenced rule's window to the rule above it.
func (c *cell) carry(w *window, path []int, at now, n *Stats) {
	flips := w.flips
	w.flips = nil
	if len(path) == 0 {
		return
	}
	up, last := path[:len(path)-1], path[len(path)-1]
	parent := c.plan.planAt(up)
	bits := parent.feeds[last]
	key := w.key.Part(w.plan.rule.ParentKey)
	for _, e := range flips {
		pw := c.window(parent, pathString(up), key)
		if e.fp {
			ref := e.ref
			if w.plan.settled {
				// It was not to be known before its deadline, whatever armed it.
				ref.Arrival = max(ref.Arrival, add(ref.Time, w.plan.delay()))
			}
			if pw.put(ref, bits, e.vals[min(len(w.plan.rule.Values), len(e.vals)):], at) {
				n.Negative += pw.negatives(ref.ID)
			}
		} else if !c.firesElsewhere(w, e, key) {
			pw.drop(e.ref.ID, bits, at)
		}
		c.carry(pw, up, at, n)
	}
}

// firesElsewhere reports whether an event is a firing point of the same referenced rule for
// another key that is part of the same key above.
func (c *cell) firesElsewhere(w *window, e *match, key rules.Key) bool {
	for _, o := range c.windows {
		if o != w && o.path == w.path && o.key.Part(o.plan.rule.ParentKey) == key {
			if m := o.byID[e.ref.ID]; m != nil && m.fp {
				return true
			}
		}
	}
	return false
}

func (c *cell) sorted() []*window {
	ids := make([]string, 0, len(c.windows))
	for id := range c.windows {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	out := make([]*window, len(ids))
	for i, id := range ids {
		out[i] = c.windows[id]
	}
	return out
}

// tick lets deadlines fall due and forgets what can no longer matter.
func (c *cell) tick(at now, n *Stats) {
	// Deepest first: what a referenced rule finds is news to those above it.
	ws := c.sorted()
	sort.SliceStable(ws, func(i, j int) bool { return len(ws[i].path) > len(ws[j].path) })
	for _, w := range ws {
		due := w.due
		w.tick(at)
		if len(w.flips) > 0 {
			c.outdated, c.touched = true, true
			c.carry(w, splitPath(w.path), at, n)
		} else if due != w.due {
			c.outdated = true
		}
	}
	c.settle(at.clock, n)
	for id, w := range c.windows {
		if w.forget(at.clock) {
			c.outdated = true
		}
		n.Capped += int64(w.dropped)
		w.dropped = 0
		if w.empty() {
			delete(c.windows, id)
			c.outdated = true
		}
	}
	if c.chain.Forget(at.clock) {
		c.outdated = true
	}
}

// abandon gives up the absences that are not decided: their rule is gone (R3).
func (c *cell) abandon() (n int64) {
	for _, w := range c.windows {
		w.due = 0
		for _, m := range w.ms {
			if m.holds && !m.fp {
				m.holds = false
				n++
			}
		}
	}
	return n
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

// settle brings detections and incidents up to date.
func (c *cell) settle(clock int64, n *Stats) {
	if !c.touched {
		return
	}
	c.touched = false
	var dirty []string
	for id, w := range c.windows {
		if w.dirty {
			dirty = append(dirty, id)
		}
	}
	sort.Strings(dirty)
	for _, id := range dirty {
		if w := c.windows[id]; w.path == "" {
			c.settleWindow(w, n)
		} else {
			w.settle() // its detections are nobody's, its firing points are
		}
	}
	for _, in := range c.chain.Settle(clock, c.evidenceOf) {
		if in.Changed&incident.Opened != 0 {
			n.Incidents++
		}
		c.incidents = append(c.incidents, in)
		c.outdated = true
	}
	for _, id := range c.chain.Moved() {
		c.settledOut = append(c.settledOut, DetectionChange{Detection: incident.Detection{ID: id}, Moved: true})
	}
	joined := c.chain.Joined()
	for i := range c.settledOut {
		d := &c.settledOut[i]
		d.Incident = c.chain.IncidentOf(d.Detection.ID)
		d.New = d.New || !d.Gone && !d.Moved && slices.Contains(joined, d.Detection.ID)
	}
	for _, id := range dirty {
		if w := c.windows[id]; w.fleeting() {
			w.clear()
			delete(c.windows, id)
		}
	}
}

func (c *cell) settleWindow(w *window, n *Stats) {
	for _, t := range w.settle() {
		switch {
		case t.gone:
			c.chain.Gone(t.detection.ID, t.into)
		default:
			fresh := !c.chain.Has(t.detection.ID)
			if !c.chain.Put(t.detection, t.added) {
				n.Capped++
				continue
			}
			if fresh {
				n.Detections++
			}
			if t.detection.Retracted != nil {
				n.Retracted++
			}
		}
		c.settledOut = append(c.settledOut, DetectionChange{
			Detection: t.detection, Gone: t.gone, Added: t.added, Removed: t.removed,
		})
	}
}

// evidenceOf returns the present evidence of a detection, as far as a window still has it.
func (c *cell) evidenceOf(detection string) []incident.Evidence {
	for _, w := range c.windows {
		for _, r := range w.runs {
			if r.id == detection {
				return r.out.Evidence
			}
		}
	}
	return nil
}

// wake is the next clock at which the cell has something to do, 0 if never.
func (c *cell) wake() int64 {
	next := c.chain.Wake()
	for _, w := range c.windows {
		if at := w.wake(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

func (c *cell) empty() bool { return len(c.windows) == 0 && c.chain.Empty() }
