// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"maps"
	"sort"

	"tocsin/incident"
	"tocsin/rules"
)

// Limits bound the state of a partition. They are counts, never memory, so that they
// fall the same wherever the log is read (B2).
type Limits struct {
	// Keys of one rule, Matches of one key, Detections of one rule and grouping key, Values that first_seen remembers
	// of one key.
	Keys, Matches, Detections, Values int
}

// DefaultLimits are the limits of an engine that is given none.
var DefaultLimits = Limits{Keys: 100_000, Matches: 20_000, Detections: 10_000, Values: 10_000}

// taken names a part of a batch.
type taken struct{ seq, part uint64 }

// Engine is the state machine of one partition.
type Engine struct {
	lateness int64
	limits   Limits
	plans    map[string]*plan                  // by revision
	sets     map[string]map[string]*rules.Rule // the Sets that are known: rules by revision
	lost     map[string]string                 // ids by revision: rules that a Set was stored with and this version does not compile
	// now is the Set in force, the newest that the clock has reached; next one of which batches have come already.
	now, next edition

	clock   int64
	floor   uint64
	seen    map[taken]bool // batches above floor that were taken in
	horizon int64

	cells   map[cellKey]*cell
	perRule map[string]int // cells by revision
	touched []*cell        // by the entry that is taken in
	telling []*cell        // may have something to say since the last Changes
	due     wakeups
	stats   map[string]*Stats
	changed map[string]bool // rules whose stats changed
	closed  []Close
	forgot  []cellKey // cells that went since the last snapshot
}

// New returns an empty engine; lateness is L in nanoseconds.
func New(lateness int64, limits Limits) *Engine {
	if limits == (Limits{}) {
		limits = DefaultLimits
	}
	return &Engine{
		lateness: lateness, limits: limits,
		plans: make(map[string]*plan), sets: make(map[string]map[string]*rules.Rule), lost: make(map[string]string),
		seen: make(map[taken]bool), cells: make(map[cellKey]*cell), perRule: make(map[string]int),
		stats: make(map[string]*Stats), changed: make(map[string]bool),
	}
}

// Use makes a rule Set known. Whoever reads the log gives the engine each Set before the first entry
// that names it. An error says that a condition has too many alternatives.
func (e *Engine) Use(set *rules.Set) error {
	if e.sets[set.Hash] != nil {
		return nil
	}
	revisions := make(map[string]*rules.Rule, len(set.Rules))
	for _, r := range set.Rules {
		if e.plans[r.Revision] == nil {
			p, err := newPlan(r, e.lateness, &e.limits, "")
			if err != nil {
				return fmt.Errorf("rule %q: %w", r.ID, err)
			}
			p.set = set.Hash
			e.plans[r.Revision] = p
		}
		revisions[r.Revision] = r
	}
	e.sets[set.Hash] = revisions
	maps.Copy(e.lost, set.Lost)
	return nil
}

// Knows reports whether the engine has the Set.
func (e *Engine) Knows(hash string) bool { return e.sets[hash] != nil }

// Clock returns the partition's clock, Unix nanoseconds.
func (e *Engine) Clock() int64 { return e.clock }

// Cells returns how many (rule, grouping key) states are held.
func (e *Engine) Cells() int { return len(e.cells) }

// Stats returns the public numbers of each rule in this partition, by rule.
func (e *Engine) Stats() []Stats {
	out := make([]Stats, 0, len(e.stats))
	for _, id := range sortedIDs(e.stats) {
		out = append(out, *e.stats[id])
	}
	return out
}

// Step takes one entry. It fails only on an entry that names a Set or rule that [Engine.Use]
// was not given; the engine is then as it was.
func (e *Engine) Step(entry Entry) error {
	switch {
	case entry.Matches != nil:
		return e.matches(entry.Matches)
	case entry.Tick != nil:
		return e.tick(entry.Tick)
	case entry.Close != nil:
		return e.close(entry.Close)
	}
	return nil
}

func (e *Engine) matches(m *Matches) error {
	for i := range m.Matches {
		if r := m.Matches[i].Rule; e.plans[r] == nil && e.lost[r] == "" {
			return fmt.Errorf("correlate: no rule with revision %q", m.Matches[i].Rule)
		}
	}
	if m.Seq != 0 {
		batch := taken{m.Seq, m.Part}
		if m.Seq <= e.floor || e.seen[batch] {
			return nil // a redelivery
		}
		e.seen[batch] = true
	}
	switch x := (edition{m.Set, m.Generation}); {
	case e.sets[m.Set] == nil:
	case e.now.set == "":
		e.enforce(x)
	case x.generation > max(e.now.generation, e.next.generation):
		e.expect(x)
	}
	for i := range m.Matches {
		e.match(&m.Matches[i], m.Set)
	}
	for _, c := range m.Counts {
		s := e.stat(c.Rule)
		s.Unkeyed += c.Unkeyed
		s.Excepted += c.Excepted
	}
	e.settle()
	return nil
}

