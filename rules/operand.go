// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
)

// constant makes an operand of a literal.
func constant(v any) operand {
	return operand{get: func(*event.Event) any { return v }, literal: v, konst: true}
}

// compileOperand compiles a field, a literal, an array of literals or number(x).
func compileOperand(n ast.Node) (operand, error) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(int64(n.Value)), nil
	case *ast.FloatNode:
		return constant(n.Value), nil
	case *ast.StringNode:
		if len(n.Value) > maxLiteral {
			return operand{}, fmt.Errorf("a string is longer than %d bytes", maxLiteral)
		}
		return constant(n.Value), nil
	case *ast.BoolNode:
		return constant(n.Value), nil
	case *ast.NilNode:
		return operand{}, fmt.Errorf("nil compares with nothing: write exists(x) or not exists(x)")
	case *ast.UnaryNode:
		o, err := compileOperand(n.Node)
		if err != nil {
			return o, err
		}
		switch v := o.literal.(type) {
		case int64:
			if n.Operator == "-" {
				return constant(-v), nil
			}
		case float64:
			if n.Operator == "-" {
				return constant(-v), nil
			}
		}
		return o, fmt.Errorf("%s%s is no value", n.Operator, n.Node)
	case *ast.ArrayNode:
		var items []any
		for _, x := range n.Nodes {
			o, err := compileOperand(x)
			if err != nil {
				return o, err
			}
			if !o.konst || o.array {
				return o, fmt.Errorf("an array has constants only")
			}
			items = append(items, o.literal)
		}
		o := constant(items)
		o.array = true
		return o, nil
	case *ast.CallNode:
		return compileNumber(n)
	case *ast.IdentifierNode, *ast.MemberNode:
		return compileField(n)
	}
	return operand{}, fmt.Errorf("%s is no value of the pattern language", n)
}

// path flattens a chain of members; a step is a string or an integer.
func path(n ast.Node) ([]any, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return []any{n.Value}, true
	case *ast.MemberNode:
		p, ok := path(n.Node)
		if !ok || n.Optional || n.Method {
			return nil, false
		}
		switch x := n.Property.(type) {
		case *ast.StringNode:
			return append(p, x.Value), true
		case *ast.IntegerNode:
			return append(p, x.Value), true
		}
	}
	return nil, false
}

// compileField compiles a canonical field or a path into the source's own object.
func compileField(n ast.Node) (operand, error) {
	p, ok := path(n)
	if !ok {
		return operand{}, fmt.Errorf("%s is no field", n)
	}
	if p[0] == "raw" {
		if len(p) == 1 {
			return operand{}, fmt.Errorf("raw is the whole record: name a field of it, raw.…")
		}
		return operand{get: rawGetter(p[1:])}, nil
	}
	var parts []string
	for _, x := range p {
		s, ok := x.(string)
		if !ok {
			return operand{}, fmt.Errorf("%s: canonical fields have no index; use has(…)", n)
		}
		parts = append(parts, s)
	}
	return fieldByName(strings.Join(parts, "."))
}

// fieldByName returns a canonical field, or `raw.…`, by its dotted name.
func fieldByName(name string) (operand, error) {
	if f, ok := event.Lookup(name); ok {
		return operand{get: func(e *event.Event) any { return e.Get(f) }, field: f, named: true}, nil
	}
	if strings.HasPrefix(name, "raw.") || strings.HasPrefix(name, "raw[") {
		n, err := parseExpr(name)
		if err != nil {
			return operand{}, err
		}
		return compileField(n)
	}
	var names []string
	for _, d := range event.Registry() {
		names = append(names, d.Name)
	}
	return operand{}, fmt.Errorf("unknown field %q%s; the source's own fields are raw.…", name, meant(name, names))
}

// rawGetter walks the source's own object.
func rawGetter(steps []any) value {
	return func(e *event.Event) any {
		var v any = e.Raw
		for _, s := range steps {
			switch s := s.(type) {
			case string:
				m, ok := v.(map[string]any)
				if !ok {
					return nil
				}
				v = m[s]
			case int:
				xs, ok := v.([]any)
				if !ok || s < 0 || s >= len(xs) {
					return nil
				}
				v = xs[s]
			}
		}
		return v
	}
}
