// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"maps"
	"slices"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/store"
)

// book has the rows that commits write, as package store promises: absolute values, an incident's guarded by its revision.
type book struct {
	incidents  map[string]incidentRow
	detections map[string]detectionRow
	evidence   map[evidenceKey]store.Evidence
	stats      map[statsKey]correlate.Stats
	outbox     []outboxRow
	queued     map[outboxKey]bool
}

type incidentRow struct {
	partition int
	incident  incident.Incident
}

type detectionRow struct {
	partition int
	incident  string
	detection incident.Detection
}

type evidenceKey struct {
	detection string
	event     event.ID
	step      string
}

type statsKey struct {
	partition int
	rule      string
}

type outboxRow struct {
	partition int
	item      store.OutboxItem
}

type outboxKey struct {
	incident            string
	revision            int64
	receiver, detection string
}

func newBook() *book {
	return &book{
		incidents: make(map[string]incidentRow), detections: make(map[string]detectionRow),
		evidence: make(map[evidenceKey]store.Evidence), stats: make(map[statsKey]correlate.Stats), queued: make(map[outboxKey]bool),
	}
}

// write writes all of a commit. What it keeps of the engine's it copies.
func (b *book) write(c store.Commit) {
	for _, d := range c.Changes.Detections {
		id := d.Detection.ID
		if d.Gone {
			maps.DeleteFunc(b.evidence, func(k evidenceKey, _ store.Evidence) bool { return k.detection == id })
			delete(b.detections, id)
		}
		for _, e := range d.Removed {
			delete(b.evidence, evidenceKey{id, e.Event.ID, e.Step})
		}
	}
	for _, in := range c.Changes.Incidents {
		if old, ok := b.incidents[in.ID]; ok && in.Revision <= old.incident.Revision {
			continue
		}
		in.Changed = 0
		in.Sources, in.Entities = slices.Clone(in.Sources), slices.Clone(in.Entities)
		b.incidents[in.ID] = incidentRow{c.Partition, in}
	}
	for _, d := range c.Changes.Detections {
		id := d.Detection.ID
		row, known := b.detections[id]
		switch {
		case d.Gone, d.Moved && !known:
			continue
		case !d.Moved:
			row = detectionRow{partition: c.Partition, detection: d.Detection}
			row.detection.Steps, row.detection.Evidence = maps.Clone(d.Detection.Steps), slices.Clone(d.Detection.Evidence)
		}
		row.incident = d.Incident
		b.detections[id] = row
	}
	for _, e := range c.Evidence {
		k := evidenceKey{e.Detection, e.Ref.ID, e.Step}
		if _, frozen := b.evidence[k]; !frozen {
			b.evidence[k] = e
		}
	}
	for _, x := range c.Changes.Closed {
		b.close(x)
	}
	for _, s := range c.Changes.Stats {
		b.stats[statsKey{c.Partition, s.Rule}] = s
	}
	for _, o := range c.Outbox {
		b.queue(c.Partition, o)
	}
	for _, in := range c.Changes.Incidents {
		b.tellEnd(c.Partition, in.ID)
	}
}

func (b *book) queue(partition int, o store.OutboxItem) {
	k := outboxKey{o.Incident, o.Revision, o.Receiver, o.Detection}
	if !b.queued[k] {
		b.queued[k] = true
		b.outbox = append(b.outbox, outboxRow{partition, o})
	}
}

// tellEnd queues an alert that an incident is over, to each receiver that was told of it and not of its end.
func (b *book) tellEnd(partition int, id string) {
	in, kind := b.incidents[id].incident, ""
	switch {
	case in.Rule == nil, in.Rule.Shadow: // in shadow nobody hears of it
		return
	case in.Retracted:
		kind = "retracted"
	case in.ClosedAt != 0:
		kind = "closed"
	case in.MergedInto != "":
		kind = "merged"
	default:
		return
	}
	told := make(map[string]bool) // of its end, too
	for _, r := range b.outbox {
		if o := r.item; o.Incident == id && o.Kind != "detected" {
			told[o.Receiver] = told[o.Receiver] || slices.Contains([]string{"retracted", "closed", "merged"}, o.Kind)
		}
	}
	for _, receiver := range slices.Sorted(maps.Keys(told)) {
		if !told[receiver] {
			b.queue(partition, store.OutboxItem{Incident: id, Revision: in.Revision, Receiver: receiver, Kind: kind})
		}
	}
}

// close closes what an incident became that its engine has forgotten.
func (b *book) close(x correlate.Close) {
	row, ok := b.incidents[x.Incident]
	for ok && row.incident.MergedInto != "" {
		row, ok = b.incidents[row.incident.MergedInto]
	}
	if !ok || row.incident.ClosedAt != 0 {
		return
	}
	in := &row.incident
	in.ClosedAt, in.Verdict, in.ClosedBy, in.UpdatedAt = x.At, x.Verdict, x.By, max(in.UpdatedAt, x.At)
	in.Revision++
	b.incidents[in.ID] = row
	b.tellEnd(row.partition, in.ID)
}

func (b *book) placeOf(id string) (store.Place, error) {
	row, ok := b.incidents[id]
	if !ok {
		return store.Place{}, incident.ErrNotFound
	}
	in := row.incident
	out := store.Place{
		Partition: row.partition, RuleID: in.Rule.ID, Rule: in.Rule.Revision, Group: in.Key, Status: incident.New,
		Verdict: in.Verdict, MergedInto: in.MergedInto, Revision: in.Revision,
	}
	if in.ClosedAt != 0 {
		out.Status = incident.Closed
	}
	return out, nil
}

// views are the incidents as the store shows them, with the evidence that has its own rows: neither merged nor retracted ones.
func (b *book) views() []incident.View {
	detections := make(map[string][]incident.Detection)
	for id, row := range b.detections {
		d := row.detection
		if d.Retracted != nil {
			continue
		}
		d.Evidence = b.evidenceOf(id)
		detections[row.incident] = append(detections[row.incident], d)
	}
	var out []incident.View
	for id, row := range b.incidents {
		if in := row.incident; in.MergedInto == "" && !in.Retracted && len(detections[id]) > 0 {
			out = append(out, in.View(detections[id]))
		}
	}
	return out
}
