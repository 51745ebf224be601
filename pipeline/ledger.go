// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
)

// ledger keeps in memory what an engine says, as a store would: replay and rule tests read it.
type ledger struct {
	incidents  map[string]incident.Incident
	detections map[string]incident.Detection
	in         map[string]string // incident by detection
	stats      map[string]correlate.Stats
}

func newLedger() *ledger {
	return &ledger{
		incidents: make(map[string]incident.Incident), detections: make(map[string]incident.Detection),
		in: make(map[string]string), stats: make(map[string]correlate.Stats),
	}
}

func (l *ledger) apply(c correlate.Changes) {
	for _, in := range c.Incidents {
		l.incidents[in.ID] = in
	}
	for _, d := range c.Detections {
		id := d.Detection.ID
		if d.Gone {
			delete(l.detections, id)
			delete(l.in, id)
			continue
		}
		if !d.Moved {
			l.detections[id] = d.Detection
		}
		l.in[id] = d.Incident
	}
	for _, s := range c.Stats {
		l.stats[s.Rule] = s
	}
}

// views returns the final incidents, sorted by first event, rule and key. Their ids and those of their detections
// name what they are rather than how they came to be, so that equal
// incidents print equal lines (I6).
func (l *ledger) views() []incident.View {
	byIncident := make(map[string][]incident.Detection)
	for id, d := range l.detections {
		if d.Retracted == nil {
			byIncident[l.in[id]] = append(byIncident[l.in[id]], d)
		}
	}
	type row struct {
		view incident.View
		key  string
	}
	var rows []row
	news := l.news()
	for id, in := range l.incidents {
		ds := byIncident[id]
		if in.MergedInto != "" || in.Retracted || len(ds) == 0 || !news[id] {
			continue
		}
		for i := range ds {
			ds[i].ID = nameOf(in.Rule.Revision, string(ds[i].Key), ds[i])
		}
		sort.Slice(ds, func(i, j int) bool {
			if ds[i].First != ds[j].First {
				return ds[i].First < ds[j].First
			}
			return ds[i].ID < ds[j].ID
		})
		in.ID = nameOf("incident", ds[0].ID, incident.Detection{})
		in.Revision, in.UpdatedAt = 1, in.LastEvent
		in.Title = in.Rule.RenderTitle(firstFields(ds))
		rows = append(rows, row{in.View(ds), string(in.Key)})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.view.FirstEvent, b.view.FirstEvent), cmp.Compare(a.view.Rule.ID, b.view.Rule.ID), cmp.Compare(a.key, b.key),
			cmp.Compare(a.view.ID, b.view.ID), cmp.Compare(a.view.DetectionCount, b.view.DetectionCount), cmp.Compare(a.view.LastEvent, b.view.LastEvent))
	})
	out := make([]incident.View, len(rows))
	again := int64(0) // of one that begins with a copy of what the one before it begins with
	for i := range rows {
		out[i] = rows[i].view
		if again++; i == 0 || out[i].ID != rows[i-1].view.ID {
			again = 0
		} else {
			out[i].ID = nameOf("incident", out[i].ID, incident.Detection{EventCount: again})
		}
	}
	return out
}

func firstFields(ds []incident.Detection) map[string]any {
	var first *incident.Evidence
	for i := range ds {
		for j := range ds[i].Evidence {
			e := &ds[i].Evidence[j]
			if first == nil || e.Event.Time < first.Event.Time ||
				e.Event.Time == first.Event.Time && bytes.Compare(e.Event.ID[:], first.Event.ID[:]) < 0 {
				first = e
			}
		}
	}
	if first == nil {
		return nil
	}
	return first.Event.About.Fields()
}

// nameOf hashes what a detection is.
func nameOf(rule, key string, d incident.Detection) string {
	w := event.Writer{}
	w.String(rule)
	w.String(key)
	for _, v := range []int64{d.First, d.Last, d.FirstFiring, d.EventCount} {
		w.Int(v)
	}
	for _, e := range d.Evidence {
		w.String(e.Step)
		w.ID(e.Event.ID)
	}
	sum := sha256.Sum256(w.B)
	return hex.EncodeToString(sum[:16])
}
