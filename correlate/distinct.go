// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/rules"
)

// distinct holds of events with a bit that have n different tuples of values.
type distinct struct {
	bit    uint64
	values []int
	n      int64
}

func (a distinct) latest(ms []*match) (int64, bool) {
	seen := make(map[string]struct{})
	for _, m := range slices.Backward(ms) {
		if v, ok := m.tuple(a.bit, a.values); ok {
			seen[v] = struct{}{}
			if int64(len(seen)) >= a.n {
				return m.ref.Time, true
			}
		}
	}
	return 0, false
}

func (a distinct) mask() uint64 { return a.bit }

func (a distinct) needs() []need { return counting{a.bit, a.n}.needs() }

func (a distinct) tracker() tracker { return &tuples{distinct: a, events: make(map[string]int32)} }

// tuples counts the events of a window by their values.
type tuples struct {
	distinct
	events map[string]int32
}

func (t *tuples) note(m *match, n int32) {
	v, ok := m.tuple(t.bit, t.values)
	if !ok {
		return
	}
	if t.events[v] += n; t.events[v] == 0 {
		delete(t.events, v)
	}
}

func (t *tuples) enough() bool { return int64(len(t.events)) >= t.n }
func (t *tuples) clear()       { clear(t.events) }

// different compares the number of distinct tuples.
type different struct {
	distinct
	op rules.Op
	at int // the place of its tally
}

func (c different) ahead() bool { return lookahead(c.op) }

func (c different) holds(v *view) bool {
	if v.timeline != nil {
		from, to := v.span(c.op)
		return c.op.Holds(int64(len(v.w.slide(c.at, from, to).(*tuples).events)), c.n)
	}
	seen := make(map[string]struct{})
	for _, m := range v.of(c.op) {
		if v, ok := m.tuple(c.bit, c.values); ok {
			seen[v] = struct{}{}
		}
	}
	return c.op.Holds(int64(len(seen)), c.n)
}

// tuple returns the values at the given places as one string; a match that lacks one has none.
// Encodings are self-delimiting, so that joining them keeps tuples apart.
func (m *match) tuple(bit uint64, values []int) (string, bool) {
	if m.bits&bit == 0 {
		return "", false
	}
	if len(values) == 1 {
		v := m.value(values[0])
		return v, v != ""
	}
	var out []byte
	for _, i := range values {
		v := m.value(i)
		if v == "" {
			return "", false
		}
		out = append(out, v...)
	}
	return string(out), true
}

func (m *match) value(i int) string {
	if i >= len(m.vals) {
		return ""
	}
	return m.vals[i]
}
