// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// notFrozen is the note of evidence that came without its bytes.
const notFrozen = "the record was not at hand when this was committed"

// detections are the rows that a commit's detections make.
type detections struct{ changed, moved, gone, removed [][]any }

// placed returns the ids of those that may have come into an incident, or have new evidence.
func (d *detections) placed() [][]any { return d.into(func([]byte) bool { return true }) }

// into returns the ids of those of them that are in such an incident; nil is in none.
func (d *detections) into(such func(incident []byte) bool) [][]any {
	out := make([][]any, 0, len(d.changed)+len(d.moved))
	add := func(rows [][]any, column int) {
		for _, row := range rows {
			if in, _ := row[column].([]byte); such(in) {
				out = append(out, row[:1])
			}
		}
	}
	add(d.changed, 2)
	add(d.moved, 1)
	return out
}

// detectionRows expects one change for each detection, as the engine gives them; of several the last one counts.
func detectionRows(c store.Commit) (d detections, err error) {
	last := lastOf(c.Changes.Detections, func(x correlate.DetectionChange) string { return x.Detection.ID })
	for i, x := range c.Changes.Detections {
		id, err := parseID(x.Detection.ID)
		if err != nil {
			return d, fmt.Errorf("detection: %w", err)
		}
		for _, e := range x.Removed {
			d.removed = append(d.removed, []any{id, append([]byte(nil), e.Event.ID[:]...), clean(e.Step)})
		}
		if last[x.Detection.ID] != i {
			continue
		}
		// A detection that a limit kept out of every incident is kept too: it may be let in later.
		var in []byte
		if x.Incident != "" {
			if in, err = parseID(x.Incident); err != nil {
				return d, fmt.Errorf("detection %s: %w", x.Detection.ID, err)
			}
		}
		switch {
		case x.Gone:
			d.gone = append(d.gone, []any{id})
		case x.Moved:
			d.moved = append(d.moved, []any{id, in})
		default:
			row, err := detectionRow(c.Partition, id, in, x.Detection)
			if err != nil {
				return d, fmt.Errorf("detection %s: %w", x.Detection.ID, err)
			}
			d.changed = append(d.changed, row)
		}
	}
	return d, nil
}

func detectionRow(partition int, id, in []byte, d incident.Detection) ([]any, error) {
	steps, err := list(d.Steps)
	if err != nil {
		return nil, err
	}
	var by incident.Retraction
	if d.Retracted != nil {
		by = *d.Retracted
	}
	return []any{
		id, int64(partition), in, []byte(d.Key), d.First,
		d.Last, d.FirstFiring, d.EventCount, d.Late, steps,
		d.Capped, d.Retracted != nil, clean(by.EventID), by.Time,
	}, nil
}

type evidenceKey struct {
	detection string
	event     event.ID
	step      string
}

// detectionPlace is where a piece of a detection's evidence was.
type detectionPlace struct {
	detection string
	incident.Place
}

// evidenceRows returns a row for each piece of evidence that the commit adds, with its bytes where it has them, and the places
// of each detection's.
func evidenceRows(c store.Commit) (out, places [][]any, err error) {
	seen := make(map[evidenceKey]bool, len(c.Evidence))
	been := make(map[detectionPlace]bool)
	out = make([][]any, 0, len(c.Evidence))
	add := func(detection, step string, ref rules.EventRef, item incident.EvidenceItem) error {
		k := evidenceKey{detection, ref.ID, step}
		if seen[k] {
			return nil
		}
		seen[k] = true
		row, err := evidenceRow(detection, step, ref, item)
		if err != nil {
			return fmt.Errorf("evidence of detection %s: %w", cut(detection, 64), err)
		}
		out = append(out, row)
		fields := item.Fields
		if fields == nil {
			fields = ref.About.Fields()
		}
		at := incident.PlaceOf(fields)
		at.Cluster, at.Namespace = label(at.Cluster), label(at.Namespace)
		if x := (detectionPlace{detection, at}); at != (incident.Place{}) && !been[x] {
			been[x] = true
			places = append(places, []any{row[0], at.Cluster, at.Namespace})
		}
		return nil
	}
	for _, e := range c.Evidence {
		if err := add(e.Detection, e.Step, e.Ref, e.Item); err != nil {
			return nil, nil, err
		}
	}
	for _, d := range c.Changes.Detections {
		for _, e := range d.Added {
			if err := add(d.Detection.ID, e.Step, e.Event, incident.EvidenceItem{Note: notFrozen}); err != nil {
				return nil, nil, err
			}
		}
	}
	return out, places, nil
}

func evidenceRow(detection, step string, ref rules.EventRef, item incident.EvidenceItem) ([]any, error) {
	id, err := parseID(detection)
	if err != nil {
		return nil, err
	}
	if item.Fields == nil {
		item.Fields = ref.About.Fields()
	}
	if item.EventID == "" {
		item.EventID = ref.About.EventID()
	}
	if item.Source == "" {
		item.Source = ref.About.Source()
	}
	return []any{
		id, append([]byte(nil), ref.ID[:]...), clean(step), ref.Time, ref.Arrival, int64(ref.Seq),
		int64(ref.Index), clean(item.EventID), clean(item.Source), clean(item.Message), packFields(item.Fields), pack(item.Raw),
		clean(item.SHA256), clean(item.Note),
	}, nil
}
