// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"math"
	"math/bits"
	"strconv"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
)

// Number is an exact decimal number, ±Digits × 10^Exp. What aggregates add and compare is numbers as they are
// written: ten times 0.3 is 3, which binary fractions do not give.
type Number struct {
	Neg    bool
	Digits uint64
	Exp    int16
}

// NumberOf returns a value as a Number; ok is false of what is none. Of a float it is the shortest decimal that reads
// as the same float: what the source wrote, up to 15 digits.
func NumberOf(v any) (n Number, ok bool) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return Number{Neg: true, Digits: -uint64(v)}, true
		}
		return Number{Digits: uint64(v)}, true
	case uint64:
		return Number{Digits: v}, true
	case float64:
		return decimal(v)
	}
	return Number{}, false
}

func decimal(f float64) (Number, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Number{}, false
	}
	n := Number{Neg: f < 0}
	if f = math.Abs(f); f == math.Trunc(f) && f < 1<<53 {
		n.Digits = uint64(f)
		return n, true
	}
	var buf [32]byte
	fraction, places := false, 0
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	for i, c := range text {
		switch c {
		case '.':
			fraction = true
		case 'e':
			exp, err := strconv.Atoi(string(text[i+1:]))
			n.Exp = int16(exp - places)
			return n, err == nil
		default:
			n.Digits = n.Digits*10 + uint64(c-'0') // 17 digits at the most
			if fraction {
				places++
			}
		}
	}
	return Number{}, false
}

// ReadNumber reads the number of an encoded value of a [Match]; ok is false if it is missing or none.
func ReadNumber(value string) (n Number, ok bool) {
	if value == "" {
		return Number{}, false
	}
	v, _, err := event.ReadValue([]byte(value))
	if err != nil {
		return Number{}, false
	}
	return NumberOf(v)
}

// Sign is -1, 0 or 1.
func (n Number) Sign() int {
	switch {
	case n.Digits == 0:
		return 0
	case n.Neg:
		return -1
	}
	return 1
}

// Compare orders two numbers exactly.
func (n Number) Compare(m Number) int {
	a, b := n.Sign(), m.Sign()
	switch {
	case a != b:
		return cmp.Compare(a, b)
	case a < 0:
		return m.compareAbs(n)
	}
	return n.compareAbs(m)
}

func (n Number) compareAbs(m Number) int {
	if n.Exp < m.Exp {
		return -m.compareAbs(n)
	}
	hi, lo := scaled(n.Digits, int(n.Exp)-int(m.Exp))
	if hi != 0 {
		return 1
	}
	return unsigned(lo, m.Digits)
}

// scaled multiplies with a power of ten; hi is not 0 if the product needs more than 64 bits.
func scaled(x uint64, power int) (hi, lo uint64) {
	if power > 19 { // 10^20 is beyond 64 bits
		return min(x, 1), 0
	}
	return bits.Mul64(x, pow10(power))
}

func pow10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

func unsigned(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (n Number) String() string {
	s := strconv.FormatUint(n.Digits, 10)
	if n.Exp != 0 {
		s += "e" + strconv.Itoa(int(n.Exp))
	}
	if n.Neg {
		s = "-" + s
	}
	return s
}

// numberNode reads a number of a condition.
func numberNode(n ast.Node) (Number, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return NumberOf(int64(n.Value))
	case *ast.FloatNode:
		return NumberOf(n.Value)
	case *ast.UnaryNode:
		if x, ok := numberNode(n.Node); ok && n.Operator == "-" {
			x.Neg = !x.Neg
			return x, true
		}
	}
	return Number{}, false
}
