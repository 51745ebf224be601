// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/rules/pred"
)

// demand is one test that has to hold, or must not.
type demand struct {
	test *pred.Test
	want bool
}

// maxWays bounds the ways to satisfy a condition that are tried.
const maxWays = 64

// ways lists sets of demands of which each is meant to make a condition true, or false. They are guesses: whoever uses
// them evaluates the condition.
func ways(n pred.Node, want bool) [][]demand {
	all := func(parts []pred.Node) [][]demand {
		out := [][]demand{nil}
		for _, x := range parts {
			var next [][]demand
			for _, way := range ways(x, want) {
				for _, before := range out {
					if len(next) < maxWays {
						next = append(next, append(slices.Clip(before), way...))
					}
				}
			}
			out = next
		}
		return out
	}
	either := func(parts []pred.Node) (out [][]demand) {
		for _, x := range parts {
			out = append(out, ways(x, want)...)
		}
		return out[:min(len(out), maxWays)]
	}
	switch n := n.(type) {
	case pred.And:
		if want {
			return all(n)
		}
		return either(n)
	case pred.Or:
		if want {
			return either(n)
		}
		return all(n)
	case pred.Not:
		return ways(n.X, !want)
	case *pred.Test:
		return [][]demand{{{n, want}}}
	}
	return nil
}

// shape is what several tests of one text ask of it.
type shape struct {
	start, middle, end, whole string
	fixed                     bool
}

func (s *shape) text() string {
	if s.fixed {
		return s.whole
	}
	return s.start + s.middle + s.end
}

// ask adds what a test asks for; it reports false of tests that it cannot write a text for.
func (s *shape) ask(t *pred.Test) bool {
	first := ""
	if len(t.Texts) > 0 {
		first = t.Texts[0]
	}
	switch {
	case t.Other != nil:
		return false
	case t.Op == pred.Is:
		s.whole, s.fixed = first, true
	case t.Op == pred.Contains:
		s.middle += " " + first + " "
	case t.Op == pred.Prefix:
		s.start = first
	case t.Op == pred.Suffix:
		s.end = first
	case t.Op == pred.Like:
		var chunks []string
		for _, c := range t.Globs[0].Chunks {
			var b strings.Builder
			for _, r := range c {
				if r.Any {
					r.R = 'x'
				}
				b.WriteRune(r.R)
			}
			chunks = append(chunks, b.String())
		}
		s.middle += strings.Join(chunks, "x")
	case t.Op == pred.In:
		s.whole, s.fixed = t.Nets[0].Addr().String(), true
	case t.Op == pred.Exists || t.Op == pred.There:
		s.middle += "x"
	case t.Op == pred.Greater || t.Op == pred.GreaterEqual || t.Op == pred.Less || t.Op == pred.LessEqual:
		n, ok := t.Values[0].Int64()
		s.whole, s.fixed = fmt.Sprint(n+map[pred.Op]int64{pred.Greater: 1, pred.Less: -1}[t.Op]), ok
		return ok
	default:
		return false
	}
	return true
}

// fill writes fields into a record as a set of demands asks for. A keyword goes into the message, which is where a log
// without fields has its text.
func fill(record map[string]any, demands []demand) bool {
	shapes := make(map[string]*shape)
	for _, d := range demands {
		if !d.want || d.test.Op == pred.Null {
			continue // what is not there is neither
		}
		name := d.test.Field.Name
		if d.test.Field.Everywhere {
			name = "message"
		}
		if shapes[name] == nil {
			shapes[name] = &shape{}
		}
		if !shapes[name].ask(d.test) {
			return false
		}
	}
	for name, s := range shapes {
		put(record, name, s.text())
	}
	return true
}

// put writes a field that a dotted name leads to.
func put(record map[string]any, name, text string) {
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		record[name] = text
		return
	}
	inner, ok := record[first].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		record[first] = inner
	}
	put(inner, rest, text)
}
