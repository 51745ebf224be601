// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"sort"

	"tocsin/incident"
)

// told is one thing that a window says of its detections.
type told struct {
	detection incident.Detection
	gone      bool
	into      string // the detection that it was joined into
	removed   []incident.Evidence
	added     []incident.Evidence
}

// settle brings the detections up to date with the events and returns what changed. What
// it finds depends on the events that the window holds and not on the order
// in which they came. known says which detection of an origin there is already.
func (w *window) settle(known func(origin string) (incident.Known, bool)) []told {
	if !w.dirty {
		return nil
	}
	w.dirty = false
	tail := w.tail
	full := w.full
	w.full = false
	defer w.rest()
	if !full && !w.uneven() && !w.plan.alone {
		if out, ok := w.extend(tail, w.shown); ok {
			return out
		}
	}
	var fps []*match
	for _, m := range w.ms {
		if m.fp {
			fps = append(fps, m)
		}
	}
	groups := w.components(fps)
	claimed := make(map[*run]bool, len(groups))
	joined := make(map[*run]*run)
	owners := make([]*run, len(groups))
	for i, g := range groups {
		owners[i] = w.claim(g, claimed, joined, known)
	}
	var out []told
	for i, g := range groups {
		r := owners[i]
		for _, e := range g {
			e.run = r
		}
		r.firstTime, r.firstID = g[0].ref.Time, g[0].ref.ID
	}
	for i, g := range groups {
		if t, changed := w.tell(owners[i], g); changed {
			out = append(out, t)
		}
	}
	kept := w.runs[:0]
	for _, r := range w.runs {
		switch {
		case claimed[r] || r.retracted != nil:
			kept = append(kept, r)
		case r.folded && joined[r] == nil:
			kept = append(kept, r)
			if r.cause != "" { // it lost its last firing points, and keeps the forgotten ones
				r.cause = ""
				if t, changed := w.tell(r, nil); changed {
					out = append(out, t)
				}
			}
		case !r.told:
		case joined[r] != nil:
			out = append(out, told{detection: incident.Detection{ID: r.id}, gone: true, into: joined[r].id, removed: r.out.Evidence})
		default:
			r.retracted = &incident.Retraction{EventID: r.cause}
			r.out.Retracted = r.retracted
			out = append(out, told{detection: r.out})
			kept = append(kept, r)
		}
	}
	clear(w.runs[len(kept):])
	w.runs = kept
	return out
}

// linked reports whether two firing points belong to one run (F3).
func (w *window) linked(a, b *match) bool {
	return !w.plan.alone && sub(b.ref.Time, a.ref.Time) <= w.plan.t && w.plan.met(a, b)
}

// components groups firing points, ordered by time, into runs.
func (w *window) components(fps []*match) [][]*match {
	uf := newUnion(len(fps))
	var anchors map[*run]int
	for i, e := range fps {
		if r := e.run; r != nil && r.folded && sub(e.ref.Time, r.last) <= w.plan.t {
			if j, ok := anchors[r]; ok {
				uf.join(i, j)
			} else {
				if anchors == nil {
					anchors = make(map[*run]int)
				}
				anchors[r] = i
			}
		}
		if w.lates == 0 {
			if i > 0 && w.linked(fps[i-1], e) {
				uf.join(i-1, i)
			}
			continue
		}
		for j := i - 1; j >= 0 && sub(e.ref.Time, fps[j].ref.Time) <= w.plan.t; j-- {
			if w.linked(fps[j], e) {
				uf.join(i, j)
			}
		}
	}
	place := make(map[int]int)
	var out [][]*match
	for i, e := range fps {
		root := uf.find(i)
		at, ok := place[root]
		if !ok {
			at = len(out)
			place[root] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], e)
	}
	return out
}

// claim finds the run that a group of firing points continues: of those it touches the one whose
// first firing point is least; the others are joined into it.
func (w *window) claim(g []*match, claimed map[*run]bool, joined map[*run]*run, known func(string) (incident.Known, bool)) *run {
	var candidates []*run
	seen := make(map[*run]bool)
	for _, e := range g {
		if r := e.run; r != nil && !seen[r] {
			seen[r] = true
			candidates = append(candidates, r)
		}
	}
	sort.Slice(candidates, func(i, j int) bool { return candidates[i].less(candidates[j]) })
	var best *run
	for _, r := range candidates {
		// A folded part stays with the firing points that are still in reach of it.
		if claimed[r] || r.folded && sub(g[0].ref.Time, r.last) > w.plan.t {
			continue
		}
		if best == nil {
			best = r
			continue
		}
		joined[r] = best
		best.absorb(r)
		r.folded = false
	}
	if best == nil {
		best = w.newRun(g[0], known)
	}
	claimed[best] = true
	delete(joined, best)
	return best
}

func (r *run) less(o *run) bool {
	if r.firstTime != o.firstTime {
		return r.firstTime < o.firstTime
	}
	return string(r.firstID[:]) < string(o.firstID[:])
}