// match takes in a match of a batch that is stamped with a Set.
func (e *Engine) match(m *rules.Match, set string) {
	p := e.plans[m.Rule]
	if p == nil {
		e.stat(e.lost[m.Rule]).Dropped++
		return
	}
	n := e.stat(p.rule.ID)
	id := cellKey{p.rule.Revision, m.Group}
	c := e.cells[id]
	if c == nil && e.perRule[m.Rule] >= e.limits.Keys || !c.admits(p.planAt(m.Path), m.Key) {
		if n.Capped++; c != nil {
			c.cap(m.Path, m.Key)
			e.touch(c)
		}
		return
	}
	if c == nil {
		if e.perRule[m.Rule] == 0 && !e.inForce(m.Rule) {
			p.speak(e.sets, set)
		}
		c = &cell{plan: p, group: m.Group}
		e.cells[id] = c
		e.perRule[m.Rule]++
	}
	c.take(m, e.at(m.Event.About.EventID()), n)
	e.touch(c)
}

func (e *Engine) at(cause string) now {
	return now{clock: e.clock, horizon: e.horizon, cause: cause}
}

// touch has a cell settled by the end of the entry.
func (e *Engine) touch(c *cell) {
	if !c.awaited {
		c.awaited = true
		e.touched = append(e.touched, c)
	}
	e.tell(c)
}

// tell has a cell asked for what it has to say.
func (e *Engine) tell(c *cell) {
	if !c.telling {
		c.telling = true
		e.telling = append(e.telling, c)
	}
}

// settle works out what the entry changed. It is done after each entry, so that identities
// do not depend on how the log was read in pieces.
func (e *Engine) settle() {
	for _, c := range e.touched {
		c.awaited = false
		c.settle(e.clock, e.stat(c.plan.rule.ID))
		e.after(c)
	}
	clear(e.touched)
	e.touched = e.touched[:0]
}

func (e *Engine) stat(rule string) *Stats {
	s := e.stats[rule]
	if s == nil {
		s = &Stats{Rule: rule}
		e.stats[rule] = s
	}
	e.changed[rule] = true
	return s
}

// after sees to a cell that an entry has changed.
func (e *Engine) after(c *cell) {
	if !e.inForce(c.plan.rule.Revision) {
		e.drop(c)
	}
	if !c.empty() {
		e.schedule(c)
		return
	}
	c.gone = true
	delete(e.cells, c.key())
	e.perRule[c.plan.rule.Revision]--
	e.forgot = append(e.forgot, c.key())
}

func (e *Engine) close(c *Close) error {
	cell := e.cells[cellKey{c.Rule, c.Group}]
	if cell == nil || cell.chain == nil || !cell.chain.Knows(c.Incident) {
		e.closed = append(e.closed, *c)
		return nil
	}
	if !cell.chain.Close(c.Incident, c.At, c.Verdict, c.By) {
		return nil
	}
	cell.touched, cell.outdated = true, true
	e.touch(cell)
	e.settle()
	return nil
}

// Changes drains what became of incidents since the last call, in an order that the log decides.
func (e *Engine) Changes() Changes {
	var out Changes
	for _, c := range e.telling {
		c.telling = false
		out.Detections = append(out.Detections, c.drain()...)
		if c.news != nil {
			out.Incidents = append(out.Incidents, latest(c.news.incidents)...)
			c.news = nil
		}
	}
	clear(e.telling)
	e.telling = e.telling[:0]
	out.Closed, e.closed = e.closed, nil
	for rule := range e.changed {
		out.Stats = append(out.Stats, *e.stats[rule])
	}
	clear(e.changed)
	sort.Slice(out.Stats, func(i, j int) bool { return out.Stats[i].Rule < out.Stats[j].Rule })
	return out
}

// latest keeps the newest values of each incident, with all that became of it.
func latest(ins []incident.Incident) []incident.Incident {
	place := make(map[string]int, len(ins))
	out := ins[:0:0]
	for _, in := range ins {
		if i, ok := place[in.ID]; ok {
			in.Changed |= out[i].Changed
			out[i] = in
			continue
		}
		place[in.ID] = len(out)
		out = append(out, in)
	}
	return out
}
