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
	windows []*window       // in no order
	crowd   *crowd          // nil while there are few
	chain   *incident.Chain // nil until there is a detection
	news    *news           // nil if there are none
	woken   int64

	outdated bool // changed since the last snapshot
	touched  bool // has to be settled
	awaited  bool // the engine has it settled by the end of the entry
	telling  bool // the engine has it asked for what it has to say
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
	if p.path == "" && p.fleeting() && c.chain != nil {
		if d, ok := c.chain.Known(runID(p, m.Key, ref.ID, 0)); ok && d.Born <= ref.Arrival {
			n.Duplicates++
			return
		}
	}
	w := c.window(p, m.Key) // the engine has seen to it that there is room
	c.outdated, c.touched = true, true
	if w.put(ref, m.Patterns, int8(m.Barred), m.Values, at) {
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
	c.carry(w, path, at, n)
	c.bound(w, path, n)
}

// tick lets deadlines fall due and forgets what can no longer matter.
func (c *cell) tick(at now, n *Stats) {
	// Deepest first: what a referenced rule finds is news to those above it.
	ws := sorted(c.awake(at.clock))
	slices.SortStableFunc(ws, func(a, b *window) int { return len(b.plan.path) - len(a.plan.path) })
	for _, w := range ws {
		due := w.due
		w.tick(at)
		if len(w.flips) > 0 {
			c.outdated, c.touched = true, true
			c.touch(w)
			c.carry(w, splitPath(w.plan.path), at, n)
		} else if due != w.due {
			c.outdated = true
		}
	}
	c.settle(at.clock, n)
	for _, w := range ws {
		if w.forget(at.clock) {
			c.outdated = true
		}
		n.Capped += int64(w.dropped)
		w.dropped = 0
		if w.empty() {
			c.remove(w)
		}
	}
	c.arm(ws)
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

// settle brings detections and incidents up to date.
func (c *cell) settle(clock int64, n *Stats) {
	if !c.touched {
		return
	}
	c.touched = false
	busy := sorted(c.busy())
	for _, w := range busy {
		c.settleWindow(w, n)
	}
	if c.chain != nil {
		c.settleChain(clock, n)
	}
	if c.plan.fleeting() {
		for _, w := range busy {
			c.remove(w)
		}
	}
	c.arm(busy)
	c.rest()
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
		if in := c.chain.IncidentOf(d.Detection.ID); in != "" { // else it is forgotten since, before anybody asked what changed
			d.Incident = in
		}
		d.New = d.New || !d.Gone && !d.Moved && slices.Contains(joined, d.Detection.ID)
	}
}

func (c *cell) settleWindow(w *window, n *Stats) {
	found := w.settle(c.known)
	if w.plan.path != "" {
		return // its detections are nobody's, its firing points are
	}
	for _, t := range found {
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

// known returns the detection of an origin that the chain keeps; ok is false if it keeps none.
func (c *cell) known(origin string) (d incident.Known, ok bool) {
	if c.chain == nil {
		return d, false
	}
	return c.chain.Known(origin)
}

// evidenceOf returns the present evidence of a detection, as far as a window still has it.
func (c *cell) evidenceOf(detection string) []incident.Evidence {
	for _, ws := range [][]*window{c.busy(), c.windows} { // mostly it is one that has just been told
		for _, w := range ws {
			for _, r := range w.runs {
				if r.id == detection {
					return r.out.Evidence
				}
			}
		}
	}
	return nil
}

func (c *cell) empty() bool { return len(c.windows) == 0 && (c.chain == nil || c.chain.Empty()) }
