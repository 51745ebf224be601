// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
)

// Bounds of a condition (B1, P5).
const (
	maxSteps     = 1000
	maxDistinct  = 10_000
	maxThreshold = 1_000_000
)

// conditions compiles `when` over a rule's patterns.
type conditions struct {
	names   []string
	values  *[]string // Rule.Values, grown by what reads fields
	weights []int64   // by pattern, nil without `weights`
	learn   time.Duration
}

// formNames are the functions of `when`, and what else stands for a number there.
var formNames = []string{
	"count", "distinct", "sequence", "repeat", "detection", "sum", "max", "min", "avg", "median", "percentile", "score",
	"first_seen", "silent", "rate", "usual",
}

func (c conditions) pattern(n ast.Node) (int, error) {
	id, ok := n.(*ast.IdentifierNode)
	if !ok {
		return 0, fmt.Errorf("%s is no pattern name", n)
	}
	for i, name := range c.names {
		if name == id.Value {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no pattern %q in match%s", id.Value, meant(id.Value, c.names))
}

func (c conditions) compile(n ast.Node) (Cond, error) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "score" {
			return nil, fmt.Errorf("score is a number: compare it, as in score >= 100")
		}
		i, err := c.pattern(n)
		return Is{i}, err
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			break
		}
		x, err := c.compile(n.Node)
		if err != nil {
			return nil, err
		}
		if err := negatable(x); err != nil {
			return nil, err
		}
		return Not{x}, nil
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.CallNode:
		switch name := callee(n); name {
		case "sequence":
			return c.sequence(n)
		case "first_seen":
			return c.firstSeen(n)
		case "silent":
			return c.silent(n)
		case "count", "distinct", "sum", "max", "min", "avg", "median", "percentile", "rate", "usual":
			return nil, fmt.Errorf("%s is a number: compare it, as in %s >= 5", n, n)
		case "repeat":
			return nil, fmt.Errorf("repeat(…) is a step of sequence(…); alone, write count(a) >= n")
		case "detection":
			return nil, fmt.Errorf("detection(…) is a pattern: give it a name under match")
		default:
			return nil, fmt.Errorf("unknown form %q%s", name, meant(name, formNames))
		}
	}
	return nil, fmt.Errorf("%s is no condition over patterns", n)
}

// negatable refuses what `not` has no meaning for.
func negatable(c Cond) error {
	switch c := c.(type) {
	case Count:
		if c.Op != GE && c.Op != GT {
			return fmt.Errorf("`not` of a count with %s: write the opposite comparison", c.Op)
		}
	case Distinct:
		if c.Op != GE && c.Op != GT {
			return fmt.Errorf("`not` of a distinct with %s: write the opposite comparison", c.Op)
		}
	case Aggregate:
		if !c.Positive() {
			return fmt.Errorf("`not` of %s with %s: write the opposite comparison", c.Func, c.Op)
		}
	case Score:
		if c.Op != GE && c.Op != GT {
			return fmt.Errorf("`not` of a score with %s: write the opposite comparison", c.Op)
		}
	case Rate:
		return fmt.Errorf("`not` of a rate: write a rule of what is too much, or silent(…) for what is too little")
	case Silent:
		return fmt.Errorf("`not silent(…)` has no meaning here: name what is to come, as in sequence(a, b)")
	case Sequence:
		for _, s := range c.Steps {
			if s.Not {
				return fmt.Errorf("`not` of a sequence that has a `not` has no meaning here: split it into two rules")
			}
		}
	case And:
		return negatableAll(c.X)
	case Or:
		return negatableAll(c.X)
	}
	return nil
}

func negatableAll(cs []Cond) error {
	for _, x := range cs {
		if err := negatable(x); err != nil {
			return err
		}
	}
	return nil
}

func (c conditions) binary(n *ast.BinaryNode) (Cond, error) {
	ops := map[string]Op{">=": GE, ">": GT, "<=": LE, "<": LT, "==": EQ, "!=": NE}
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, err := c.compile(n.Left)
		if err != nil {
			return nil, err
		}
		r, err := c.compile(n.Right)
		if err != nil {
			return nil, err
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return And{[]Cond{l, r}}, nil
		}
		return Or{[]Cond{l, r}}, nil
	}
	op, ok := ops[n.Operator]
	if !ok {
		return nil, fmt.Errorf("the operator %s does not combine patterns", n.Operator)
	}
	if id, ok := n.Left.(*ast.IdentifierNode); ok && id.Value == "score" {
		return c.score(n, op)
	}
	call, ok := n.Left.(*ast.CallNode)
	if !ok {
		return nil, fmt.Errorf("%s: only what counts or adds up is compared, count(…), sum(…) and their like, with a number at the right", n)
	}
	if callee(call) == "rate" {
		return c.rate(n, call, op)
	}
	if f, ok := aggregateOf(callee(call)); ok {
		return c.aggregate(n, call, f, op)
	}
	num, ok := n.Right.(*ast.IntegerNode)
	if !ok {
		return nil, fmt.Errorf("%s: the threshold is a whole number", n)
	}
	threshold := int64(num.Value)
	if threshold > maxThreshold {
		return nil, fmt.Errorf("the threshold %d is above %d", threshold, maxThreshold)
	}
	if threshold < 0 || op == GE && threshold == 0 {
		return nil, fmt.Errorf("%s always holds", n)
	}
	if op == LT && threshold == 0 {
		return nil, fmt.Errorf("%s never holds", n)
	}
	return c.counted(call, op, threshold)
}

