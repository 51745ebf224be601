// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"slices"
	"strings"

	"tocsin/event/value"
)

// Never reports whether a condition holds of no event, as far as is easy to see: what it says of false may be wrong.
func Never(n Node) bool {
	switch n := n.(type) {
	case Const:
		return !bool(n)
	case Not:
		return always(n.X)
	case Or:
		return !slices.ContainsFunc(n, func(x Node) bool { return !Never(x) })
	case And:
		return slices.ContainsFunc(n, Never) || contradicts(n)
	case Gated:
		return Never(And{n.Gate, n.X})
	}
	return false
}

func always(n Node) bool {
	switch n := n.(type) {
	case Const:
		return bool(n)
	case And:
		return !slices.ContainsFunc(n, func(x Node) bool { return !always(x) })
	case Or:
		return slices.ContainsFunc(n, always)
	case Not:
		return Never(n.X)
	case Gated:
		return always(n.Gate) && always(n.X)
	}
	return false
}

// limits is what the parts of an And ask of one field: one of some texts and numbers, to be there, or not.
type limits struct {
	one           []string
	limited       bool
	there, absent bool
}

// contradicts reports whether two parts of an And ask for what one field cannot be at once.
func contradicts(parts []Node) bool {
	fields := make(map[string]*limits)
	var collect func(parts []Node) bool
	collect = func(parts []Node) bool {
		for _, x := range parts {
			if more, ok := x.(And); ok {
				if collect(more) {
					return true
				}
				continue
			}
			t, ok := x.(*Test)
			// Loosely read, an array has room for several; of everything in a record so has the record.
			if !ok || t.Loose || t.Field.Everywhere || t.Other != nil || t.Number {
				continue
			}
			key := t.Field.key()
			if fields[key] == nil {
				fields[key] = &limits{}
			}
			if fields[key].narrow(t) {
				return true
			}
		}
		return false
	}
	return collect(parts)
}

// narrow adds what a test asks, and reports whether nothing is left.
func (l *limits) narrow(t *Test) bool {
	switch t.Op {
	case Null:
		l.absent = true
		return l.there
	case There:
		return false
	}
	l.there = true
	if l.absent {
		return true
	}
	var one []string
	switch {
	case t.Op == Equal:
		for _, v := range t.Values {
			one = append(one, constantKey(v))
		}
	case t.Op == Is && !t.Fold:
		for _, s := range t.Texts {
			one = append(one, constantKey(value.OfString(s)))
		}
	default:
		return false
	}
	if !l.limited {
		l.one, l.limited = one, true
		return len(one) == 0
	}
	l.one = slices.DeleteFunc(l.one, func(s string) bool { return !slices.Contains(one, s) })
	return len(l.one) == 0
}

// constantKey is the same for constants that are equal.
func constantKey(v value.Value) string {
	if n, ok := exact(v); ok {
		return "n" + n.Text('p', 0)
	}
	return "s" + strings.ToValidUTF8(v.Text(), "") + string(rune('0'+v.Kind()))
}
