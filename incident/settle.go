// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"slices"
	"sort"

	"tocsin/event"
)

// Settle works out the incidents and returns those that changed, in order of id, with
// absolute values. clock becomes their UpdatedAt. fields gives the canonical fields of
// the earliest evidence of a detection, for titles.
func (c *Chain) Settle(clock int64, evidence func(detection string) []Evidence) []Incident {
	if !c.dirty {
		return nil
	}
	c.dirty = false
	pool := make([]*link, 0, len(c.links))
	for _, l := range c.links {
		if !l.retracted {
			pool = append(pool, l)
		}
	}
	sort.Slice(pool, func(i, j int) bool { return pool[i].before(pool[j]) })

	claimed := make(map[string][]*link)
	for _, cl := range c.closings {
		var rest []*link
		closed := c.closedPart(pool, cl)
		in := make(map[*link]bool, len(closed))
		for _, l := range closed {
			in[l] = true
		}
		for _, l := range pool {
			if !in[l] {
				rest = append(rest, l)
			}
		}
		if len(closed) > 0 {
			claimed[cl.incident] = closed
		}
		pool = rest
	}
	moved := make(map[string]string)
	for _, g := range c.groups(pool) {
		id := c.claim(g, claimed)
		claimed[id] = g
	}
	for _, id := range sortedKeys(claimed) {
		for _, l := range claimed[id] {
			if l.incident == id {
				continue
			}
			if l.incident != "" && claimed[l.incident] == nil {
				if to, ok := moved[l.incident]; !ok || id < to {
					moved[l.incident] = id
				}
			}
			s := c.incidents[id]
			if l.incident != "" {
				c.moved = append(c.moved, l.id)
			} else {
				c.joined = append(c.joined, l.id)
				if s.told {
					s.changed |= Grown // also if another is taken back with it, and the sum stays
				}
			}
			l.incident = id
			s.learn(evidence(l.id))
		}
	}
	return c.changes(clock, claimed, moved, evidence)
}

func (l *link) before(o *link) bool {
	if l.first != o.first {
		return l.first < o.first
	}
	return l.id < o.id
}

// closedPart returns the detections that a closing keeps: of those that first fired by then, or had come by
// then with a time in the future, the group that the closed incident's earliest one is in, or what that was joined into.
func (c *Chain) closedPart(pool []*link, cl closing) []*link {
	var by []*link
	for _, l := range pool {
		if min(l.firing, l.born) <= cl.at {
			by = append(by, l)
		}
	}
	heirs := c.incidents[cl.incident].heirs
	for _, g := range c.groups(by) {
		for _, l := range g {
			if l.incident == cl.incident || slices.Contains(heirs, l.id) {
				return g
			}
		}
	}
	return nil
}

// groups returns the connected groups of detections, each ordered, by their first.
func (c *Chain) groups(ls []*link) [][]*link {
	var out [][]*link
	var end int64
	onTime := true
	for i, l := range ls {
		if l.born > event.Plus(l.firing, c.late) {
			onTime = false
		}
		if i == 0 || event.Minus(l.first, end) > c.quiet {
			out = append(out, nil)
			end = l.last
		}
		end = max(end, l.last)
		out[len(out)-1] = append(out[len(out)-1], l)
	}
	if onTime {
		return out
	}
	// Gaps alone separate for certain; within each part, late detections chain only with those they met.
	var parts [][]*link
	for _, g := range out {
		parts = append(parts, c.split(g)...)
	}
	return parts
}

// split separates a group into what is connected by pairs.
func (c *Chain) split(g []*link) [][]*link {
	root := make([]int, len(g))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for i := range g {
		for j := range i {
			if a, b := find(i), find(j); a != b && c.chained(g[i], g[j]) {
				root[max(a, b)] = min(a, b)
			}
		}
	}
	place := make(map[int]int)
	var out [][]*link
	for i, l := range g {
		at, ok := place[find(i)]
		if !ok {
			at = len(out)
			place[find(i)] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], l)
	}
	return out
}

// claim returns the incident that a group continues: of those its detections were
// in, the one with the least first event (I3); else a new one.
func (c *Chain) claim(g []*link, claimed map[string][]*link) string {
	best := ""
	for _, l := range g {
		s := c.incidents[l.incident]
		if s == nil || s.out.ClosedAt != 0 || claimed[l.incident] != nil {
			continue
		}
		if best == "" || l.incident != best && older(s, c.incidents[best]) {
			best = l.incident
		}
	}
	if best == "" {
		best = c.newID(g[0].id)
		c.incidents[best] = &state{
			out:     Incident{ID: best, Rule: c.rule, Key: c.key},
			sources: make(map[string]bool), entities: make(map[Entity]bool), changed: Opened,
		}
	}
	return best
}

func older(a, b *state) bool {
	if a.out.FirstEvent != b.out.FirstEvent {
		return a.out.FirstEvent < b.out.FirstEvent
	}
	return a.out.ID < b.out.ID
}

