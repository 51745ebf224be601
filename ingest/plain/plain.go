// SPDX-License-Identifier: Apache-2.0

// Package plain reads plain records (architecture.md, "Names that others rely on"): canonical names
// of the right type are canonical fields, all of it is raw. Other parsers use its parts.
package plain

import (
	"errors"
	"strings"
	"time"

	"tocsin/event"
	"tocsin/event/value"
)

// Parse makes an Event of any JSON object or text. The error says why the record is none.
func Parse(e *event.Event, rec event.Record, arrival int64) error {
	module := rec.Source
	if module == "" {
		module = "plain"
	}
	if err := Read(e, rec, arrival); err != nil {
		return err
	}
	Lift(e, e.Object())
	Identify(e, rec, OwnTime(e, e.Object().Get("@timestamp"), e.Object().Get("timestamp")), Own(e.Object()))
	Finish(e, module, "")
	return nil
}

// Read begins an Event: it decodes the record's object, or takes a record of other text as its message.
func Read(e *event.Event, rec event.Record, arrival int64) error {
	e.Reset(rec, arrival)
	text := strings.TrimSpace(view(rec.Raw))
	if text == "" {
		return errors.New("the record is empty")
	}
	if text[0] == '{' {
		_, err := e.ParseObject(rec.Raw)
		return err
	}
	e.SetObject(value.OfMember("message", strings.ToValidUTF8(text, "\uFFFD")))
	return nil
}

// Own returns the record's own id: `event.id`, flat or nested.
func Own(raw value.Value) string {
	switch v := Find(raw, "event.id"); v.Kind() {
	case value.String, value.Int, value.Uint:
		return v.Text()
	default:
		return ""
	}
}

// Find returns the value of a dotted name, flat or nested; a flat one counts.
func Find(v value.Value, name string) value.Value {
	if x := v.Get(name); x.Kind() != value.Missing {
		return x
	}
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return value.Value{}
	}
	return Find(v.Get(first), rest)
}

// OwnTime returns the record's own time, in Unix nanoseconds: the first of those that it says that can be read; 0 if there is none.
// Where it says some and none can be read, the Event has the first.
func OwnTime(e *event.Event, said ...value.Value) int64 {
	for _, v := range said {
		if t := Time(v); t != 0 {
			return t
		}
	}
	for _, v := range said {
		if s, ok := v.Str(); v.Exists() && (!ok || s != "") {
			e.BadTime = v
			break
		}
	}
	return 0
}

// Time reads a time: RFC 3339, or a number of seconds, milliseconds, microseconds or nanoseconds since the epoch,
// told apart by size. 0 is none.
func Time(v value.Value) int64 {
	if s, ok := v.Str(); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && Countable(t) {
			return t.UnixNano()
		}
		return 0
	}
	if n, ok := v.Int64(); ok && n > 0 {
		for _, unit := range [...]struct{ below, factor int64 }{{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}} {
			if n < unit.below {
				return n * unit.factor
			}
		}
		return n
	}
	if f, ok := v.Float64(); ok && f > 0 && f < 1e11 {
		return int64(f*1e6) * 1e3
	}
	return 0
}

// Countable reports whether a time can be said in Unix nanoseconds.
func Countable(t time.Time) bool { return t.Year() > 1677 && t.Year() < 2262 }

// Identify sets time and identity: the source's own id, else the content and its ordinal. own is the record's own
// time, 0 if it has none.
func Identify(e *event.Event, rec event.Record, own int64, id string) {
	if own != 0 {
		e.Time = own
	}
	e.Identify(rec, id, own)
}

// Finish sets what Tocsin knows of an Event and nobody else says.
func Finish(e *event.Event, module, dataset string) {
	e.SetText(event.EventModule, module)
	e.SetText(event.EventDataset, dataset)
	e.Put(event.EventIDField, value.OfString(e.EventID))
	e.Put(event.Timestamp, value.OfInt(e.Time))
	e.Put(event.EventIngested, value.OfInt(e.Arrival))
	e.Put(event.ObserverName, value.OfString(e.Input))
	relate(e, event.RelatedIP, event.SourceIP, event.DestinationIP)
	relate(e, event.RelatedUser, event.UserName, event.SourceUserName)
	relate(e, event.RelatedHosts, event.HostName, event.NodeName)
}

// relate sets an array of what two fields have, sorted.
func relate(e *event.Event, to, one, other event.Field) {
	a, _ := e.Field(one).Str()
	b, _ := e.Field(other).Str()
	if a > b {
		a, b = b, a
	}
	switch {
	case a != "" && a != b:
		e.SetStrings(to, a, b)
	case b != "":
		e.SetStrings(to, b)
	}
}
