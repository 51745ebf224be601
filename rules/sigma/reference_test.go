// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

// reference says what a condition of a Sigma rule means for one event, as plainly as can be: over the record as
// encoding/json decodes it, one test after the other, with string matching of its own. It shares the tree of tests with
// the matcher and none of its code.
type reference struct {
	object map[string]any
	// canonical returns a canonical field; ok is false if the event lacks it.
	canonical func(event.Field) (v any, ok bool)
	// lower has the texts of the event in lower case: nothing is faster than not to do it again.
	lower map[string]string
	// gates has what the gates of log sources come to, by log source.
	gates map[string]bool
}

// readReference decodes a record.
func readReference(raw []byte, e *event.Event) (*reference, error) {
	x := &reference{lower: make(map[string]string), gates: make(map[string]bool)}
	x.canonical = func(f event.Field) (any, bool) {
		v := e.Field(f).Any()
		return v, v != nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return x, d.Decode(&x.object)
}

// matches says whether a rule matches the event.
func (x *reference) matches(r *sigma.Rule) bool {
	if r.Gate != nil {
		open, known := x.gates[r.Logsource]
		if !known {
			open = x.holds(r.Gate)
			x.gates[r.Logsource] = open
		}
		if !open {
			return false
		}
	}
	return x.holds(r.Node)
}

func (x *reference) holds(n pred.Node) bool {
	switch n := n.(type) {
	case pred.And:
		for _, sub := range n {
			if !x.holds(sub) {
				return false
			}
		}
		return true
	case pred.Or:
		return slices.ContainsFunc(n, x.holds)
	case pred.Not:
		return !x.holds(n.X)
	case pred.Const:
		return bool(n)
	case *pred.Test:
		return x.test(n)
	}
	panic(fmt.Sprintf("the reference knows no %T", n))
}

// read returns the first of a field's places that is there.
func (x *reference) read(f pred.Field) (v any, ok bool) {
	for _, s := range f.Sources {
		if len(s.Path) == 0 {
			v, ok = x.canonical(s.Slot)
		} else {
			v, ok = follow(x.object, s.Path)
		}
		if ok {
			return v, true
		}
	}
	return nil, false
}

func follow(v any, path []pred.Step) (any, bool) {
	for _, step := range path {
		m, _ := v.(map[string]any)
		next, ok := m[step.Key]
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

func (x *reference) test(t *pred.Test) bool {
	var v any = x.object
	there := true
	if !t.Field.Everywhere {
		v, there = x.read(t.Field)
	}
	switch t.Op {
	case pred.Exists:
		return there && v != nil
	case pred.There:
		return there
	case pred.Null:
		return v == nil
	case pred.Calendar:
		return calendar(t, v)
	case pred.Less, pred.LessEqual, pred.Greater, pred.GreaterEqual:
		a, b := number(v), number(t.Values[0].Text())
		return a != nil && ordered(t.Op, a.Cmp(b))
	}
	if !there || !t.Loose {
		if !t.Loose {
			panic("a test of Sigma reads loosely: " + t.String())
		}
		return false
	}
	texts := t.Texts
	if t.Other != nil {
		o, _ := x.read(*t.Other)
		s, ok := plainText(o)
		if !ok {
			return false
		}
		if _, several := v.([]any); several {
			return false // an array against a field has no reading
		}
		texts = []string{s}
	}
	return x.some(v, func(s string) bool {
		if t.Fold {
			s = x.lowerOf(s)
		}
		switch t.Op {
		case pred.Like:
			for _, g := range t.Globs {
				if like([]rune(s), g) {
					return true
				}
			}
			return false
		case pred.Match:
			return t.Regexp.MatchString(s)
		case pred.In:
			return inNetwork(s, t.Nets)
		}
		for _, want := range texts {
			if t.Other != nil && t.Fold {
				want = strings.ToLower(want)
			}
			if compares(t.Op, s, want) {
				return true
			}
		}
		return false
	})
}

func (x *reference) lowerOf(s string) string {
	l, ok := x.lower[s]
	if !ok {
		l = strings.ToLower(s)
		x.lower[s] = l
	}
	return l
}

// some reports whether one text in a value fits: itself, or those in it at any depth.
func (x *reference) some(v any, fits func(string) bool) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if x.some(e, fits) {
				return true
			}
		}
		return false
	case map[string]any:
		for _, e := range v {
			if x.some(e, fits) {
				return true
			}
		}
		return false
	}
	s, ok := plainText(v)
	return ok && fits(s)
}
