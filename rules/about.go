// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"tocsin/event"
)

// EventRef is what correlation and evidence need of an Event. A window may hold millions of them: what only people ask
// for is packed.
type EventRef struct {
	ID event.ID
	// Time and Arrival are Unix nanoseconds.
	Time, Arrival int64
	// Seq and Index lead to the Record: EVENTS sequence, place in the batch.
	Seq   uint64
	Index uint32
	About About
}

// About packs what people see of an event: the source's own id, the module, and the canonical fields that the rule, its
// title and the incident's entities need.
type About string

// NewAbout packs; the fields are a subset of event.Fields().
func NewAbout(eventID, source string, fields map[string]any) About {
	w := event.Writer{}
	w.String(eventID)
	w.String(source)
	w.Value(fields)
	return About(w.B)
}

// aboutEvent packs the fields of an event that are there, which are in order of their names.
func aboutEvent(scratch []byte, source string, e *event.Event, fields []event.Field) []byte {
	w := event.Writer{B: scratch[:0]}
	w.String(e.EventID)
	w.String(source)
	n := 0
	for _, f := range fields {
		if e.Field(f).Exists() {
			n++
		}
	}
	w.B = event.AppendObject(w.B, n)
	for _, f := range fields {
		if v := e.Field(f); v.Exists() {
			w.B = event.Append(event.AppendValue(w.B, f.Name()), v)
		}
	}
	return w.B
}

// cut splits off a string as [event.Writer] writes it.
func (a About) cut() (head string, rest About) {
	var n uint64
	for i := 0; i < len(a) && i < 10; i++ {
		n |= uint64(a[i]&0x7f) << (7 * i)
		if a[i] < 0x80 {
			if n > uint64(len(a)-i-1) {
				break
			}
			at := i + 1 + int(n)
			return string(a[i+1 : at]), a[at:]
		}
	}
	return "", ""
}

// EventID is the source's own id, else the identity's hash.
func (a About) EventID() string {
	id, _ := a.cut()
	return id
}

// Source is the event's module.
func (a About) Source() string {
	_, rest := a.cut()
	source, _ := rest.cut()
	return source
}

// Fields unpacks the fields.
func (a About) Fields() map[string]any {
	_, rest := a.cut()
	_, rest = rest.cut()
	v, _, err := event.ReadValue([]byte(rest))
	if err != nil {
		return nil
	}
	fields, _ := v.(map[string]any)
	return fields
}

// byName sorts fields as they are packed.
func byName(fields []event.Field) []event.Field {
	slices.SortFunc(fields, func(a, b event.Field) int {
		switch x, y := a.Name(), b.Name(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return fields
}
