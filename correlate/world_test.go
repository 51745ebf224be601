// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/event"
	"tocsin/rules"
)

// The world of the property: rules are written as files and compiled, events are matched as in `serve`. Times
// are few small numbers, in seconds after zero, so that they collide, gaps fall on T and just beside it, and
// arrivals fall within, at and beyond L.
const (
	lateness = 5
	patterns = 3
	// midnight is the end of the day on which some exceptions expire.
	midnight = 1010
)

var zero = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix() - midnight

// drawn is a rule as the oracle reads it, of which text makes a file.
type drawn struct {
	rules.Rule // When, Within and Quiet (in seconds), Patterns, Children, By, GroupBy
	labels     string
	hop        bool // the pattern b has its key in another field
	except     []exemption
	child      *drawn
	learn      int64 // of every first_seen
	horizon    int64
}

// exemption covers events with a value of w, up to a time.
type exemption struct {
	w       string
	expires int64
}

// item is one event of the input, as it arrives once.
type item struct {
	id     event.ID
	t, a   int64
	labels map[string][]string // what patterns match
	k, m   []string            // the elements of the key fields; none: missing
	g      string
	v, w   string // "" is missing
	n      string // a number; text that spells one begins with a quote
}

func patternName(i int) string { return string(rune('a' + i)) }

// event returns the Event that a parser would make of the item.
func (x item) event() *event.Event {
	raw := map[string]any{"g": x.g}
	list := func(xs []string) []any {
		var out []any
		for _, s := range xs {
			out = append(out, s)
		}
		return out
	}
	for name, labels := range x.labels {
		raw[name] = list(labels)
	}
	for name, elements := range map[string][]string{"k": x.k, "m": x.m} {
		switch len(elements) {
		case 0:
		case 1:
			raw[name] = elements[0]
		default:
			raw[name] = list(elements)
		}
	}
	for name, v := range map[string]string{"v": x.v, "w": x.w} {
		if v != "" {
			raw[name] = v
		}
	}
	if text, quoted := strings.CutPrefix(x.n, "'"); quoted {
		raw["n"] = text
	} else if n, err := strconv.ParseInt(x.n, 10, 64); err == nil {
		raw["n"] = n
	} else if f, err := strconv.ParseFloat(x.n, 64); err == nil {
		raw["n"] = f
	}
	e := &event.Event{
		ID: x.id, EventID: x.id.String(), Source: "test",
		Time: (zero + x.t) * int64(time.Second), Arrival: (zero + x.a) * int64(time.Second),
	}
	b, err := json.Marshal(raw)
	if err == nil {
		_, err = e.ParseObject(b)
	}
	if err != nil {
		panic(err) // the object is ours
	}
	return e
}

// text writes the rule, and the one it refers to, as a file.
func (r *drawn) text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.child != nil {
		b.WriteString(r.child.text())
	}
	p("---\nrule: %s\ntitle: %s\nseverity: high\nmatch:", r.ID, r.ID)
	for _, pat := range r.Patterns {
		if pat.Child >= 0 {
			p("  %s: detection(%q)", pat.Name, r.child.ID)
		} else {
			p("  %s: has(raw.%s, %q)", pat.Name, r.labels, pat.Name)
		}
	}
	p("when: %s", when(r.When))
	if strings.Contains(when(r.When), "score") {
		p("weights: {a: %d, b: %d, c: %d}", weights[0], weights[1], weights[2])
	}
	if strings.Contains(when(r.When), "first_seen") {
		p("learn: %ds", r.learn)
	}
	p("by:")
	for _, part := range r.By {
		if part == "k" && r.hop {
			p("  k: {a: raw.k, b: raw.m, c: raw.k}")
		} else {
			p("  %s: raw.%s", part, part)
		}
	}
	if r.Within != 0 {
		p("within: %ds", r.Within)
	}
	if len(r.except) > 0 {
		p("except:")
	}
	for _, x := range r.except {
		day := "2099-12-31"
		if x.expires < midnight {
			day = "2026-03-01"
		}
		p("  - {when: raw.w == %q, reason: known, owner: us, expires: %s}", x.w, day)
	}
	names := make([]string, 0, len(r.GroupBy))
	for _, i := range r.GroupBy {
		names = append(names, r.By[i])
	}
	p("incident: {quiet: %ds, group_by: [%s]}", r.Quiet, strings.Join(names, ", "))
	return b.String()
}

// decimal writes a number as a rule file has it.
func decimal(n rules.Number) string {
	if s := ratOf(n); !s.IsInt() {
		return s.FloatString(1)
	} else if s.Num().IsInt64() {
		return s.RatString()
	}
	return n.String()
}

func when(c rules.Cond) string {
	all := func(xs []rules.Cond, word string) string {
		var out []string
		for _, x := range xs {
			out = append(out, "("+when(x)+")")
		}
		return strings.Join(out, word)
	}
	switch c := c.(type) {
	case rules.Is:
		return patternName(c.Pattern)
	case rules.Count:
		return fmt.Sprintf("count(%s) %s %d", patternName(c.Pattern), c.Op, c.N)
	case rules.Distinct:
		return fmt.Sprintf("distinct(%s, %s) %s %d", patternName(c.Pattern),
			[]string{"raw.v", "raw.v, raw.w"}[len(c.Values)-1], c.Op, c.N)
	case rules.Rate:
		return fmt.Sprintf("rate(%s) %s %s * usual(%[1]s)", patternName(c.Pattern), c.Op, decimal(c.Times))
	case rules.Silent:
		return fmt.Sprintf("silent(%s)", patternName(c.Pattern))
	case rules.FirstSeen:
		return fmt.Sprintf("first_seen(%s, %s)", patternName(c.Pattern), []string{"raw.v", "raw.v, raw.w"}[len(c.Values)-1])
	case rules.Score:
		return fmt.Sprintf("score %s %d", c.Op, c.N)
	case rules.Aggregate:
		value, rank := []string{valueN: "raw.n", valueNumberN: "number(raw.n)"}[c.Value], ""
		if c.Func == rules.Percentile {
			rank = ", " + decimal(c.Rank)
		}
		return fmt.Sprintf("%s(%s, %s%s) %s %s", c.Func, patternName(c.Pattern), value, rank, c.Op, decimal(c.N))
	case rules.Sequence:
		var steps []string
		for _, s := range c.Steps {
			step := patternName(s.Pattern)
			switch {
			case s.Not:
				step = "not " + step
			case s.Times > 1:
				step = fmt.Sprintf("repeat(%s, %d)", step, s.Times)
			}
			steps = append(steps, step)
		}
		return "sequence(" + strings.Join(steps, ", ") + ")"
	case rules.And:
		return all(c.X, " and ")
	case rules.Or:
		return all(c.X, " or ")
	case rules.Not:
		return "not (" + when(c.X) + ")"
	}
	panic(fmt.Sprintf("no condition: %T", c))
}
