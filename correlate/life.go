// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"strconv"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// runID names a detection by the rule's revision, the window and the firing point that opened it: its origin. In its first life that is its id.
func runID(p *plan, key rules.Key, first event.ID, salt int) string {
	return incident.Name(p.rule.Revision, p.path, string(key), string(first[:]), strconv.Itoa(salt))
}

// life returns the number of the life that a detection of this firing point begins if the chain keeps none of its origin: how late it is. The
// chain has whatever was made of the event for as long as [incident.Memory] after it, and so a copy that comes before that and finds none is
// the first. What comes later may come again, and later still: each time the number is a greater one, also where the lateness bound was changed.
func (p *plan) life(ref *rules.EventRef) int64 {
	if late := sub(ref.Arrival, ref.Time); late >= incident.Memory(p.rule, p.late, p.delay()) {
		return late
	}
	return 0
}

// newRun begins the detection of a firing point, or takes up one of the same origin: one that was retracted and holds again, or the one that
// the chain knows.
func (w *window) newRun(first *match, known func(origin string) (incident.Known, bool)) *run {
	for salt := 0; ; salt++ {
		origin := runID(w.plan, w.key, first.ref.ID, salt)
		taken := false
		for _, r := range w.runs {
			if r.origin() == origin {
				taken = true
				if r.retracted != nil && !r.folded {
					r.retracted, r.cause = nil, "" // it holds again
					return r
				}
			}
		}
		if taken {
			continue
		}
		r := &run{id: origin, steps: make([]int64, len(w.plan.rule.Patterns))}
		if d, ok := known(origin); ok {
			r.id, r.life, r.again = d.ID, d.Life, &d
		} else if n := w.plan.life(&first.ref); n > 0 {
			r.id, r.life = incident.Name(origin, strconv.FormatInt(n, 10)), incident.Life{Origin: origin, Number: n}
		}
		w.runs = append(w.runs, r)
		return r
	}
}

// origin is the id of the detection in its first life.
func (r *run) origin() string { return cmp.Or(r.life.Origin, r.id) }
