// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

// operand is one side of a comparison: a field, or a constant.
type operand struct {
	field pred.Field
	// number says that a string is read as the number that it spells.
	number bool
	// slot is the canonical field, if named.
	slot  event.Field
	named bool
	// literals has one constant, or those of a constant array.
	literals []value.Value
	konst    bool
	array    bool
}

// constant makes an operand of a literal.
func constant(v value.Value) operand {
	return operand{field: pred.Field{Const: v}, literals: []value.Value{v}, konst: true}
}

// text returns a constant string.
func (o operand) text() (string, bool) {
	if !o.konst || o.array {
		return "", false
	}
	return o.literals[0].Str()
}

// read returns the operand's value of an event.
func (o operand) read(e pred.Event) value.Value {
	v := o.field.Read(e)
	if o.number {
		return pred.Number(v)
	}
	return v
}

// compileOperand compiles a field, a literal, an array of literals or number(x).
func compileOperand(n ast.Node) (operand, error) {
	o, err := operandOf(n)
	return o, at(begin(n), err)
}

func operandOf(n ast.Node) (operand, error) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(value.OfInt(int64(n.Value))), nil
	case *ast.FloatNode:
		return constant(value.OfFloat(n.Value)), nil
	case *ast.StringNode:
		if len(n.Value) > maxLiteral {
			return operand{}, fmt.Errorf("a string is longer than %d bytes", maxLiteral)
		}
		return constant(value.OfString(n.Value)), nil
	case *ast.BoolNode:
		return constant(value.OfBool(n.Value)), nil
	case *ast.NilNode:
		return operand{}, fmt.Errorf("nil compares with nothing: write exists(x) or not exists(x)")
	case *ast.UnaryNode:
		return negative(n)
	case *ast.ArrayNode:
		o := operand{konst: true, array: true}
		for _, x := range n.Nodes {
			item, err := compileOperand(x)
			if err != nil {
				return item, err
			}
			if !item.konst || item.array {
				return item, fmt.Errorf("an array has constants only")
			}
			o.literals = append(o.literals, item.literals...)
		}
		return o, nil
	case *ast.CallNode:
		return compileNumber(n)
	case *ast.IdentifierNode, *ast.MemberNode:
		return compileField(n)
	}
	return operand{}, fmt.Errorf("%s is no value of the pattern language", n)
}

func negative(n *ast.UnaryNode) (operand, error) {
	o, err := compileOperand(n.Node)
	if err != nil {
		return o, err
	}
	if n.Operator == "-" && o.konst && !o.array {
		if i, ok := o.literals[0].Int64(); ok {
			return constant(value.OfInt(-i)), nil
		}
		if f, ok := o.literals[0].Float64(); ok {
			return constant(value.OfFloat(-f)), nil
		}
	}
	return o, fmt.Errorf("%s%s is no value", n.Operator, n.Node)
}

// path flattens a chain of members.
func path(n ast.Node) ([]pred.Step, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return []pred.Step{{Key: n.Value}}, true
	case *ast.MemberNode:
		p, ok := path(n.Node)
		if !ok || n.Optional || n.Method {
			return nil, false
		}
		switch x := n.Property.(type) {
		case *ast.StringNode:
			return append(p, pred.Step{Key: x.Value}), x.Value != ""
		case *ast.IntegerNode:
			return append(p, pred.Step{Index: x.Value}), true
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
	if p[0].Key == "raw" {
		if len(p) == 1 {
			return operand{}, fmt.Errorf("raw is the whole record: name a field of it, raw.…")
		}
		return operand{field: pred.Field{Name: n.String(), Sources: []pred.Source{{Path: p[1:]}}}}, nil
	}
	var parts []string
	for _, x := range p {
		if x.Key == "" {
			return operand{}, fmt.Errorf("%s: canonical fields have no index; use has(…)", n)
		}
		parts = append(parts, x.Key)
	}
	return fieldByName(strings.Join(parts, "."))
}

// fieldByName returns a canonical field, or `raw.…`, by its dotted name.
func fieldByName(name string) (operand, error) {
	if f, ok := event.Lookup(name); ok {
		return operand{field: pred.Field{Name: name, Sources: []pred.Source{{Slot: f}}}, slot: f, named: true}, nil
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
	hint := meant(name, names)
	if hint == "" && !strings.Contains(name, ".") {
		hint = fmt.Sprintf(" (a text is written \"%s\")", name)
	}
	return operand{}, fmt.Errorf("unknown field %q%s; the source's own fields are raw.…", name, hint)
}
