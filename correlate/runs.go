// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"bytes"
	"slices"
	"sort"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// evidenceLimit is how many events of each step are evidence (F4).
const evidenceLimit = 100

// run is a detection in the making: a maximal run of firing points (F3). Its folded part has
// what events that the window has forgotten gave to it.
type run struct {
	id   string
	life incident.Life
	// again is what the chain knew of it when it began, nil if nothing: it is told when it is more than that.
	again *incident.Known
	// firstTime and firstID are those of its first firing point when it was last settled.
	firstTime int64
	firstID   event.ID

	folded    bool // start to reached are set
	start     int64
	last      int64
	firing    int64 // first firing point, and which event it was
	firingID  event.ID
	born      int64
	reached   int64
	count     int64
	late      int64
	steps     []int64
	evidence  []evidence
	retracted *incident.Retraction
	capped    bool
	cause     string

	// out is what was last told of it.
	out  incident.Detection
	told bool
	// interval as settled, for folding.
	from, to int64
}

type evidence struct {
	ref  rules.EventRef
	step int
}

func (e evidence) before(o evidence) bool {
	if e.ref.Time != o.ref.Time {
		return e.ref.Time < o.ref.Time
	}
	if c := bytes.Compare(e.ref.ID[:], o.ref.ID[:]); c != 0 {
		return c < 0
	}
	return e.step < o.step
}

// counts reports whether the settled run counts m.
func (r *run) counts(m *match, uneven bool) bool {
	if r.retracted != nil || m.ref.Time < r.from || m.ref.Time > r.to {
		return false
	}
	if !uneven {
		return true
	}
	return slices.Contains(m.counted, r)
}

// fold takes in an event that the window forgets.
func (r *run) fold(m *match) {
	r.count++
	if m.late {
		r.late++
	}
	for s := range r.steps {
		if m.bits&(1<<s) != 0 {
			r.steps[s]++
			r.evidence = append(r.evidence, evidence{m.ref, s})
		}
	}
	if m.fp && m.run == r {
		if !r.folded || m.start < r.start {
			r.start = m.start
		}
		if !r.folded || m.ref.Time > r.last {
			r.last = m.ref.Time
		}
		if !r.folded || m.ref.Time < r.firing || m.ref.Time == r.firing && bytes.Compare(m.ref.ID[:], r.firingID[:]) < 0 {
			r.firing, r.firingID = m.ref.Time, m.ref.ID
		}
		if !r.folded || m.ref.Arrival < r.born {
			r.born = m.ref.Arrival
		}
		r.reached = max(r.reached, m.ref.Time, m.ref.Arrival)
		r.folded = true
	}
	r.evidence = earliest(r.evidence, r.firingID, r.folded)
}

// absorb takes in the folded part of a run that was joined into this one.
func (r *run) absorb(o *run) {
	r.count += o.count
	r.late += o.late
	for s := range r.steps {
		r.steps[s] += o.steps[s]
	}
	r.evidence = append(r.evidence, o.evidence...)
	if o.folded {
		if !r.folded || o.start < r.start {
			r.start = o.start
		}
		if !r.folded || o.last > r.last {
			r.last = o.last
		}
		if !r.folded || o.firing < r.firing || o.firing == r.firing && bytes.Compare(o.firingID[:], r.firingID[:]) < 0 {
			r.firing, r.firingID = o.firing, o.firingID
		}
		if !r.folded || o.born < r.born {
			r.born = o.born
		}
		r.reached = max(r.reached, o.reached)
		r.folded = true
	}
	r.evidence = earliest(r.evidence, r.firingID, r.folded)
	r.capped = r.capped || o.capped
}

// earliest keeps the earliest events of each step, and those of the first firing point.
func earliest(ev []evidence, first event.ID, known bool) []evidence {
	sort.Slice(ev, func(i, j int) bool { return ev[i].before(ev[j]) })
	var seen [rules.MaxPatterns]int
	kept := ev[:0]
	for i, e := range ev {
		if i > 0 && len(kept) > 0 && kept[len(kept)-1].ref.ID == e.ref.ID && kept[len(kept)-1].step == e.step {
			continue
		}
		if seen[e.step]++; seen[e.step] <= evidenceLimit || known && e.ref.ID == first {
			kept = append(kept, e)
		}
	}
	clear(ev[len(kept):])
	return kept
}

// sweepRuns lets go of detections that no event of the window can change any more.
func (w *window) sweepRuns() {
	live := make(map[*run]bool)
	for _, m := range w.ms {
		if m.run != nil {
			live[m.run] = true
		}
	}
	kept := w.runs[:0]
	for _, r := range w.runs {
		if live[r] || len(between(w.ms, r.from, r.to)) > 0 {
			kept = append(kept, r)
		}
	}
	clear(w.runs[len(kept):])
	w.runs = kept
}
