// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"cmp"
	"math"
	"math/big"
	"strconv"

	"tocsin/event/value"
)

// equal compares two values as the language does: what is missing equals nothing, values of different types are
// different, numbers compare exactly whatever their type (detection.md P1-P3).
func equal(a, b value.Value) bool {
	switch {
	case a.Kind() == value.String:
		s, _ := a.Str()
		t, ok := b.Str()
		return ok && s == t
	case a.Kind() == value.Bool:
		x, _ := a.Bool()
		y, ok := b.Bool()
		return ok && x == y
	}
	c, ok := compare(a, b)
	return ok && c == 0
}

// compare orders two numbers or two strings; ok is false for anything else.
func compare(a, b value.Value) (c int, ok bool) {
	if s, is := a.Str(); is {
		t, is := b.Str()
		return cmp.Compare(s, t), is
	}
	if x, is := a.Int64(); is {
		if y, is := b.Int64(); is {
			return cmp.Compare(x, y), true
		}
	}
	x, okx := exact(a)
	y, oky := exact(b)
	if !okx || !oky {
		return 0, false
	}
	return x.Cmp(y), true
}

// exact is a number without rounding: an integer above 2^53 keeps its last digit (P3).
func exact(v value.Value) (*big.Float, bool) {
	f := new(big.Float).SetPrec(64)
	if n, ok := v.Int64(); ok {
		return f.SetInt64(n), true
	}
	if n, ok := v.Uint64(); ok {
		return f.SetUint64(n), true
	}
	if x, ok := v.Float64(); ok && !math.IsNaN(x) {
		return f.SetFloat64(x), true
	}
	return nil, false
}

// Number returns a number, or the number that a string spells (P2); else the missing Value.
func Number(v value.Value) value.Value {
	s, ok := v.Str()
	if !ok {
		if v.IsNumber() {
			return v
		}
		return value.Value{}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return value.OfInt(n)
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return value.OfUint(n)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) {
		return value.OfFloat(f)
	}
	return value.Value{}
}
