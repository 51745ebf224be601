// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
}

// Event is a Record normalised to the canonical fields. It is immutable once a
// parser has returned it.
type Event struct {
	// ID deduplicates; see [ID].
	ID ID
	// EventID is what people see: the source's own id, else the hexadecimal ID.
	EventID string
	// Time is when it happened, in nanoseconds since the Unix epoch, UTC.
	Time int64
	// Arrival is when Tocsin took it (the stream's time), in the same unit.
	Arrival int64
	// Input and Source are those of the Record.
	Input, Source string
	// Raw is the source's own object as decoded JSON: map[string]any, []any,
	// string, bool, nil, int64 (exact to 64 bits), uint64 above that, float64.
	// A Record that is no JSON has a map with the one key "message".
	Raw map[string]any
	// Original is the Record byte for byte.
	Original []byte

	fields [NumFields]any
}

// Get returns the value of a canonical field, nil if the Event lacks it. The
// dynamic type is the one that the registry gives the field's [Kind].
func (e *Event) Get(f Field) any { return e.fields[f] }

// Set stores a canonical field. It reports whether v, after the lossless
// conversions that [Kind] allows, has the registry's type; if not, the field
// stays as it was.
func (e *Event) Set(f Field, v any) bool {
	v, ok := registry[f].Kind.convert(v)
	if !ok || v == nil {
		return false
	}
	e.fields[f] = v
	return true
}

// Fields returns the canonical fields that are present, by name, for printing: times are Stamps.
func (e *Event) Fields() map[string]any {
	out := make(map[string]any, 16)
	for f, v := range e.fields {
		if n, ok := v.(int64); ok && registry[f].Kind == Time {
			v = Stamp(n)
		}
		if v != nil {
			out[registry[f].Name] = v
		}
	}
	return out
}

// NewID derives an identity from the input, the source's own id (or, for a source
// without ids, a hash of the content and the ordinal) and the Event's own time
// in nanoseconds; a Record without a time of its own passes 0, so that
// a repeated delivery keeps its identity.
func NewID(input, sourceID string, ownTime int64) ID {
	h := sha256.New()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(input)))
	h.Write(n[:])
	h.Write([]byte(input))
	binary.BigEndian.PutUint64(n[:], uint64(len(sourceID)))
	h.Write(n[:])
	h.Write([]byte(sourceID))
	binary.BigEndian.PutUint64(n[:], uint64(ownTime))
	h.Write(n[:])
	var id ID
	copy(id[:], h.Sum(nil))
	return id
}