func (c conditions) counted(call *ast.CallNode, op Op, n int64) (Cond, error) {
	switch callee(call) {
	case "count":
		if len(call.Arguments) != 1 {
			return nil, fmt.Errorf("count takes one pattern")
		}
		i, err := c.pattern(call.Arguments[0])
		return Count{Pattern: i, Op: op, N: n}, err
	case "distinct":
		if len(call.Arguments) < 2 {
			return nil, fmt.Errorf("distinct takes a pattern and at least one field")
		}
		if n > maxDistinct {
			return nil, fmt.Errorf("the threshold of distinct is at most %d", maxDistinct)
		}
		i, err := c.pattern(call.Arguments[0])
		if err != nil {
			return nil, err
		}
		d := Distinct{Pattern: i, Op: op, N: n}
		d.Values, err = c.fields(call.Arguments[1:])
		return d, err
	}
	return nil, fmt.Errorf("%s cannot be compared", call)
}

// fields returns the places of fields in Rule.Values.
func (c conditions) fields(args []ast.Node) ([]int, error) {
	var out []int
	for _, a := range args {
		if _, err := compileField(a); err != nil {
			return nil, err
		}
		out = append(out, c.value(a.String()))
	}
	return out, nil
}

// value returns the place of a field in Rule.Values.
func (c conditions) value(name string) int {
	for i, v := range *c.values {
		if v == name {
			return i
		}
	}
	*c.values = append(*c.values, name)
	return len(*c.values) - 1
}

func (c conditions) sequence(n *ast.CallNode) (Cond, error) {
	var q Sequence
	total, positive := 0, false
	for _, a := range n.Arguments {
		step := Step{Times: 1}
		if u, ok := a.(*ast.UnaryNode); ok && (u.Operator == "not" || u.Operator == "!") {
			step.Not = true
			a = u.Node
		}
		if call, ok := a.(*ast.CallNode); ok && callee(call) == "repeat" {
			if step.Not {
				return nil, fmt.Errorf("`not repeat(…)` has no meaning in a sequence")
			}
			if len(call.Arguments) != 2 {
				return nil, fmt.Errorf("repeat takes a pattern and a number")
			}
			times, ok := call.Arguments[1].(*ast.IntegerNode)
			if !ok || times.Value < 1 || times.Value > maxSteps {
				return nil, fmt.Errorf("the number of repeat is between 1 and %d", maxSteps)
			}
			step.Times, a = times.Value, call.Arguments[0]
		}
		i, err := c.pattern(a)
		if err != nil {
			return nil, err
		}
		step.Pattern = i
		if !step.Not {
			positive = true
			total += step.Times
		}
		q.Steps = append(q.Steps, step)
	}
	if !positive {
		return nil, fmt.Errorf("a sequence needs at least one step that is not a `not`")
	}
	if total > maxSteps {
		return nil, fmt.Errorf("a sequence has at most %d steps, this one has %d", maxSteps, total)
	}
	return q, nil
}

// windowless reports whether a condition needs no `within`: each event decides by itself.
func windowless(c Cond) bool {
	switch c := c.(type) {
	case Is, FirstSeen:
		return true
	case Or:
		for _, x := range c.X {
			if !windowless(x) {
				return false
			}
		}
		return true
	}
	return false
}

// detectionRef returns the rule that `detection("…")` names.
func detectionRef(n ast.Node) (string, bool, error) {
	call, ok := n.(*ast.CallNode)
	if !ok || callee(call) != "detection" {
		return "", false, nil
	}
	if len(call.Arguments) != 1 {
		return "", true, fmt.Errorf("detection takes the id of one rule")
	}
	id, ok := call.Arguments[0].(*ast.StringNode)
	if !ok || strings.TrimSpace(id.Value) == "" {
		return "", true, fmt.Errorf("detection takes the id of a rule as a string")
	}
	return id.Value, true, nil
}
