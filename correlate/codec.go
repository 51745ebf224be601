// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// entriesFormat is the version of the log's encoding.
const entriesFormat = 1

// EncodeEntries encodes the entries of one message of a partition's log.
func EncodeEntries(entries []Entry) []byte {
	w := &event.Writer{}
	w.Uint(entriesFormat)
	w.Uint(uint64(len(entries)))
	for _, e := range entries {
		switch {
		case e.Matches != nil:
			w.Uint(5)
			encodeMatches(w, e.Matches)
			w.Uint(e.Matches.Generation)
		case e.Tick != nil:
			w.Uint(4)
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

// DecodeEntries decodes one message. at is the stream's time of the message, Unix nanoseconds: the time of a closing.
func DecodeEntries(b []byte, at int64) ([]Entry, error) {
	r := &event.Reader{B: b}
	if v := r.Uint(); r.Err == nil && v != entriesFormat {
		return nil, fmt.Errorf("correlate: log entry of format %d, this version reads %d", v, entriesFormat)
	}
	n := r.Len()
	out := make([]Entry, 0, n)
	for range n {
		switch r.Uint() {
		case 1: // 1 and 2 are as matches and ticks were before Sets had generations
			out = append(out, Entry{Matches: decodeMatches(r)})
		case 2:
			out = append(out, Entry{Tick: &Tick{Floor: r.Uint(), Clock: r.Int(), Set: r.String(), Horizon: r.Int()}})
		case 3:
			out = append(out, Entry{Close: &Close{
				Rule: r.String(), Group: rules.Key(r.String()), Incident: r.String(),
				Verdict: incident.Verdict(r.String()), By: r.String(), At: at,
			}})
		case 4:
			out = append(out, Entry{Tick: &Tick{
				Floor: r.Uint(), Clock: r.Int(), Set: r.String(), Horizon: r.Int(), Generation: r.Uint(),
			}})
		case 5:
			m := decodeMatches(r)
			m.Generation = r.Uint()
			out = append(out, Entry{Matches: m})
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

func encodeMatches(w *event.Writer, m *Matches) {
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

func decodeMatches(r *event.Reader) *Matches {
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
		x.Values = decodeStrings(r)
		decodeRef(r, &x.Event)
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
	w.String(e.EventID)
	w.Int(e.Time)
	w.Int(e.Arrival)
	w.String(e.Source)
	w.Uint(e.Seq)
	w.Uint(uint64(e.Index))
	w.Value(e.Fields)
}

func decodeRef(r *event.Reader, e *rules.EventRef) {
	e.ID = r.ID()
	e.EventID = r.String()
	e.Time, e.Arrival = r.Int(), r.Int()
	e.Source = r.String()
	e.Seq, e.Index = r.Uint(), uint32(r.Uint())
	e.Fields, _ = r.Value().(map[string]any)
}
