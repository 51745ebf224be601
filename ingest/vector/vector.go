// SPDX-License-Identifier: Apache-2.0

// Package vector reads records that Vector forwards, in the shapes that its sources give them (protocols.md 3.6).
package vector

import (
	"strings"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/ingest/audit"
	"tocsin/ingest/falco"
	"tocsin/ingest/plain"
)

// Module is the module of a record that is Vector's own.
const Module = "vector"

// SourceEventID is the key under which a Record has the id that Vector gave the event when a source made it. Only Vector's
// native protocol carries one (protocols.md 3.4).
const SourceEventID = "vector.source_event_id"

// Origin is what Vector says of where a record comes from.
type Origin struct{ Namespace, Container, File string }

// Trust says what the `message` of a record may be read as: an alert of Falco, JSON of the application, an audit event of
// a Kubernetes API server.
type Trust struct{ Falco, JSON, Audit bool }

// Truster knows whose `message` may be read as what.
type Truster interface{ Trust(Origin) Trust }

// Parse makes an Event of a record from Vector.
func Parse(e *event.Event, rec event.Record, arrival int64, truster Truster) error {
	if err := plain.Read(e, rec, arrival); err != nil {
		return err
	}
	m := readMeta(e.Object())
	may := truster.Trust(m.origin())
	var inner value.Value
	if text, ok := m.message.Str(); ok && may != (Trust{}) && strings.HasPrefix(strings.TrimSpace(text), "{") {
		inner, _ = value.Parse([]byte(text)) // what is no JSON is a line of text
	}
	if may.Falco && falco.Is(inner) {
		return falco.FromObject(e, rec, inner)
	}
	if may.Audit && audit.Is(inner) {
		return audit.FromObject(e, rec, inner)
	}
	if may.JSON && inner.Exists() {
		if err := attach(e, rec.Raw, m.message); err != nil {
			return err
		}
		m = readMeta(e.Object())
	}
	m.describe(e)
	if may.JSON {
		plain.Lift(e, inner)
	}
	plain.Lift(e, e.Object())
	id, timed := m.naturalID(rec)
	plain.Identify(e, rec, plain.OwnTime(e, e.Object().Get("@timestamp"), e.Object().Get("timestamp")), id)
	if !timed {
		e.Identify(rec, id, 0)
	}
	plain.Finish(e, Module, "")
	return nil
}

// attach puts the application's own fields beside Vector's: raw.json.…. Where that nests too deep they stay text.
func attach(e *event.Event, raw []byte, message value.Value) error {
	text, _ := message.Str()
	object := strings.TrimSpace(string(raw))
	both := object[:len(object)-1] + `,"json":` + text + "}"
	if _, err := e.ParseObject([]byte(both)); err == nil {
		return nil
	}
	_, err := e.ParseObject(raw)
	return err
}
