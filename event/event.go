// SPDX-License-Identifier: Apache-2.0

package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unsafe"

	"tocsin/event/value"
)

// ID is the identity of an Event: two Records with equal IDs are the same
// Event and count once (architecture.md, "Exactly once, in effect").
type ID [16]byte

// String returns the ID as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Record is one thing as a source sent it: raw bytes plus provenance. Ingest
// makes Records and never interprets them.
type Record struct {
	// Input names the configured input (token or endpoint) that took the Record.
	// It scopes identities, so that one source cannot suppress another's Events.
	Input string
	// Source names the parser: "falco", "vector", or the {source} of /ingest/{source}.
	Source string
	// Raw is the Record byte for byte.
	Raw []byte
	// Ordinal counts equal Records of the same request, from 0.
	Ordinal uint32
	// Taken is when Tocsin took the Record, in nanoseconds since the Unix epoch, if it then waited for the stream (at the
	// edge, as its hub was away); 0 says that it arrived when it was taken.
	Taken int64
}

// Event is a Record normalised to the canonical fields. It is immutable once a
// parser has returned it. What it gives refers to its own memory and to the Record's: who reads one Event after the
// other into the same memory copies what is to stay.
type Event struct {
	// ID deduplicates; see [ID].
	ID ID
	// EventID is what people see: the source's own id, else the hexadecimal ID.
	EventID string
	// Time is when it happened, in nanoseconds since the Unix epoch, UTC.
	Time int64
	// Arrival is when Tocsin took it (the stream's time), in the same unit.
	Arrival int64
	// BadTime is what the Record says of when it happened, if nobody can read it: Time is then when Tocsin took it.
	BadTime value.Value
	// Input and Source are those of the Record.
	Input, Source string
	// Original is the Record byte for byte.
	Original []byte

	object  value.Value
	fields  [NumFields]value.Value
	doc     value.Doc
	idText  [32]byte
	scratch []byte
}

// Reset makes the Event that of another Record, with nothing known of it, and keeps its memory. Its time is, until the
// parser finds the Record's own, that at which it was taken.
func (e *Event) Reset(rec Record, arrival int64) {
	e.ID, e.EventID, e.Time, e.Arrival = ID{}, "", cmp.Or(rec.Taken, arrival), arrival
	e.Input, e.Source, e.Original = rec.Input, rec.Source, rec.Raw
	e.BadTime, e.object = value.Value{}, value.Value{}
	e.doc.Reset()
	clear(e.fields[:])
}

// Object returns the source's own object as decoded JSON. A Record that is no JSON has one of the one key "message".
func (e *Event) Object() value.Value { return e.object }

// SetObject sets the source's own object.
func (e *Event) SetObject(v value.Value) { e.object = v }

// ParseObject decodes the source's own object into the Event's memory; what the memory held is gone.
func (e *Event) ParseObject(b []byte) (value.Value, error) {
	v, err := e.doc.Parse(b)
	if err == nil {
		e.object = v
	}
	return v, err
}

// Field returns a canonical field; its kind is the one that the registry gives it. It is missing if the Event lacks it.
func (e *Event) Field(f Field) value.Value { return e.fields[f] }

// Get returns a canonical field as Go's own type, nil if the Event lacks it.
func (e *Event) Get(f Field) any { return e.fields[f].Any() }

// Put stores a canonical field. It reports whether v, after the lossless conversions that [Kind] allows, has the
// registry's type; if not, the field stays as it was.
func (e *Event) Put(f Field, v value.Value) bool {
	v, ok := registry[f].Kind.convert(v)
	if ok {
		e.fields[f] = v
	}
	return ok
}

// Set is Put of Go's own types.
func (e *Event) Set(f Field, v any) bool {
	x, ok := valueOf(v)
	return ok && e.Put(f, x)
}

// SetText stores a string that is not empty.
func (e *Event) SetText(f Field, s string) {
	if s != "" {
		e.Put(f, value.OfString(s))
	}
}

// SetStrings stores an array of strings in the Event's memory, if there are any.
func (e *Event) SetStrings(f Field, ss ...string) {
	if len(ss) > 0 {
		e.Put(f, e.doc.Strings(ss...))
	}
}

// Fields returns the canonical fields that are present, by name, for printing: times are Stamps.
func (e *Event) Fields() map[string]any {
	out := make(map[string]any, 16)
	for f, v := range e.fields {
		if n, ok := v.Int64(); ok && registry[f].Kind == Time {
			out[registry[f].Name] = Stamp(n)
		} else if v.Exists() {
			out[registry[f].Name] = v.Any()
		}
	}
	return out
}

// Identify sets the identity: that of the source's own id, or, for a source without ids, of the content and the
// ordinal (architecture.md, "Exactly once, in effect"). own is the Event's own time in nanoseconds, 0 for a Record
// without one.
func (e *Event) Identify(rec Record, id string, own int64) {
	if id != "" {
		e.scratch = e.scratch[:0]
		e.ID, e.EventID = e.newID(rec.Input, id, own), id
		return
	}
	sum := sha256.Sum256(rec.Raw)
	b := append(e.scratch[:0], "content:"...)
	b = hex.AppendEncode(b, sum[:])
	b = append(b, ':')
	b = strconv.AppendUint(b, uint64(rec.Ordinal), 10)
	e.scratch = b
	e.ID = e.newID(rec.Input, view(b), own)
	hex.Encode(e.idText[:], e.ID[:])
	e.EventID = view(e.idText[:])
}

// newID is [NewID] in the Event's memory; id may be the beginning of scratch.
func (e *Event) newID(input, id string, ownTime int64) ID {
	at := len(e.scratch)
	e.scratch = appendIdentity(e.scratch, input, id, ownTime)
	sum := sha256.Sum256(e.scratch[at:])
	return ID(sum[:16])
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func appendIdentity(b []byte, input, sourceID string, ownTime int64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(input)))
	b = append(b, input...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(sourceID)))
	b = append(b, sourceID...)
	return binary.BigEndian.AppendUint64(b, uint64(ownTime))
}

// NewID derives an identity from the input, the source's own id (or, for a source
// without ids, a hash of the content and the ordinal) and the Event's own time
// in nanoseconds; a Record without a time of its own passes 0, so that
// a repeated delivery keeps its identity.
func NewID(input, sourceID string, ownTime int64) ID {
	sum := sha256.Sum256(appendIdentity(nil, input, sourceID, ownTime))
	return ID(sum[:16])
}
