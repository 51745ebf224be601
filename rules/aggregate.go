// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
)

// Func is what an [Aggregate] makes of numbers.
type Func uint8

// The aggregates.
const (
	Sum Func = iota
	Max
	Min
	Avg
	Median
	Percentile
)

var funcNames = [...]string{"sum", "max", "min", "avg", "median", "percentile"}

func (f Func) String() string { return funcNames[f] }

// Aggregate compares what a function makes of the numeric values that the matches of a pattern have in W(e). Value indexes
// Rule.Values; a match whose value is no number takes no part. Of no values there is no maximum, minimum, average, median
// or percentile, and no comparison with it holds; the sum of none is 0.
type Aggregate struct {
	Func           Func
	Pattern, Value int
	// Rank is the p of a percentile, which is by nearest rank: the least value that is not below p % of the values.
	Rank Number
	Op   Op
	N    Number
}

// Positive reports whether further events can only make the comparison true.
func (a Aggregate) Positive() bool {
	switch a.Func {
	case Sum, Max:
		return a.Op == GE || a.Op == GT
	case Min:
		return a.Op == LE || a.Op == LT
	}
	return false
}

// Score compares the sum of the weights of the patterns that have a match in W(e), each counted once.
type Score struct {
	// Weights holds one for each pattern, 0 for none.
	Weights []int64
	Op      Op
	N       int64
}

func (Aggregate) cond() {}
func (Score) cond()     {}

// aggregateOf returns the aggregate of a name.
func aggregateOf(name string) (Func, bool) {
	for i, n := range funcNames {
		if n == name {
			return Func(i), true
		}
	}
	return 0, false
}

func (c conditions) aggregate(n *ast.BinaryNode, call *ast.CallNode, f Func, op Op) (Cond, error) {
	a := Aggregate{Func: f, Op: op}
	args := call.Arguments
	switch {
	case f == Percentile && len(args) != 3:
		return nil, fmt.Errorf("percentile takes a pattern, a field and a percentage, as in percentile(a, raw.ms, 95) > 500")
	case f != Percentile && len(args) != 2:
		return nil, fmt.Errorf("%s takes a pattern and a field, as in %s(a, raw.bytes) >= 1000", f, f)
	}
	if f == Percentile {
		rank, ok := numberNode(args[2])
		if !ok || rank.Sign() <= 0 || rank.Compare(Number{Digits: 100}) > 0 || rank.Exp < -4 {
			return nil, fmt.Errorf("the percentage of percentile is a number above 0 and up to 100, with four decimals at most")
		}
		a.Rank = rank
	}
	var err error
	if a.Pattern, err = c.pattern(args[0]); err != nil {
		return nil, err
	}
	o, err := compileValue(args[1])
	if err != nil {
		return nil, err
	}
	if o.named && o.slot.Def().Kind != event.Int {
		return nil, fmt.Errorf("%s is of type %s, and %s is over numbers: write number(%s) if it spells one", args[1], o.slot.Def().Kind, f, args[1])
	}
	a.Value = c.value(args[1].String())
	var ok bool
	if a.N, ok = numberNode(n.Right); !ok {
		return nil, fmt.Errorf("%s: the threshold is a number", n)
	}
	if f == Sum {
		switch sign := a.N.Sign(); {
		case sign < 0 && (op == GE || op == GT || op == NE), sign == 0 && op == GE:
			return nil, fmt.Errorf("%s always holds: a sum leaves negative values out", n)
		case sign < 0, sign == 0 && op == LT:
			return nil, fmt.Errorf("%s never holds: a sum leaves negative values out", n)
		}
	}
	return a, nil
}

// compileValue compiles what a condition reads of each match: a field, or number(field).
func compileValue(n ast.Node) (operand, error) {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return compileField(n)
	}
	if callee(call) != "number" || len(call.Arguments) != 1 {
		return operand{}, fmt.Errorf("%s is neither a field nor number(field)", n)
	}
	o, err := compileField(call.Arguments[0])
	o.number, o.named = true, false
	return o, err
}

// valueByName returns what a name of Rule.Values reads.
func valueByName(name string) (operand, error) {
	if !strings.HasPrefix(name, "number(") {
		return fieldByName(name)
	}
	n, err := parseExpr(name)
	if err != nil {
		return operand{}, err
	}
	return compileValue(n)
}

func (c conditions) score(n *ast.BinaryNode, op Op) (Cond, error) {
	if c.weights == nil {
		return nil, fmt.Errorf("score adds up `weights`, and the rule has none: weights: {%s: 50}", c.names[0])
	}
	num, ok := n.Right.(*ast.IntegerNode)
	if !ok || num.Value < 0 || num.Value > maxThreshold {
		return nil, fmt.Errorf("%s: a score is compared with a whole number up to %d", n, maxThreshold)
	}
	s := Score{Weights: c.weights, Op: op, N: int64(num.Value)}
	total := int64(0)
	for _, w := range c.weights {
		total += w
	}
	switch {
	case op == GE && s.N == 0:
		return nil, fmt.Errorf("%s always holds", n)
	case op == GE && s.N > total || op == GT && s.N >= total:
		return nil, fmt.Errorf("%s never holds: all weights together are %d", n, total)
	case op == LT && s.N == 0:
		return nil, fmt.Errorf("%s never holds", n)
	}
	return s, nil
}
