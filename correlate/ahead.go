// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"container/heap"
	"math"

	"tocsin/rules"
)

// Next returns the clock at which the engine has something to do of itself, false if it has not until more is read.
func (e *Engine) Next() (int64, bool) {
	for len(e.due) > 0 {
		if w := e.due[0]; !w.cell.gone && w.cell.woken == w.at {
			return w.at, true
		}
		heap.Pop(&e.due)
	}
	return 0, false
}

// Awaited returns the keys of a rule for which something holds that waits for its deadline (F5), and the first of those.
func (e *Engine) Awaited(r *rules.Rule) map[rules.Key]int64 {
	out := make(map[rules.Key]int64)
	for id, c := range e.cells {
		if id.revision != r.Revision {
			continue
		}
		for _, w := range c.windows {
			for _, m := range w.ms {
				if due, had := out[w.key]; w.plan.path == "" && m.waits() && (!had || m.due < due) {
					out[w.key] = m.due
				}
			}
		}
	}
	return out
}

// Settled returns the clock from which no event that comes on time can change what a rule makes of events up to a time: a
// detection whose last firing point it is, for one.
func (e *Engine) Settled(r *rules.Rule, last int64) int64 {
	p := e.plans[r.Revision]
	switch {
	case p == nil:
		return math.MaxInt64
	case p.fleeting():
		return last
	}
	return add(add(last, p.reach), add(p.late, 1))
}
