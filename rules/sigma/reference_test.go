// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

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
		for _, sub := range n {
			if x.holds(sub) {
				return true
			}
		}
		return false
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

// plainText is the text of a scalar.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		if _, whole := new(big.Int).SetString(v.String(), 10); whole {
			return v.String(), true
		}
		f, err := v.Float64()
		return strconv.FormatFloat(f, 'g', -1, 64), err == nil
	case int64, uint64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func compares(op pred.Op, s, want string) bool {
	at := func(i int) bool { return i >= 0 && i+len(want) <= len(s) && s[i:i+len(want)] == want }
	switch op {
	case pred.Is:
		return s == want
	case pred.Prefix:
		return at(0)
	case pred.Suffix:
		return at(len(s) - len(want))
	case pred.Contains:
		for i := 0; i+len(want) <= len(s); i++ {
			if at(i) {
				return true
			}
		}
		return false
	}
	panic(fmt.Sprint("the reference knows no operation ", op))
}

// like matches wildcards the way one does by hand: at a star it goes on behind, and comes back with one rune more.
func like(s []rune, g pred.Glob) bool {
	const star = -1
	const one = -2
	var p []rune
	for i, c := range g.Chunks {
		if i > 0 {
			p = append(p, star)
		}
		for _, r := range c {
			if r.Any {
				p = append(p, one)
			} else {
				p = append(p, r.R)
			}
		}
	}
	i, j, back, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == star:
			back, from = j+1, i
			j++
		case j < len(p) && (p[j] == one || p[j] == s[i]):
			i, j = i+1, j+1
		case back >= 0:
			from++
			i, j = from, back
		default:
			return false
		}
	}
	for j < len(p) && p[j] == star {
		j++
	}
	return j == len(p)
}

func inNetwork(s string, nets []netip.Prefix) bool {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return false
	}
	for _, n := range nets {
		if n.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// number reads a number, also in a string.
func number(v any) *big.Rat {
	s, ok := plainText(v)
	if _, truth := v.(bool); truth || !ok {
		return nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	return r
}

func ordered(op pred.Op, c int) bool {
	switch op {
	case pred.Less:
		return c < 0
	case pred.LessEqual:
		return c <= 0
	case pred.Greater:
		return c > 0
	}
	return c >= 0
}

func calendar(t *pred.Test, v any) bool {
	s, _ := v.(string)
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return false
	}
	at = at.UTC()
	_, week := at.ISOWeek()
	part := map[pred.TimePart]int{
		pred.Minute: at.Minute(), pred.Hour: at.Hour(), pred.Day: at.Day(), pred.Week: week, pred.Month: int(at.Month()), pred.Year: at.Year(),
	}[t.Part]
	c := big.NewRat(int64(part), 1).Cmp(number(t.Values[0].Text()))
	if t.Compare == pred.Equal {
		return c == 0
	}
	return ordered(t.Compare, c)
}
