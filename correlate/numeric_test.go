// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"tocsin/rules"
)

// TestTotalIsExact: a total is the fraction that its parts add up to, whatever was added and taken away.
func TestTotalIsExact(t *testing.T) {
	t.Parallel()
	fraction := func(n rules.Number) *big.Rat {
		r, ok := new(big.Rat).SetString(n.String())
		if !ok {
			panic(fmt.Sprint("no number: ", n))
		}
		return r
	}
	number := rapid.Custom(func(t *rapid.T) rules.Number {
		digits := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 999)).Draw(t, "digits")
		return rules.Number{Neg: rapid.Bool().Draw(t, "neg"), Digits: digits, Exp: rapid.Int16Range(-20, 20).Draw(t, "exp")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var sum total
		want := new(big.Rat)
		for range rapid.IntRange(0, 8).Draw(t, "parts") {
			n := number.Draw(t, "n")
			if sum.add(n, false); rapid.Bool().Draw(t, "away") {
				sum.add(n, true)
				continue
			}
			want.Add(want, fraction(n))
		}
		than, times := number.Draw(t, "than"), rapid.Int64Range(1, 1000).Draw(t, "times")
		scaled := new(big.Rat).Mul(fraction(than), big.NewRat(times, 1))
		if got := sum.compare(than, times); got != want.Cmp(scaled) {
			t.Fatalf("%v compares with %d × %s as %d, want %d", want, times, than, got, want.Cmp(scaled))
		}
	})
}
