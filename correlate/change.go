// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/rules"

// edition is a Set that all processes use, or are about to: generations say which is the newer.
type edition struct {
	set        string
	generation uint64
}

// inForce reports whether a rule is in the Set in force as it is, or in the one that is coming.
func (e *Engine) inForce(revision string) bool {
	now := e.sets[e.now.set]
	return now == nil || now[revision] != nil || e.sets[e.next.set][revision] != nil
}

// expect notes that batches of another Set have begun to come. A rule that comes back with it was blind meanwhile: it
// starts anew.
func (e *Engine) expect(x edition) {
	set, now, next := e.sets[x.set], e.sets[e.now.set], e.sets[e.next.set]
	e.next = x
	back := func(c *cell) bool {
		r := c.plan.rule.Revision
		return now != nil && set[r] != nil && now[r] == nil && next[r] == nil
	}
	for _, c := range e.sorted(back) {
		e.drop(c)
		c.removeAll()
		c.outdated = true
		e.tell(c)
		e.after(c)
	}
	e.reword()
}

// enforce puts a Set in force: the clock has passed the batches of those before (R3). Windows of rules that mean what
// they meant stay (R2), and what is said of those from now on is in the words of this Set. Undecided absences of rules
// that are gone or mean something else are dropped: no event can contradict them any more.
func (e *Engine) enforce(x edition) {
	if x.generation > e.next.generation {
		e.expect(x)
	}
	before, set := e.sets[e.now.set], e.sets[x.set]
	e.now = x
	if e.next.generation <= x.generation {
		e.next = edition{}
	}
	for _, c := range e.cells {
		if r := c.plan.rule.Revision; (set[r] == nil) != (before[r] == nil) {
			c.outdated = true // it says whose words it has
		}
	}
	for _, c := range e.sorted(func(c *cell) bool { return set[c.plan.rule.Revision] == nil }) {
		e.tell(c)
		e.after(c)
	}
	e.reword()
	for r := range e.plans {
		if !e.inForce(r) && e.perRule[r] == 0 {
			delete(e.plans, r)
		}
	}
	for known := range e.sets {
		if known != e.now.set && known != e.next.set {
			delete(e.sets, known) // a batch that was stamped before and comes late makes it known again
		}
	}
}

// reword gives what is in force the titles and severities of the Set in force, and what is only coming those of the next.
func (e *Engine) reword() {
	reworded := make(map[*plan]bool) // plans that are not in force: their cells say whose words they have
	for _, p := range e.plans {
		was := p.set
		p.speak(e.sets, e.next.set)
		p.speak(e.sets, e.now.set)
		reworded[p] = p.set != was && p.set != e.now.set
	}
	for _, c := range e.cells {
		c.outdated = c.outdated || reworded[c.plan]
		if c.chain != nil {
			c.chain.SetRule(c.plan.rule)
		}
	}
}

// speak has what is said of a plan's incidents from now on said in the words of a Set.
func (p *plan) speak(sets map[string]map[string]*rules.Rule, set string) {
	if r := sets[set][p.rule.Revision]; r != nil {
		p.rule, p.set = r, set
	}
}

// drop gives up what is undecided in a cell.
func (e *Engine) drop(c *cell) {
	if n := c.abandon(); n > 0 {
		e.stat(c.plan.rule.ID).Dropped += n
		c.outdated = true
	}
}
