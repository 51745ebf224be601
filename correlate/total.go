// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"math"
	"math/big"

	"tocsin/rules"
)

// total is an exact sum of decimal numbers: it does not depend on the order in which they are added, and what was added can
// be taken away again. It is an int64 times a power of ten as long as that fits.
type total struct {
	small int64
	large *big.Int // instead of small, once that overflowed
	exp   int
}

// add adds n, or takes it away.
func (t *total) add(n rules.Number, away bool) {
	if n.Digits == 0 {
		return
	}
	if t.small == 0 && t.large == nil {
		t.exp = int(n.Exp)
	}
	neg := n.Neg != away
	if t.large == nil && t.addSmall(n, neg) {
		return
	}
	if t.large == nil {
		t.large = big.NewInt(t.small)
	}
	x := new(big.Int).SetUint64(n.Digits)
	if neg {
		x.Neg(x)
	}
	if exp := int(n.Exp); exp < t.exp {
		t.large.Mul(t.large, power(t.exp-exp))
		t.exp = exp
	} else if exp > t.exp {
		x.Mul(x, power(exp-t.exp))
	}
	t.large.Add(t.large, x)
}

// addSmall adds in an int64; it reports false, and changes nothing, if that overflows.
func (t *total) addSmall(n rules.Number, neg bool) bool {
	if n.Digits > math.MaxInt64 {
		return false
	}
	x := int64(n.Digits)
	if neg {
		x = -x
	}
	sum, exp, ok := t.small, t.exp, true
	switch {
	case int(n.Exp) < exp:
		sum, ok = shift(sum, exp-int(n.Exp))
		exp = int(n.Exp)
	case int(n.Exp) > exp:
		x, ok = shift(x, int(n.Exp)-exp)
	}
	if !ok {
		return false
	}
	added := sum + x
	if (added > sum) != (x > 0) {
		return false
	}
	t.small, t.exp = added, exp
	return true
}

// shift multiplies with a power of ten; ok is false if it overflows.
func shift(x int64, places int) (int64, bool) {
	for ; places > 0 && x != 0; places-- {
		if x > math.MaxInt64/10 || x < math.MinInt64/10 {
			return 0, false
		}
		x *= 10
	}
	return x, true
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// compare orders the total and times × n.
func (t *total) compare(n rules.Number, times int64) int {
	if c, ok := t.compareSmall(n, times); ok {
		return c
	}
	a, b := t.large, new(big.Int).SetUint64(n.Digits)
	if a == nil {
		a = big.NewInt(t.small)
	}
	b.Mul(b, big.NewInt(times))
	if n.Neg {
		b.Neg(b)
	}
	switch exp := int(n.Exp); {
	case t.exp > exp:
		a = new(big.Int).Mul(a, power(t.exp-exp))
	case t.exp < exp:
		b.Mul(b, power(exp-t.exp))
	}
	return a.Cmp(b)
}

// compareSmall compares in an int64; ok is false if that overflows.
func (t *total) compareSmall(n rules.Number, times int64) (c int, ok bool) {
	if t.large != nil || times != 0 && n.Digits > uint64(math.MaxInt64/times) {
		return 0, false
	}
	a, b := t.small, int64(n.Digits)*times
	if n.Neg {
		b = -b
	}
	if exp := int(n.Exp); t.exp > exp {
		a, ok = shift(a, t.exp-exp)
	} else {
		b, ok = shift(b, exp-t.exp)
	}
	return cmp.Compare(a, b), ok
}