// changes brings each incident's values up to date and returns those that differ from what was told.
func (c *Chain) changes(clock int64, claimed map[string][]*link, moved map[string]string, evidence func(string) []Evidence) []Incident {
	for id, s := range c.incidents {
		var into *link
		for _, heir := range s.heirs {
			if l := c.links[heir]; l != nil && (into == nil || l.before(into)) {
				into = l
			}
		}
		if into != nil && claimed[id] == nil && moved[id] == "" && into.incident != id {
			moved[id] = into.incident
		}
		s.heirs = nil
	}
	retracted := c.retracted()
	var out []Incident
	for _, id := range sortedKeys(c.incidents) {
		s := c.incidents[id]
		next := s.out
		g := claimed[id]
		switch {
		case len(g) > 0:
			next.Retracted = false
			c.sum(&next, g)
		case moved[id] != "" && next.MergedInto == "":
			next.MergedInto = moved[id]
			s.changed |= WasMerged
		case len(retracted[id]) > 0 && next.MergedInto == "":
			if !next.Retracted {
				s.changed |= WasRetracted
			}
			next.Retracted = true
			c.sum(&next, retracted[id])
		}
		if len(g) > 0 && (!s.told || next.Title == "") {
			next.Title = c.title(g[0], evidence)
		}
		next.Capped = next.Capped || s.capped
		next.Sources, next.Entities = s.lists()
		if s.told && s.changed == 0 && same(s.out, next) {
			continue
		}
		if s.told && s.changed == 0 {
			s.changed = Grown
		}
		next.Revision++
		next.UpdatedAt = clock
		next.Changed = s.changed
		s.out, s.told, s.changed = next, true, 0
		out = append(out, next)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (c *Chain) retracted() map[string][]*link {
	out := make(map[string][]*link)
	for _, l := range c.links {
		if l.retracted {
			out[l.incident] = append(out[l.incident], l)
		}
	}
	return out
}

// sum sets what an incident is the sum of.
func (c *Chain) sum(in *Incident, g []*link) {
	in.FirstEvent, in.LastEvent, in.OpenedAt = g[0].first, g[0].last, g[0].firing
	in.EventCount, in.Late, in.Capped, in.DetectionCount = 0, 0, false, int64(len(g))
	for _, l := range g {
		in.FirstEvent, in.LastEvent = min(in.FirstEvent, l.first), max(in.LastEvent, l.last)
		in.OpenedAt = min(in.OpenedAt, l.firing)
		in.EventCount += l.count
		in.Late += l.late
		in.Capped = in.Capped || l.capped
		in.Again = in.Again || l.life != (Life{})
	}
}

func (c *Chain) title(first *link, evidence func(string) []Evidence) string {
	fields := make(map[string]any)
	if ev := evidence(first.id); len(ev) > 0 {
		fields = ev[0].Event.About.Fields()
	}
	return c.rule.RenderTitle(fields)
}

func (s *state) lists() ([]string, []Entity) {
	sources := make([]string, 0, len(s.sources))
	for x := range s.sources {
		sources = append(sources, x)
	}
	sort.Strings(sources)
	entities := make([]Entity, 0, len(s.entities))
	for x := range s.entities {
		entities = append(entities, x)
	}
	sort.Slice(entities, func(i, j int) bool {
		if entities[i].Type != entities[j].Type {
			return entities[i].Type < entities[j].Type
		}
		return entities[i].Name < entities[j].Name
	})
	return sources, entities
}

// same reports whether two incidents of one id print alike but for revision and update.
func same(a, b Incident) bool {
	return a.FirstEvent == b.FirstEvent && a.LastEvent == b.LastEvent && a.OpenedAt == b.OpenedAt &&
		a.ClosedAt == b.ClosedAt && a.EventCount == b.EventCount && a.Late == b.Late && a.Capped == b.Capped &&
		a.Retracted == b.Retracted && a.MergedInto == b.MergedInto && a.DetectionCount == b.DetectionCount &&
		a.Title == b.Title && len(a.Sources) == len(b.Sources) && len(a.Entities) == len(b.Entities)
}

// Forget lets go of incidents that nothing can join any more at this clock. It returns whether any went.
func (c *Chain) Forget(clock int64) bool {
	last := make(map[string]int64)
	for _, l := range c.links {
		last[l.incident] = max(last[l.incident], event.Plus(c.remembered(l), c.lag))
	}
	went := false
	for again := true; again; { // one that was merged goes after the one that it was merged into
		again = false
		for id, s := range c.incidents {
			into := s.out.MergedInto
			if at, ok := last[id]; ok && clock <= at || into != "" && c.incidents[into] != nil {
				continue
			}
			delete(c.incidents, id)
			went, again = true, true
		}
	}
	for _, l := range c.links {
		if c.incidents[l.incident] == nil {
			c.drop(l)
			went = true
		}
	}
	kept := c.closings[:0]
	for _, cl := range c.closings {
		if c.incidents[cl.incident] != nil {
			kept = append(kept, cl)
		}
	}
	c.closings = kept
	return went
}

// Wake returns the next clock at which Forget can have something to do, 0 if never.
func (c *Chain) Wake() int64 {
	var at int64
	for _, l := range c.links {
		if k := event.Plus(event.Plus(c.remembered(l), c.lag), 1); k > at {
			at = k
		}
	}
	return at
}
