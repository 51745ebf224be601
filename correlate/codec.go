// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"slices"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// entriesFormat is the version of the log's encoding; those before it are read, too. Before unbarredFormat entries had no
// generations, and spelt out what refs pack. In it matches say nothing of the exceptions of rules above: they took part.
const (
	entriesFormat    = 3
	unbarredFormat   = 2
	entriesFormatOld = 1
)

// EncodeEntries encodes the entries of one message of a partition's log.
func EncodeEntries(entries []Entry) []byte {
	w := &event.Writer{}
	format := formatFor(entries)
	w.Uint(format)
	w.Uint(uint64(len(entries)))
	for _, e := range entries {
		switch {
		case e.Matches != nil:
			w.Uint(1)
			encodeMatches(w, e.Matches, format)
			w.Uint(e.Matches.Generation)
		case e.Tick != nil:
			w.Uint(2)
			w.Uint(e.Tick.Floor)
			w.Int(e.Tick.Clock)
			w.String(e.Tick.Set)
			w.Int(e.Tick.Horizon)
			w.Uint(e.Tick.Generation)
		case e.Close != nil:
			w.Uint(3)
			w.String(e.Close.Rule)
			w.String(string(e.Close.Group))
			w.String(e.Close.Incident)
			w.String(string(e.Close.Verdict))
			w.String(e.Close.By)
		default:
			w.Uint(0)
		}
	}
	return w.B
}

// formatFor returns the oldest format that can say it all, so that processes of two versions read each other's logs while one
// replaces the other.
func formatFor(entries []Entry) uint64 {
	for _, e := range entries {
		if e.Matches != nil && slices.ContainsFunc(e.Matches.Matches, func(m rules.Match) bool { return m.Barred > 0 }) {
			return entriesFormat
		}
	}
	return unbarredFormat
}

// DecodeEntries decodes one message. at is the stream's time of the message, Unix nanoseconds: the time of a closing.
func DecodeEntries(b []byte, at int64) ([]Entry, error) {
	r := &event.Reader{B: b}
	format := r.Uint()
	if r.Err == nil && (format < entriesFormatOld || format > entriesFormat) {
		return nil, fmt.Errorf("correlate: log entry of format %d, this version reads %d", format, entriesFormat)
	}
	old := format == entriesFormatOld
	n := r.Len()
	out := make([]Entry, 0, n)
	for range n {
		switch r.Uint() {
		case 1:
			m := decodeMatches(r, format)
			if !old {
				m.Generation = r.Uint()
			}
			out = append(out, Entry{Matches: m})
		case 2:
			t := &Tick{Floor: r.Uint(), Clock: r.Int(), Set: r.String(), Horizon: r.Int()}
			if !old {
				t.Generation = r.Uint()
			}
			out = append(out, Entry{Tick: t})
		case 3:
			out = append(out, Entry{Close: &Close{
				Rule: r.String(), Group: rules.Key(r.String()), Incident: r.String(),
				Verdict: incident.Verdict(r.String()), By: r.String(), At: at,
			}})
		case 0:
			out = append(out, Entry{})
		default:
			r.Err = event.ErrValue
		}
		if r.Err != nil {
			return nil, fmt.Errorf("correlate: log entry: %w", r.Err)
		}
	}
	if r.Err != nil {
		return nil, fmt.Errorf("correlate: log entry: %w", r.Err)
	}
	return out, nil
}

func encodeMatches(w *event.Writer, m *Matches, format uint64) {
	w.String(m.Set)
	w.Uint(m.Seq)
	w.Uint(m.Part)
	w.Uint(uint64(len(m.Matches)))
	for i := range m.Matches {
		x := &m.Matches[i]
		w.String(x.Rule)
		w.Uint(uint64(len(x.Path)))
		for _, p := range x.Path {
			w.Uint(uint64(p))
		}
		w.String(string(x.Key))
		w.String(string(x.Group))
		w.Uint(x.Patterns)
		if format > unbarredFormat {
			w.Uint(uint64(x.Barred))
		}
		encodeStrings(w, x.Values)
		encodeRef(w, &x.Event)
	}
	w.Uint(uint64(len(m.Counts)))
	for _, c := range m.Counts {
		w.String(c.Rule)
		w.Int(c.Unkeyed)
		w.Int(c.Excepted)
	}
}

func decodeMatches(r *event.Reader, format uint64) *Matches {
	m := &Matches{Set: r.String(), Seq: r.Uint(), Part: r.Uint()}
	m.Matches = make([]rules.Match, r.Len())
	for i := range m.Matches {
		x := &m.Matches[i]
		x.Rule = r.String()
		if n := r.Len(); n > 0 {
			x.Path = make([]int, n)
			for j := range x.Path {
				x.Path[j] = int(r.Uint())
			}
		}
		x.Key, x.Group = rules.Key(r.String()), rules.Key(r.String())
		x.Patterns = r.Uint()
		if format > unbarredFormat {
			x.Barred = int(r.Uint())
		}
		x.Values = decodeStrings(r)
		if format == entriesFormatOld {
			decodeOldRef(r, &x.Event)
		} else {
			decodeRef(r, &x.Event)
		}
		if r.Err != nil {
			return m
		}
	}
	if n := r.Len(); n > 0 {
		m.Counts = make([]rules.Tally, n)
	}
	for i := range m.Counts {
		m.Counts[i] = rules.Tally{Rule: r.String(), Unkeyed: r.Int(), Excepted: r.Int()}
	}
	return m
}

func encodeStrings(w *event.Writer, ss []string) {
	w.Uint(uint64(len(ss)))
	for _, s := range ss {
		w.String(s)
	}
}

func decodeStrings(r *event.Reader) []string {
	n := r.Len()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.String()
	}
	return out
}

func encodeRef(w *event.Writer, e *rules.EventRef) {
	w.ID(e.ID)
	w.Int(e.Time)
	w.Int(e.Arrival)
	w.Uint(e.Seq)
	w.Uint(uint64(e.Index))
	w.String(string(e.About))
}

func decodeRef(r *event.Reader, e *rules.EventRef) {
	e.ID = r.ID()
	e.Time, e.Arrival = r.Int(), r.Int()
	e.Seq, e.Index = r.Uint(), uint32(r.Uint())
	e.About = rules.About(r.String())
}

func decodeOldRef(r *event.Reader, e *rules.EventRef) {
	e.ID = r.ID()
	id := r.String()
	e.Time, e.Arrival = r.Int(), r.Int()
	source := r.String()
	e.Seq, e.Index = r.Uint(), uint32(r.Uint())
	fields, _ := r.Value().(map[string]any)
	e.About = rules.NewAbout(id, source, fields)
}
