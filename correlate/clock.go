// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"container/heap"
	"fmt"
)

// tick moves the clock, and wakes the cells that have something to do by then.
func (e *Engine) tick(t *Tick) error {
	if t.Set != "" && e.sets[t.Set] == nil {
		return fmt.Errorf("correlate: no rule set %q", t.Set)
	}
	// A tick of an older generation comes from a process that has not heard of the change yet.
	if x := (edition{t.Set, t.Generation}); t.Set != "" && t.Generation >= e.now.generation && x != e.now {
		e.enforce(x)
	}
	e.floor = max(e.floor, t.Floor)
	for batch := range e.seen {
		if batch.seq <= e.floor {
			delete(e.seen, batch)
		}
	}
	if t.Horizon != 0 {
		e.horizon = t.Horizon
	}
	if t.Clock <= e.clock {
		return nil
	}
	e.clock = t.Clock
	for len(e.due) > 0 && e.due[0].at <= e.clock {
		w := heap.Pop(&e.due).(wakeup)
		c := w.cell
		if c.gone || c.woken != w.at {
			continue
		}
		c.woken = 0
		n := e.stat(c.plan.rule.ID)
		c.tick(e.at(""), n)
		e.tell(c)
		e.after(c)
	}
	return nil
}

// schedule has a cell woken when it has something to do.
func (e *Engine) schedule(c *cell) {
	at := c.wake()
	if at != 0 {
		at = max(at, add(e.clock, 1)) // a cell is never woken twice by one tick
	}
	if at != 0 && (c.woken == 0 || at < c.woken) {
		c.woken = at
		heap.Push(&e.due, wakeup{at, c})
	}
}

// wakeup says when a cell has something to do.
type wakeup struct {
	at   int64
	cell *cell
}

type wakeups []wakeup

func (w wakeups) Len() int { return len(w) }
func (w wakeups) Less(i, j int) bool {
	return w[i].at < w[j].at || w[i].at == w[j].at && w[i].cell.key().compare(w[j].cell.key()) < 0
}
func (w wakeups) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *wakeups) Push(x any)   { *w = append(*w, x.(wakeup)) }
func (w *wakeups) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}
