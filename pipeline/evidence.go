// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// noteDropped is what evidence says whose bytes retention had dropped before they were frozen.
const noteDropped = "the record was no longer in the stream when this became evidence; these are the fields that the rule used"

// freeze fetches the bytes of what became evidence.
func (o *owner) freeze(ctx context.Context, changes []correlate.DetectionChange) ([]store.Evidence, error) {
	var out []store.Evidence
	items := make(map[event.ID]incident.EvidenceItem)
	for _, d := range changes {
		for _, e := range d.Added {
			item, ok := items[e.Event.ID]
			if !ok {
				var err error
				if item, err = o.item(ctx, e.Event); err != nil {
					return nil, err
				}
				items[e.Event.ID] = item
			}
			item.Step = e.Step
			out = append(out, store.Evidence{
				Detection: d.Detection.ID, Incident: d.Incident, Step: e.Step, Ref: e.Event, Item: item,
			})
		}
	}
	return out, nil
}

// item reads one record again and prints it as evidence.
func (o *owner) item(ctx context.Context, ref rules.EventRef) (incident.EvidenceItem, error) {
	item := incident.EvidenceItem{
		EventID: ref.About.EventID(), Time: event.Stamp(ref.Time), Source: ref.About.Source(), Fields: ref.About.Fields(),
	}
	rec, ok, err := o.Streams.Record(ctx, ref.Seq, ref.Index)
	if err != nil {
		return item, fmt.Errorf("evidence %s: %w", ref.About.EventID(), err)
	}
	if ok {
		e, err := o.Parser.Parse(rec, ref.Arrival)
		if err == nil && e.ID == ref.ID {
			return Evidence(item, e), nil
		}
	}
	// Another record has the sequence, or none.
	item.Note = noteDropped
	return item, nil
}

// Evidence fills an item from the event whose record was found.
func Evidence(item incident.EvidenceItem, e *event.Event) incident.EvidenceItem {
	item.Fields = e.Fields()
	item.Message, _ = e.Get(event.Message).(string)
	sum := sha256.Sum256(e.Original)
	item.SHA256 = hex.EncodeToString(sum[:])
	item.Raw = RawJSON(e.Original)
	return item
}

// RawJSON returns a record verbatim if it is JSON, else as a JSON string.
func RawJSON(b []byte) json.RawMessage {
	if json.Valid(b) {
		return json.RawMessage(b)
	}
	s, _ := json.Marshal(string(b)) // a string always encodes
	return s
}
