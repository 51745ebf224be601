// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/netip"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
	"tocsin/rules/pred"
)

var functionNames = []string{
	"cidr", "ieq", "icontains", "istartsWith", "iendsWith", "glob", "has", "exists", "number", "listed",
}

func callee(n *ast.CallNode) string {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return n.Callee.String()
	}
	return id.Value
}

// folding are the functions that compare texts without regard to case.
var folding = map[string]pred.Op{
	"ieq": pred.Is, "icontains": pred.Contains, "istartsWith": pred.Prefix, "iendsWith": pred.Suffix,
}

// compileCall compiles the functions that are conditions.
func compileCall(n *ast.CallNode) (pred.Node, error) {
	name := callee(n)
	switch name {
	case "count", "distinct", "sequence", "repeat", "sum", "max", "min", "avg", "median", "percentile",
		"first_seen", "silent", "rate", "usual":
		return nil, fmt.Errorf("%s(…) belongs in `when`, not in a pattern", name)
	case "detection":
		return nil, fmt.Errorf("detection(…) is a whole pattern: give it a name of its own and combine it in `when`")
	case "number":
		return nil, fmt.Errorf("number(x) is a value: compare it")
	}
	args := make([]operand, len(n.Arguments))
	for i, a := range n.Arguments {
		o, err := compileOperand(a)
		if err != nil {
			return nil, err
		}
		args[i] = o
	}
	switch name {
	case "cidr":
		return compileCIDR(args)
	case "listed":
		return listed(args)
	}
	arity := 2
	if name == "exists" {
		arity = 1
	}
	op, folds := folding[name]
	switch {
	case !folds && name != "exists" && name != "has" && name != "glob":
		return nil, fmt.Errorf("unknown function %q%s", name, meant(name, functionNames))
	case len(args) != arity:
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, arity, len(args))
	case name == "exists":
		return args[0].fold(&pred.Test{Op: pred.Exists}), nil
	case name == "has":
		if args[0].named && args[0].slot.Def().Kind != event.Strings {
			return nil, fmt.Errorf("%s is no array: compare it with ==", args[0].slot.Name())
		}
		return member(args[0], args[1]), nil
	}
	text, err := textArgument(name, args, 1)
	if err != nil {
		return nil, err
	}
	if name == "glob" {
		g := pred.ParseGlob(text)
		if err := pred.CheckGlob(g); err != nil {
			return nil, err
		}
		return args[0].fold(&pred.Test{Op: pred.Like, Globs: []pred.Glob{g}}), nil
	}
	return args[0].fold(&pred.Test{Op: op, Fold: true, Texts: []string{pred.Fold(text)}}), nil
}

func textArgument(name string, args []operand, i int) (string, error) {
	s, ok := args[i].text()
	if !ok {
		return "", fmt.Errorf("argument %d of %s is a constant string", i+1, name)
	}
	return s, nil
}

func compileCIDR(args []operand) (pred.Node, error) {
	if len(args) < 2 {
		return nil, fmt.Errorf("cidr takes an address and at least one network")
	}
	t := &pred.Test{Op: pred.In}
	for i := 1; i < len(args); i++ {
		s, err := textArgument("cidr", args, i)
		if err != nil {
			return nil, err
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: %w", s, err)
		}
		t.Nets = append(t.Nets, p.Masked())
	}
	return args[0].fold(t), nil
}

// compileNumber compiles number(x): a number, or the number that a string spells (P2).
func compileNumber(n *ast.CallNode) (operand, error) {
	name := callee(n)
	if name != "number" {
		return operand{}, fmt.Errorf("%s(…) is no value: only number(x) is", name)
	}
	if len(n.Arguments) != 1 {
		return operand{}, fmt.Errorf("number takes 1 argument, not %d", len(n.Arguments))
	}
	o, err := compileOperand(n.Arguments[0])
	if err != nil {
		return operand{}, err
	}
	if o.konst && !o.array {
		return constant(pred.Number(o.literals[0])), nil
	}
	o.number, o.named = true, false
	return o, nil
}
