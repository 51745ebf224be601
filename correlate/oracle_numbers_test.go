// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"math/big"
	"slices"
	"strings"

	"tocsin/rules"
)

// The part of the oracle that is about numbers: as fractions, sorted and added up as a school book would.

// The places of an item's values; raw.n can be a number, or text that spells one.
const (
	valueV = iota
	valueW
	valueN
	valueNumberN
)

// fractions returns the numbers among an item's values.
func (x item) fractions() []*big.Rat {
	out := make([]*big.Rat, valueNumberN+1)
	text, quoted := strings.CutPrefix(x.n, "'")
	if n, ok := new(big.Rat).SetString(text); ok {
		out[valueNumberN] = n
		if !quoted {
			out[valueN] = n
		}
	}
	return out
}

func ratOf(n rules.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		panic("no number: " + n.String())
	}
	return r
}

// aggregate reports whether the comparison holds of a set.
func aggregate(c rules.Aggregate, s []seen) bool {
	var xs []*big.Rat
	sum := new(big.Rat)
	for _, x := range s {
		n := x.nums[c.Value]
		if x.bits&(1<<c.Pattern) == 0 || n == nil || c.Func == rules.Sum && n.Sign() < 0 {
			continue
		}
		xs = append(xs, n)
		sum.Add(sum, n)
	}
	slices.SortFunc(xs, (*big.Rat).Cmp)
	n := len(xs)
	if n == 0 && c.Func != rules.Sum {
		return false
	}
	var is *big.Rat
	switch c.Func {
	case rules.Sum:
		is = sum
	case rules.Max:
		is = xs[n-1]
	case rules.Min:
		is = xs[0]
	case rules.Avg:
		is = new(big.Rat).Quo(sum, big.NewRat(int64(n), 1))
	case rules.Median:
		is = new(big.Rat).Add(xs[(n-1)/2], xs[n/2])
		is.Mul(is, big.NewRat(1, 2))
	case rules.Percentile:
		// The least value with at least p % of the values not above it.
		for i, x := range xs {
			if big.NewRat(int64(100*(i+1)), int64(n)).Cmp(ratOf(c.Rank)) >= 0 {
				is = x
				break
			}
		}
	}
	switch d := is.Cmp(ratOf(c.N)); c.Op {
	case rules.GE:
		return d >= 0
	case rules.GT:
		return d > 0
	case rules.LE:
		return d <= 0
	case rules.LT:
		return d < 0
	case rules.EQ:
		return d == 0
	default:
		return d != 0
	}
}

// weight adds up the weights of the patterns that match in a set.
func weight(c rules.Score, s []seen) int64 {
	sum := int64(0)
	for p, w := range c.Weights {
		if number(s, p, nil) > 0 {
			sum += w
		}
	}
	return sum
}
