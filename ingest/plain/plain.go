// SPDX-License-Identifier: Apache-2.0

// Package plain reads a record that has no shape but its own: a JSON object whose canonical names, flat
// or nested, are canonical fields, or a line of text (architecture.md, "plain record").
package plain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sort"
	"strconv"
	"strings"
	"time"

	"tocsin/event"
)

// Parse makes an Event of a plain record.
func Parse(rec event.Record, arrival int64) (*event.Event, error) {
	module := rec.Source
	if module == "" {
		module = "plain"
	}
	raw, err := Object(rec.Raw)
	if err != nil {
		return nil, err
	}
	e := New(rec, arrival, raw)
	Lift(e, raw)
	own := OwnTime(raw)
	Identify(e, rec, own, Own(raw))
	Finish(e, module, "")
	return e, nil
}

// Object decodes a record; one that is no JSON object is a text with the one key "message".
func Object(b []byte) (map[string]any, error) {
	text := strings.TrimSpace(string(b))
	if strings.HasPrefix(text, "{") {
		v, err := event.ParseJSON(b)
		if err != nil {
			return nil, err
		}
		if m, ok := v.(map[string]any); ok {
			return m, nil
		}
	}
	if text == "" {
		return nil, errors.New("the record is empty")
	}
	return map[string]any{"message": strings.ToValidUTF8(text, "\uFFFD")}, nil
}

// New returns an Event with its provenance and nothing else.
func New(rec event.Record, arrival int64, raw map[string]any) *event.Event {
	return &event.Event{
		Time: arrival, Arrival: arrival, Input: rec.Input, Source: rec.Source, Raw: raw, Original: rec.Raw,
	}
}

// Lift sets every canonical field that the object names, flat or nested, and has the right type for. What
// only Tocsin may set stays in raw.
func Lift(e *event.Event, raw map[string]any) {
	for i, d := range event.Registry() {
		if d.Derived || d.Name == "@timestamp" {
			continue
		}
		if v := Find(raw, d.Name); v != nil {
			e.Set(event.Field(i), v)
		}
	}
}

// Find returns the value of a dotted name, flat or nested.
func Find(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	if inner, ok := m[first].(map[string]any); ok {
		return Find(inner, rest)
	}
	return nil
}

// Own returns the source's own id, `event.id`, "" if it has none.
func Own(raw map[string]any) string {
	switch v := Find(raw, "event.id").(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return ""
}

// OwnTime returns the record's time: `@timestamp`, else `timestamp`; 0 if it has none that can be read.
func OwnTime(raw map[string]any) int64 {
	for _, name := range []string{"@timestamp", "timestamp"} {
		if t := Time(raw[name]); t != 0 {
			return t
		}
	}
	return 0
}

// Time reads RFC 3339 with up to nine digits, or a number of seconds, milliseconds, microseconds or nanoseconds since
// the Unix epoch, told apart by its size (Vector's timestamp_format). 0 is no time.
func Time(v any) int64 {
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil && t.Year() > 1677 && t.Year() < 2262 {
			return t.UnixNano()
		}
	case int64:
		for _, unit := range []struct{ below, factor int64 }{{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}} {
			if v > 0 && v < unit.below {
				return v * unit.factor
			}
		}
		if v > 0 {
			return v
		}
	case float64:
		if v > 0 && v < 1e11 {
			return int64(v*1e6) * 1e3
		}
	}
	return 0
}

// Identify sets time and identity: the source's own id, else the content and its ordinal in the request.
func Identify(e *event.Event, rec event.Record, own int64, id string) {
	if own != 0 {
		e.Time = own
	}
	if id != "" {
		e.ID, e.EventID = event.NewID(rec.Input, id, own), id
		return
	}
	sum := sha256.Sum256(rec.Raw)
	content := hex.EncodeToString(sum[:])
	e.ID = event.NewID(rec.Input, "content:"+content+":"+strconv.FormatUint(uint64(rec.Ordinal), 10), own)
	e.EventID = e.ID.String()
}

// Finish sets what Tocsin alone sets: provenance, and what is derived from the other fields.
func Finish(e *event.Event, module, dataset string) {
	e.Set(event.EventModule, module)
	if dataset != "" {
		e.Set(event.EventDataset, dataset)
	}
	e.Set(event.EventIDField, e.EventID)
	e.Set(event.Timestamp, e.Time)
	e.Set(event.EventIngested, e.Arrival)
	e.Set(event.ObserverName, e.Input)
	for _, related := range []struct {
		to   event.Field
		from []event.Field
	}{
		{event.RelatedIP, []event.Field{event.SourceIP, event.DestinationIP}},
		{event.RelatedUser, []event.Field{event.UserName, event.SourceUserName}},
		{event.RelatedHosts, []event.Field{event.HostName, event.NodeName}},
	} {
		seen := make(map[string]bool)
		for _, f := range related.from {
			if s, ok := e.Get(f).(string); ok && s != "" {
				seen[s] = true
			}
		}
		all := make([]string, 0, len(seen))
		for s := range seen {
			all = append(all, s)
		}
		sort.Strings(all)
		e.Set(related.to, all)
	}
}