// tell works out the detection that a run and its firing points make, and
// whether it differs from what was told last.
func (w *window) tell(r *run, g []*match) (told, bool) {
	d := incident.Detection{ID: r.id, Key: w.key, Life: r.life}
	first := r.firingID
	if r.folded {
		d.First, d.Last, d.FirstFiring = r.start, r.last, r.firing
		d.Born, d.Reached = r.born, r.reached
	}
	for i, e := range g {
		if i == 0 && (!r.folded || e.ref.Time < r.firing || e.ref.Time == r.firing && string(e.ref.ID[:]) < string(first[:])) {
			first, d.FirstFiring = e.ref.ID, e.ref.Time
		}
		if i == 0 && !r.folded {
			d.First, d.Last, d.Born = e.start, e.ref.Time, e.ref.Arrival
		}
		d.First, d.Last = min(d.First, e.start), max(d.Last, e.ref.Time)
		d.Born, d.Reached = min(d.Born, e.ref.Arrival), max(d.Reached, e.ref.Time, e.ref.Arrival)
	}
	r.from, r.to = d.First, d.Last
	d.EventCount, d.Late = r.count, r.late
	steps := append([]int64(nil), r.steps...)
	ev := append([]evidence(nil), r.evidence...)
	taken := make([]int, len(steps))
	uneven, interval := w.uneven(), between(w.ms, d.First, d.Last)
	if w.plan.alone {
		uneven, interval = false, g
	}
	for _, m := range interval {
		if uneven && !w.enrol(m, r, g) {
			continue
		}
		d.EventCount++
		if m.late {
			d.Late++
		}
		for s := range steps {
			if m.bits&(1<<s) == 0 {
				continue
			}
			steps[s]++
			if taken[s]++; taken[s] <= evidenceLimit || m.ref.ID == first {
				ev = append(ev, evidence{m.ref, s})
			}
		}
	}
	r.capped = r.capped || w.capped
	d.Capped = r.capped
	d.Steps = make(map[string]int64, len(steps))
	for s, n := range steps {
		if n > 0 {
			d.Steps[w.plan.rule.Patterns[s].Name] = n
		}
	}
	for _, e := range earliest(ev, first, true) {
		d.Evidence = append(d.Evidence, incident.Evidence{
			Detection: r.id, Step: w.plan.rule.Patterns[e.step].Name, Event: e.ref,
		})
	}
	if !r.told && r.again != nil && r.again.Covers(d) {
		return told{}, false // some of its events came again: what is known of it is more
	}
	t := told{detection: d}
	t.added, t.removed = difference(r.out.Evidence, d.Evidence)
	if r.told && len(t.added) == 0 && len(t.removed) == 0 && sameDetection(r.out, d) {
		return told{}, false
	}
	r.out, r.told, r.retracted = d, true, nil
	return t, true
}

// enrol decides, where late events are about, whether a run counts an event of its interval: it must
// have met a firing point of the run within T.
func (w *window) enrol(m *match, r *run, g []*match) bool {
	for i, c := range m.counted {
		if c != r {
			continue
		}
		if r.folded {
			return true // by a firing point that may be folded by now
		}
		m.countIn(append(m.counted[:i], m.counted[i+1:]...))
		break
	}
	for _, e := range between(g, add(m.ref.Time, -w.plan.t), add(m.ref.Time, w.plan.t)) {
		if e == m || w.plan.met(e, m) {
			m.countIn(append(m.counted, r))
			return true
		}
	}
	return false
}

func sameDetection(a, b incident.Detection) bool {
	if a.First != b.First || a.Last != b.Last || a.FirstFiring != b.FirstFiring || a.EventCount != b.EventCount ||
		a.Late != b.Late || a.Capped != b.Capped || a.Born != b.Born || a.Reached != b.Reached ||
		(a.Retracted == nil) != (b.Retracted == nil) || len(a.Steps) != len(b.Steps) {
		return false
	}
	for s, n := range a.Steps {
		if b.Steps[s] != n {
			return false
		}
	}
	return true
}

// difference returns what is in b and not in a, and in a and not in b; both are ordered.
func difference(a, b []incident.Evidence) (added, removed []incident.Evidence) {
	type id struct {
		event [16]byte
		step  string
	}
	had := make(map[id]bool, len(a))
	for _, e := range a {
		had[id{e.Event.ID, e.Step}] = true
	}
	for _, e := range b {
		k := id{e.Event.ID, e.Step}
		if had[k] {
			delete(had, k)
		} else {
			added = append(added, e)
		}
	}
	for _, e := range a {
		if had[id{e.Event.ID, e.Step}] {
			removed = append(removed, e)
		}
	}
	return added, removed
}

// union is a disjoint-set forest.
type union []int

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = i
	}
	return u
}

func (u union) find(i int) int {
	for u[i] != i {
		u[i] = u[u[i]]
		i = u[i]
	}
	return i
}

func (u union) join(i, j int) {
	a, b := u.find(i), u.find(j)
	if a != b {
		u[max(a, b)] = min(a, b)
	}
}
