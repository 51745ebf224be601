// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"maps"
	"slices"

	"tocsin/incident"
)

// extend settles a window to which events came in order, at the end, and nothing else happened: the last detection
// grows, or a new one begins after it. It is what settle would find, without looking at the rest of the window. ok is
// false if it takes the whole; nothing is changed then.
func (w *window) extend(tail []*match) (out []told, ok bool) {
	last := w.lastRun()
	if last != nil && (!last.told || len(tail) > 0 && tail[0].ref.Time <= last.to) {
		return nil, false
	}
	var fps []*match
	for _, e := range tail {
		if !e.fp {
			continue
		}
		end := int64(0)
		switch {
		case len(fps) > 0:
			end = fps[len(fps)-1].ref.Time
		case last != nil:
			end = last.to
		default:
			return nil, false // the first detection of the window
		}
		// One run grows; where it has to begin earlier, or another begins, the whole is looked at.
		if e.ref.Time-end > w.plan.t || e.start < last.from {
			return nil, false
		}
		fps = append(fps, e)
	}
	if len(fps) == 0 {
		return nil, true
	}
	d := last.out
	d.Steps = maps.Clone(d.Steps)
	d.Evidence = slices.Clip(d.Evidence)
	var added []incident.Evidence
	for _, m := range between(w.ms, last.to+1, fps[len(fps)-1].ref.Time) {
		d.EventCount++
		for s, p := range w.plan.rule.Patterns {
			if m.bits&(1<<s) == 0 {
				continue
			}
			if d.Steps[p.Name]++; d.Steps[p.Name] <= evidenceLimit {
				added = append(added, incident.Evidence{Detection: last.id, Step: p.Name, Event: m.ref})
			}
		}
	}
	for _, e := range fps {
		e.run = last
		d.Last = e.ref.Time
		d.Born, d.Reached = min(d.Born, e.ref.Arrival), max(d.Reached, e.ref.Time, e.ref.Arrival)
	}
	last.to = d.Last
	last.capped = last.capped || w.capped
	d.Capped = last.capped
	d.Evidence = append(d.Evidence, added...)
	last.out = d
	return []told{{detection: d, added: added}}, true
}

// lastRun returns the detection that ends last.
func (w *window) lastRun() *run {
	var last *run
	for _, r := range w.runs {
		if r.retracted == nil && (last == nil || r.to > last.to) {
			last = r
		}
	}
	return last
}
