// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"

	"tocsin/incident"
	"tocsin/rules"
)

// cell is the state of one rule and grouping key: the windows of its keys, those of the
// rules it refers to, and the chain of its incidents.
type cell struct {
	plan    *plan
	group   rules.Key
	windows []*window // in no order
	byKey   map[windowKey]*window
	chain   *incident.Chain // nil until there is a detection
	news    *news           // nil if there are none
	woken   int64

	outdated bool // changed since the last snapshot
	touched  bool // has to be settled
	gone     bool // the engine has let go of it
}

// news is what a cell has to say.
type news struct {
	detections []DetectionChange
	incidents  []incident.Incident
}

// cellKey tells cells apart; it is in order of the ids that they have in snapshots.
type cellKey struct {
	revision string
	group    rules.Key
}

func (k cellKey) id() string { return k.revision + "\x00" + string(k.group) }

func (k cellKey) compare(o cellKey) int {
	return cmp.Or(cmp.Compare(k.revision, o.revision), cmp.Compare(k.group, o.group))
}

func (c *cell) key() cellKey { return cellKey{c.plan.rule.Revision, c.group} }

// says returns where to put what the cell has to say.
func (c *cell) says() *news {
	if c.news == nil {
		c.news = new(news)
	}
	return c.news
}

// startChain returns the chain of the cell's incidents.
func (c *cell) startChain() *incident.Chain {
	if c.chain == nil {
		p := c.plan
		c.chain = incident.NewChain(p.rule, c.group, p.late, p.delay(), p.lag+p.hop(), p.limits.Detections)
	}
	return c.chain
}

// take takes in a match, of the rule itself or of one that it refers to, and carries what it makes of referenced rules up
// to the rule itself.
func (c *cell) take(m *rules.Match, at now, n *Stats) {
	path, ref := m.Path, m.Event
	p := c.plan.planAt(path)
	if p == nil {
		return
	}
	w := c.window(p, m.Key)
	c.outdated, c.touched = true, true
	if p.path == "" && p.fleeting() && c.chain != nil {
		if born, ok := c.chain.Born(runID(w, ref.ID, 0)); ok && born <= ref.Arrival {
			n.Duplicates++
			return
		}
	}
	if w.put(ref, m.Patterns, int32(m.Barred), m.Values, at) {
		n.Matched++
		n.Negative += w.negatives(ref.ID)
		if ref.Arrival > add(ref.Time, p.late) {
			n.Late++
		}
		if ref.Time > ref.Arrival {
			n.Future++
		}
	} else {
		n.Duplicates++
	}
	if limit := p.limits.Matches; len(w.ms) > limit {
		c.carry(w, path, at, n)
		c.settleWindow(w, n)
		n.Capped += int64(w.shrink(limit-limit/10)) + int64(w.dropped)
		w.dropped = 0
		return
	}
	c.carry(w, path, at, n)
}

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
		if !fires && c.find(parent, key) == nil {
			continue
		}
		pw := c.window(parent, key)
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
	}
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

// tick lets deadlines fall due and forgets what can no longer matter.
func (c *cell) tick(at now, n *Stats) {
	// Deepest first: what a referenced rule finds is news to those above it.
	ws := sorted(c.windows)
	slices.SortStableFunc(ws, func(a, b *window) int { return len(b.plan.path) - len(a.plan.path) })
	for _, w := range ws {
		due := w.due
		w.tick(at)
		if len(w.flips) > 0 {
			c.outdated, c.touched = true, true
			c.carry(w, splitPath(w.plan.path), at, n)
		} else if due != w.due {
			c.outdated = true
		}
	}
	c.settle(at.clock, n)
	c.retain(func(w *window) bool {
		if w.forget(at.clock) {
			c.outdated = true
		}
		n.Capped += int64(w.dropped)
		w.dropped = 0
		return !w.empty()
	})
	if c.chain != nil && c.chain.Forget(at.clock) {
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
	var dirty []*window
	for _, w := range c.windows {
		if w.dirty {
			dirty = append(dirty, w)
		}
	}
	for _, w := range sorted(dirty) {
		if w.plan.path == "" {
			c.settleWindow(w, n)
		} else {
			w.settle() // its detections are nobody's, its firing points are
		}
	}
	if c.chain != nil {
		c.settleChain(clock, n)
	}
	if c.plan.fleeting() {
		c.retain(func(w *window) bool { return !slices.Contains(dirty, w) })
	}
}

// settleChain brings incidents up to date.
func (c *cell) settleChain(clock int64, n *Stats) {
	for _, in := range c.chain.Settle(clock, c.evidenceOf) {
		if in.Changed&incident.Opened != 0 {
			n.Incidents++
		}
		out := c.says()
		out.incidents = append(out.incidents, in)
		c.outdated = true
	}
	for _, id := range c.chain.Moved() {
		out := c.says()
		out.detections = append(out.detections, DetectionChange{Detection: incident.Detection{ID: id}, Moved: true})
	}
	joined := c.chain.Joined()
	if c.news == nil {
		return
	}
	for i := range c.news.detections {
		d := &c.news.detections[i]
		d.Incident = c.chain.IncidentOf(d.Detection.ID)
		d.New = d.New || !d.Gone && !d.Moved && slices.Contains(joined, d.Detection.ID)
	}
}

func (c *cell) settleWindow(w *window, n *Stats) {
	for _, t := range w.settle() {
		chain := c.startChain()
		switch {
		case t.gone:
			chain.Gone(t.detection.ID, t.into)
		default:
			fresh := !chain.Has(t.detection.ID)
			if !chain.Put(t.detection, t.added) {
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
		out := c.says()
		out.detections = append(out.detections, DetectionChange{
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
	next := int64(0)
	if c.chain != nil {
		next = c.chain.Wake()
	}
	for _, w := range c.windows {
		if at := w.wake(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

func (c *cell) empty() bool { return len(c.windows) == 0 && (c.chain == nil || c.chain.Empty()) }
