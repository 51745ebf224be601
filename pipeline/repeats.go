// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"slices"

	"tocsin/event"
	"tocsin/incident"
)

// news has the incidents that stand by themselves: those with an event that no incident of the same rule and key had before, as a store sees it.
func (l *ledger) news() map[string]bool {
	type group struct{ revision, key string }
	groups := make(map[group][]incident.Incident)
	for _, in := range l.incidents {
		g := group{in.Rule.Revision, string(in.Key)}
		groups[g] = append(groups[g], in)
	}
	of, born := make(map[string][]incident.Detection), make(map[string]int64)
	for id, d := range l.detections {
		in := l.in[id]
		if len(of[in]) == 0 || d.Born < born[in] {
			born[in] = d.Born
		}
		of[in] = append(of[in], d)
	}
	out := make(map[string]bool)
	for _, ins := range groups {
		slices.SortFunc(ins, func(a, b incident.Incident) int {
			return cmp.Or(cmp.Compare(born[a.ID], born[b.ID]), cmp.Compare(a.ID, b.ID))
		})
		told := told{events: make(map[event.ID]bool)}
		for _, in := range ins {
			ds := of[in.ID]
			if out[in.ID] = !in.Again || slices.ContainsFunc(ds, told.lacks); out[in.ID] {
				told.add(ds)
			}
		}
	}
	return out
}

// told is what somebody was told of: events that are evidence, and detections of more events than they keep as evidence.
type told struct {
	events map[event.ID]bool
	large  []incident.Detection
}

func (t *told) add(ds []incident.Detection) {
	for _, d := range ds {
		if d.Retracted != nil {
			continue
		}
		for _, e := range d.Evidence {
			t.events[e.Event.ID] = true
		}
		if isLarge(d) {
			t.large = append(t.large, d)
		}
	}
}

// isLarge reports whether a detection has more events than it keeps as evidence.
func isLarge(d incident.Detection) bool {
	own := make(map[event.ID]bool, len(d.Evidence))
	for _, e := range d.Evidence {
		own[e.Event.ID] = true
	}
	return int64(len(own)) < d.EventCount
}

// lacks reports whether a detection has an event that nobody was told of, or may have one that it does not keep as evidence.
func (t *told) lacks(d incident.Detection) bool {
	if d.Retracted != nil || slices.ContainsFunc(t.large, func(o incident.Detection) bool {
		return o.First <= d.First && o.Last >= d.Last && o.EventCount >= d.EventCount
	}) {
		return false
	}
	return isLarge(d) || slices.ContainsFunc(d.Evidence, func(e incident.Evidence) bool { return !t.events[e.Event.ID] })
}
