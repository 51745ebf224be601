// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/event"
	"tocsin/event/value"
)

// Event is what tests read of an event.
type Event interface {
	// Field returns a canonical field.
	Field(event.Field) value.Value
	// Object returns the source's own object.
	Object() value.Value
}

// Eval says whether a condition holds of an event. It is the meaning of a Node.
func Eval(n Node, e Event) bool {
	switch n := n.(type) {
	case And:
		return !slices.ContainsFunc(n, func(x Node) bool { return !Eval(x, e) })
	case Or:
		return slices.ContainsFunc(n, func(x Node) bool { return Eval(x, e) })
	case Not:
		return !Eval(n.X, e)
	case Const:
		return bool(n)
	case Gated:
		return Eval(n.Gate, e) && Eval(n.X, e)
	case *Test:
		return n.eval(e)
	}
	return false
}

// Read returns the field's value: that of the first source that is there.
func (f Field) Read(e Event) value.Value {
	if f.Const.Exists() {
		return f.Const
	}
	for _, s := range f.Sources {
		if v := s.read(e); v.Kind() != value.Missing {
			return v
		}
	}
	return value.Value{}
}

func (s Source) read(e Event) value.Value {
	if len(s.Path) == 0 {
		return e.Field(s.Slot)
	}
	v := e.Object()
	for _, step := range s.Path {
		if step.Key != "" {
			v = v.Get(step.Key)
		} else {
			v = v.At(step.Index)
		}
	}
	return v
}

func (t *Test) eval(e Event) bool {
	if t.Field.Everywhere {
		return t.among(e.Object())
	}
	v := t.Field.Read(e)
	if t.Other != nil {
		if t.Number {
			v = Number(v)
		}
		return t.against(v, e)
	}
	return t.of(v)
}

// of says whether the field's value fits.
func (t *Test) of(v value.Value) bool {
	if t.Number {
		v = Number(v)
	}
	if t.Loose && v.Kind() == value.Array && t.Op < Exists {
		return t.among(v)
	}
	return t.holds(v)
}

// among says whether one of the scalars in v fits.
func (t *Test) among(v value.Value) bool {
	if t.Reach == 0 {
		return within(v, t.holds)
	}
	left := t.Reach
	return within(v, func(x value.Value) bool {
		s, ok := t.text(x)
		return ok && t.rationed(s, &left)
	})
}

// rationed says whether a text fits of which no more is read than is left. What comes when nothing is left does not.
func (t *Test) rationed(s string, left *int) bool {
	if *left == 0 {
		return false
	}
	read := head(s, *left)
	if *left -= len(read); len(read) < len(s) {
		*left = 0
	}
	return t.fits(read)
}

// head is the beginning of a text, in whole runes.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// against compares with another field.
func (t *Test) against(v value.Value, e Event) bool {
	o := t.Other.Read(e)
	if t.OtherNumber {
		o = Number(o)
	}
	with := *t
	with.Other = nil
	switch {
	case t.Op <= GreaterEqual:
		with.Values = []value.Value{o}
		if t.Op == Has {
			with.Op = Equal
			return slices.ContainsFunc(slices.Collect(v.Elements()), with.holds)
		}
	default:
		s, ok := t.text(o)
		if !ok {
			return false
		}
		with.Texts = []string{s}
	}
	return with.holds(v)
}

// within reports whether one of the scalars in v, at any depth, fits.
func within(v value.Value, holds func(value.Value) bool) bool {
	switch v.Kind() {
	case value.Array:
		for x := range v.Elements() {
			if within(x, holds) {
				return true
			}
		}
		return false
	case value.Object:
		for _, x := range v.Members() {
			if within(x, holds) {
				return true
			}
		}
		return false
	}
	return holds(v)
}

// text is what textual operations see of a value.
func (t *Test) text(v value.Value) (string, bool) {
	s, ok := v.Str()
	if !ok && t.Loose && (v.IsNumber() || v.Kind() == value.Bool) {
		s, ok = v.Text(), true
	}
	if ok && t.Fold {
		s = Fold(s)
	}
	return s, ok
}

// holds says whether a single value fits.
func (t *Test) holds(v value.Value) bool {
	switch t.Op {
	case Equal:
		return slices.ContainsFunc(t.Values, func(x value.Value) bool { return equal(v, x) })
	case Has:
		for x := range v.Elements() {
			if slices.ContainsFunc(t.Values, func(y value.Value) bool { return equal(x, y) }) {
				return true
			}
		}
		return false
	case Less, LessEqual, Greater, GreaterEqual:
		return ordered(t.Op, v, t.Values[0])
	case Exists:
		return v.Exists()
	case There:
		return v.Kind() != value.Missing
	case Null:
		return !v.Exists()
	case Calendar:
		return t.calendar(v)
	}
	s, ok := t.text(v)
	return ok && t.fits(s)
}

func ordered(op Op, a, b value.Value) bool {
	c, ok := compare(a, b)
	if !ok {
		return false
	}
	switch op {
	case Less:
		return c < 0
	case LessEqual:
		return c <= 0
	case Greater:
		return c > 0
	default:
		return c >= 0
	}
}

// fits says whether a text, folded if the test folds, fits.
func (t *Test) fits(s string) bool {
	if t.Reach > 0 {
		s = head(s, t.Reach)
	}
	switch t.Op {
	case Is:
		if t.List != "" {
			_, found := slices.BinarySearch(t.Texts, s)
			return found
		}
		return slices.Contains(t.Texts, s)
	case Contains:
		return containsAny(s, t.Texts)
	case Prefix:
		return slices.ContainsFunc(t.Texts, func(x string) bool { return strings.HasPrefix(s, x) })
	case Suffix:
		return slices.ContainsFunc(t.Texts, func(x string) bool { return strings.HasSuffix(s, x) })
	case Like:
		return slices.ContainsFunc(t.Globs, func(g Glob) bool { return g.Match(s) })
	case Match:
		return t.Regexp.MatchString(s)
	case In:
		a, err := netip.ParseAddr(s)
		return err == nil && slices.ContainsFunc(t.Nets, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
	}
	return false
}

// timeLayouts are RFC 3339, and what Windows and Microsoft 365 write of a time in UTC: Sysmon's UtcTime has a space and no
// zone.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"}

func readTime(s string) (at time.Time, ok bool) {
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), true
		}
	}
	return at, false
}

// calendar compares a part of a time: a text, or Unix nanoseconds of a canonical field.
func (t *Test) calendar(v value.Value) bool {
	var at time.Time
	if ns, ok := v.Int64(); ok {
		at = time.Unix(0, ns).UTC()
	} else if s, ok := v.Str(); ok {
		if at, ok = readTime(s); !ok {
			return false
		}
	} else {
		return false
	}
	_, week := at.ISOWeek()
	part := value.OfInt(int64([...]int{at.Minute(), at.Hour(), at.Day(), week, int(at.Month()), at.Year()}[t.Part]))
	if t.Compare != Equal {
		return ordered(t.Compare, part, t.Values[0])
	}
	return slices.ContainsFunc(t.Values, func(x value.Value) bool { return equal(part, x) })
}
