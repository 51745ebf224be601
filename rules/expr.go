// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"tocsin/event"
)

// Bounds of one expression (P5).
const (
	maxNodes   = 2000
	maxLiteral = 64 << 10
)

// predicate decides a pattern; value reads an operand. Neither can fail.
type (
	predicate func(*event.Event) bool
	value     func(*event.Event) any
)

// parseExpr parses with expr's grammar and none of its builtins.
func parseExpr(src string) (ast.Node, error) {
	if strings.TrimSpace(src) == "" {
		return nil, fmt.Errorf("the expression is empty")
	}
	if len(src) > maxLiteral {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxLiteral)
	}
	c := conf.CreateNew()
	c.MaxNodes = maxNodes
	for name := range builtin.Index {
		c.Disabled[name] = true
	}
	for _, b := range builtin.Builtins {
		c.Functions[b.Name] = &builtin.Function{Name: b.Name} // calls, not closures
	}
	tree, err := parser.ParseWithConfig(src, c)
	if err != nil {
		msg := err.Error()
		if strings.Contains(src, "@") || strings.Contains(src, "-") {
			msg += ` (a field whose name has @, - or / is written raw["…"])`
		}
		return nil, fmt.Errorf("%s", msg)
	}
	return tree.Node, nil
}

// operand is one side of a comparison.
type operand struct {
	get     value
	literal any // set if it is a constant
	konst   bool
	field   event.Field
	named   bool // it is the canonical field
	array   bool // it is a constant array
}

func compilePattern(src string) (predicate, string, error) {
	n, err := parseExpr(src)
	if err != nil {
		return nil, "", err
	}
	p, err := compilePredicate(n)
	if err != nil {
		return nil, "", err
	}
	return p, n.String(), nil
}

func compilePredicate(n ast.Node) (predicate, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return func(*event.Event) bool { return n.Value }, nil
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			p, err := compilePredicate(n.Node)
			if err != nil {
				return nil, err
			}
			return func(e *event.Event) bool { return !p(e) }, nil
		}
	case *ast.BinaryNode:
		return compileBinary(n)
	case *ast.CallNode:
		return compileCall(n)
	case *ast.ChainNode:
		return nil, fmt.Errorf("`?.` is not of the language: a missing field compares false anyway")
	case *ast.ConditionalNode, *ast.VariableDeclaratorNode, *ast.SequenceNode, *ast.PredicateNode, *ast.BuiltinNode:
		return nil, fmt.Errorf("%s is not of the pattern language", n)
	case *ast.IdentifierNode, *ast.MemberNode:
		if _, err := compileOperand(n); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s is a field, not a condition: compare it, or write exists(%s)", n, n)
	}
	return nil, fmt.Errorf("%s is not a condition", n)
}

func compileBinary(n *ast.BinaryNode) (predicate, error) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, err := compilePredicate(n.Left)
		if err != nil {
			return nil, err
		}
		r, err := compilePredicate(n.Right)
		if err != nil {
			return nil, err
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return func(e *event.Event) bool { return l(e) && r(e) }, nil
		}
		return func(e *event.Event) bool { return l(e) || r(e) }, nil
	case "==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches":
	default:
		return nil, fmt.Errorf("the operator %s is not of the pattern language", n.Operator)
	}
	if u, ok := n.Left.(*ast.UnaryNode); ok && (u.Operator == "not" || u.Operator == "!") {
		return nil, fmt.Errorf("`not x %s y` reads as `(not x) %s y`: write `not (x %s y)`", n.Operator, n.Operator, n.Operator)
	}
	l, err := compileOperand(n.Left)
	if err != nil {
		return nil, err
	}
	r, err := compileOperand(n.Right)
	if err != nil {
		return nil, err
	}
	if l.array || r.array && n.Operator != "in" {
		return nil, fmt.Errorf("an array stands only at the right of `in`")
	}
	if err := checkTypes(n.Operator, l, r); err != nil {
		return nil, err
	}
	return comparison(n.Operator, l, r)
}

// comparison builds the predicate of one operator.
func comparison(op string, l, r operand) (predicate, error) {
	switch op {
	case "==":
		return func(e *event.Event) bool { return equal(l.get(e), r.get(e)) }, nil
	case "!=":
		return func(e *event.Event) bool { return !equal(l.get(e), r.get(e)) }, nil
	case "in":
		return func(e *event.Event) bool { return member(r.get(e), l.get(e)) }, nil
	case "contains":
		return textual(l, r, strings.Contains), nil
	case "startsWith":
		return textual(l, r, strings.HasPrefix), nil
	case "endsWith":
		return textual(l, r, strings.HasSuffix), nil
	case "matches":
		src, ok := r.literal.(string)
		if !ok {
			return nil, fmt.Errorf("the regular expression of `matches` is a constant string")
		}
		re, err := regexp.Compile(src)
		if err != nil {
			return nil, fmt.Errorf("%w (RE2 syntax)", err)
		}
		return func(e *event.Event) bool {
			s, ok := l.get(e).(string)
			return ok && re.MatchString(s)
		}, nil
	}
	var want func(int) bool
	switch op {
	case "<":
		want = func(c int) bool { return c < 0 }
	case "<=":
		want = func(c int) bool { return c <= 0 }
	case ">":
		want = func(c int) bool { return c > 0 }
	default:
		want = func(c int) bool { return c >= 0 }
	}
	return func(e *event.Event) bool {
		c, ok := compare(l.get(e), r.get(e))
		return ok && want(c)
	}, nil
}

func textual(l, r operand, f func(s, t string) bool) predicate {
	return func(e *event.Event) bool {
		s, ok := l.get(e).(string)
		if !ok {
			return false
		}
		t, ok := r.get(e).(string)
		return ok && f(s, t)
	}
}

// member reports whether an array has a value.
func member(array, v any) bool {
	xs, ok := array.([]any)
	if !ok {
		return false
	}
	for _, x := range xs {
		if equal(x, v) {
			return true
		}
	}
	return false
}

// checkTypes refuses a comparison of a canonical field that can never hold.
func checkTypes(op string, l, r operand) error {
	if r.named && !l.named {
		l, r = r, l
		if op == "in" {
			if k := l.field.Def().Kind; k != event.Strings {
				return fmt.Errorf("%s is no array: `in` needs one at its right", l.field.Name())
			}
			return nil
		}
	}
	if !l.named {
		return nil
	}
	name, kind := l.field.Name(), l.field.Def().Kind
	if kind == event.Strings {
		return fmt.Errorf("%s is an array: write has(%s, …)", name, name)
	}
	numeric := kind == event.Int || kind == event.Time
	switch op {
	case "contains", "startsWith", "endsWith", "matches":
		if numeric {
			return fmt.Errorf("%s is an %s: %s needs a string", name, kind, op)
		}
	}
	for _, v := range r.constants() {
		_, isString := v.(string)
		if isString == numeric {
			return fmt.Errorf("%s is of type %s and never equals %#v", name, kind, v)
		}
	}
	return nil
}

func (o operand) constants() []any {
	switch {
	case !o.konst:
		return nil
	case o.array:
		return o.literal.([]any)
	}
	return []any{o.literal}
}
