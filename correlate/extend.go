// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"tocsin/incident"
	"tocsin/rules"
)

// extend settles a window to which events came in order, at the end, and of which firing points showed in order: the
// last detection grows. It is what settle would find, without looking at the rest of the window. ok is false if it
// takes the whole, as where another detection begins; nothing is changed then.
func (w *window) extend(tail, shown []*match) (out []told, ok bool) {
	last := w.lastRun()
	if last == nil {
		return nil, len(shown) == 0
	}
	if !last.told || len(tail) > 0 && tail[0].ref.Time < last.to {
		return nil, false
	}
	slices.SortFunc(shown, (*match).compare)
	end := last.to
	for _, e := range shown {
		if e.ref.Time < end || sub(e.ref.Time, end) > w.plan.t || e.start < last.from || last.mayBeginWith(e) {
			return nil, false
		}
		end = e.ref.Time
	}
	var more []*match
	for _, m := range tail {
		if m.ref.Time == last.to {
			more = append(more, m) // it came into the interval as it was
		}
	}
	even := len(more) > 0
	if even && w.displaces(last, more) {
		return nil, false
	}
	slices.SortFunc(more, (*match).compare)
	if more = append(more, between(w.ms, add(last.to, 1), end)...); len(more) == 0 && len(shown) == 0 {
		return nil, true
	}
	d := last.out
	added := w.grow(&d, more)
	for _, e := range shown {
		e.run = last
		d.Last = e.ref.Time
		d.Born, d.Reached = min(d.Born, e.ref.Arrival), max(d.Reached, e.ref.Time, e.ref.Arrival)
	}
	last.to = d.Last
	last.capped = last.capped || w.capped
	d.Capped = last.capped
	d.Evidence = append(slices.Clip(d.Evidence), added...)
	if even && len(added) > 0 {
		w.plan.sortEvidence(d.Evidence)
	}
	last.out = d
	return []told{{detection: d, added: added}}, true
}

// mayBeginWith reports whether an event may be the first firing point of the run, in the place of another.
func (r *run) mayBeginWith(e *match) bool {
	return e.ref.Time == r.out.FirstFiring &&
		(r.folded || e.ref.Time != r.firstTime || bytes.Compare(e.ref.ID[:], r.firstID[:]) < 0)
}

// sortEvidence puts evidence in the order that settle has it in.
func (p *plan) sortEvidence(ev []incident.Evidence) {
	step := func(e incident.Evidence) int {
		return slices.IndexFunc(p.rule.Patterns, func(x rules.Pattern) bool { return x.Name == e.Step })
	}
	slices.SortFunc(ev, func(a, b incident.Evidence) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), bytes.Compare(a.Event.ID[:], b.Event.ID[:]), cmp.Compare(step(a), step(b)))
	})
}

// grow counts events in a detection, and returns those that are evidence.
func (w *window) grow(d *incident.Detection, more []*match) (added []incident.Evidence) {
	d.Steps = maps.Clone(d.Steps)
	for _, m := range more {
		d.EventCount++
		for s, p := range w.plan.rule.Patterns {
			if m.bits&(1<<s) == 0 {
				continue
			}
			if d.Steps[p.Name]++; d.Steps[p.Name] <= evidenceLimit {
				added = append(added, incident.Evidence{Detection: d.ID, Step: p.Name, Event: m.ref})
			}
		}
	}
	return added
}

// displaces reports whether events of the last time of a detection may be evidence in the place of others.
func (w *window) displaces(r *run, more []*match) bool {
	for s, p := range w.plan.rule.Patterns {
		if r.out.Steps[p.Name]+int64(len(more)) <= evidenceLimit {
			continue
		}
		for _, e := range r.out.Evidence {
			o := match{ref: e.Event}
			if e.Step == p.Name && slices.ContainsFunc(more, func(m *match) bool { return m.bits&(1<<s) != 0 && m.before(&o) }) {
				return true
			}
		}
	}
	return false
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
