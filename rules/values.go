// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math"
	"math/big"
)

// equal compares two values as the pattern language does: a missing value equals nothing, values of
// different types are different, numbers compare exactly whatever their type (P1-P3).
func equal(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case int64, uint64, float64:
		c, ok := compare(a, b)
		return ok && c == 0
	}
	return false
}

// compare orders two numbers or two strings; ok is false for anything else.
func compare(a, b any) (c int, ok bool) {
	if s, is := a.(string); is {
		t, is := b.(string)
		if !is {
			return 0, false
		}
		switch {
		case s < t:
			return -1, true
		case s > t:
			return 1, true
		}
		return 0, true
	}
	switch x := a.(type) {
	case int64:
		if y, is := b.(int64); is {
			return order(x, y), true
		}
	case float64:
		if y, is := b.(float64); is {
			if math.IsNaN(x) || math.IsNaN(y) {
				return 0, false
			}
			return order(x, y), true
		}
	}
	x, okx := exact(a)
	y, oky := exact(b)
	if !okx || !oky {
		return 0, false
	}
	return x.Cmp(y), true
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// exact is a number without rounding: an integer above 2^53 keeps its last digit (P3).
func exact(v any) (*big.Float, bool) {
	f := new(big.Float).SetPrec(64)
	switch v := v.(type) {
	case int64:
		return f.SetInt64(v), true
	case uint64:
		return f.SetUint64(v), true
	case float64:
		if math.IsNaN(v) {
			return nil, false
		}
		return f.SetFloat64(v), true
	}
	return nil, false
}
