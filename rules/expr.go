// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

// Bounds of one expression (P5).
const (
	maxNodes   = 2000
	maxLiteral = 64 << 10
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
		msg := strings.Replace(err.Error(), `unexpected token Operator("=")`, `unexpected "=": equal is ==`, 1)
		if strings.Contains(src, "@") || strings.Contains(src, "-") {
			msg += ` (a field whose name has @, - or / is written raw["…"])`
		}
		wrong := fmt.Errorf("%s", msg)
		if e, ok := errors.AsType[*file.Error](err); ok {
			return nil, at(e.From, wrong)
		}
		return nil, wrong
	}
	return tree.Node, nil
}

func compilePattern(src string) (pred.Node, string, error) {
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

func compilePredicate(n ast.Node) (pred.Node, error) {
	p, err := predicateOf(n)
	return p, at(begin(n), err)
}

func predicateOf(n ast.Node) (pred.Node, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return pred.Const(n.Value), nil
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			p, err := compilePredicate(n.Node)
			if err != nil {
				return nil, err
			}
			return pred.Not{X: p}, nil
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

func compileBinary(n *ast.BinaryNode) (pred.Node, error) {
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
			return pred.And{l, r}, nil
		}
		return pred.Or{l, r}, nil
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

var (
	orders   = map[string]pred.Op{"<": pred.Less, "<=": pred.LessEqual, ">": pred.Greater, ">=": pred.GreaterEqual}
	mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}
	textual  = map[string]pred.Op{"contains": pred.Contains, "startsWith": pred.Prefix, "endsWith": pred.Suffix}
)

// comparison builds the test of one operator.
func comparison(op string, l, r operand) (pred.Node, error) {
	switch op {
	case "==":
		if l.konst {
			l, r = r, l
		}
		return l.test(pred.Equal, r), nil
	case "!=":
		n, err := comparison("==", l, r)
		return pred.Not{X: n}, err
	case "in":
		return member(r, l), nil
	case "matches":
		src, ok := r.text()
		if !ok {
			return nil, fmt.Errorf("the regular expression of `matches` is a constant string")
		}
		re, _, err := pred.NewRegexp(src)
		if err != nil {
			return nil, fmt.Errorf("%w (RE2 syntax)", err)
		}
		return l.fold(&pred.Test{Op: pred.Match, Regexp: re}), nil
	case "<", "<=", ">", ">=":
		if l.konst {
			op, l, r = mirrored[op], r, l
		}
		return l.test(orders[op], r), nil
	}
	return l.test(textual[op], r), nil
}

// member is the test of whether an array has a value.
func member(array, v operand) pred.Node {
	if array.array {
		return v.fold(&pred.Test{Op: pred.Equal, Values: array.literals})
	}
	return array.test(pred.Has, v)
}

// test compares with a constant or with another field.
func (o operand) test(op pred.Op, with operand) pred.Node {
	t := &pred.Test{Op: op}
	s, isText := with.text()
	switch {
	case !with.konst:
		t.Other, t.OtherNumber = &with.field, with.number
	case op >= pred.Is && !isText:
		return pred.Const(false) // no text has a number in it
	case op >= pred.Is:
		t.Texts = []string{s}
	default:
		t.Values = with.literals
	}
	return o.fold(t)
}

// fold is the test of the operand; of a constant it is decided here and now, unless it is against a field.
func (o operand) fold(t *pred.Test) pred.Node {
	t.Field, t.Number = o.field, o.number
	if o.konst && t.Other == nil {
		return pred.Const(pred.Eval(t, nil))
	}
	return t
}

// checkTypes refuses a comparison of a canonical field that can never hold.
func checkTypes(op string, l, r operand) error {
	if r.named && !l.named {
		l, r = r, l
		if op == "in" {
			if k := l.slot.Def().Kind; k != event.Strings {
				return fmt.Errorf("%s is no array: `in` needs one at its right", l.slot.Name())
			}
			return nil
		}
	}
	if !l.named {
		return nil
	}
	name, kind := l.slot.Name(), l.slot.Def().Kind
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
	for _, v := range r.literals {
		if isString := v.Kind() == value.String; isString == numeric {
			return fmt.Errorf("%s is of type %s and never equals %#v", name, kind, v.Any())
		}
	}
	return nil
}
