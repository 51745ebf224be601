// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
)

var functionNames = []string{
	"cidr", "ieq", "icontains", "istartsWith", "iendsWith", "glob", "has", "exists", "number",
}

// laterForms are of the language and not of this version.
var laterForms = map[string]bool{
	"sum": true, "min": true, "max": true, "avg": true, "percentile": true, "median": true,
	"first_seen": true, "silent": true, "rate": true, "usual": true, "score": true, "listed": true,
}

func callee(n *ast.CallNode) string {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return n.Callee.String()
	}
	return id.Value
}

// compileCall compiles the functions that are conditions.
func compileCall(n *ast.CallNode) (predicate, error) {
	name := callee(n)
	if laterForms[name] {
		return nil, fmt.Errorf("%s(…) comes with a later version", name)
	}
	switch name {
	case "count", "distinct", "sequence", "repeat":
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
	arity := func(want int) error {
		if len(args) != want {
			return fmt.Errorf("%s takes %d arguments, not %d", name, want, len(args))
		}
		return nil
	}
	text := func(i int) (string, error) {
		s, ok := args[i].literal.(string)
		if !ok {
			return "", fmt.Errorf("argument %d of %s is a constant string", i+1, name)
		}
		return s, nil
	}
	folded := func(f func(s, folded string) bool) (predicate, error) {
		if err := arity(2); err != nil {
			return nil, err
		}
		want, err := text(1)
		if err != nil {
			return nil, err
		}
		want = strings.ToLower(want)
		get := args[0].get
		return func(e *event.Event) bool {
			s, ok := get(e).(string)
			return ok && f(strings.ToLower(s), want)
		}, nil
	}
	switch name {
	case "exists":
		if err := arity(1); err != nil {
			return nil, err
		}
		return func(e *event.Event) bool { return args[0].get(e) != nil }, nil
	case "has":
		if err := arity(2); err != nil {
			return nil, err
		}
		if args[0].named && args[0].field.Def().Kind != event.Strings {
			return nil, fmt.Errorf("%s is no array: compare it with ==", args[0].field.Name())
		}
		return func(e *event.Event) bool { return member(args[0].get(e), args[1].get(e)) }, nil
	case "ieq":
		return folded(func(s, t string) bool { return s == t })
	case "icontains":
		return folded(strings.Contains)
	case "istartsWith":
		return folded(strings.HasPrefix)
	case "iendsWith":
		return folded(strings.HasSuffix)
	case "glob":
		if err := arity(2); err != nil {
			return nil, err
		}
		pattern, err := text(1)
		if err != nil {
			return nil, err
		}
		re := globRegexp(pattern)
		return func(e *event.Event) bool {
			s, ok := args[0].get(e).(string)
			return ok && re.MatchString(s)
		}, nil
	case "cidr":
		return compileCIDR(args, text)
	}
	return nil, fmt.Errorf("unknown function %q%s", name, meant(name, functionNames))
}

func compileCIDR(args []operand, text func(int) (string, error)) (predicate, error) {
	if len(args) < 2 {
		return nil, fmt.Errorf("cidr takes an address and at least one network")
	}
	var nets []netip.Prefix
	for i := 1; i < len(args); i++ {
		s, err := text(i)
		if err != nil {
			return nil, err
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: %w", s, err)
		}
		nets = append(nets, p.Masked())
	}
	return func(e *event.Event) bool {
		s, ok := args[0].get(e).(string)
		if !ok {
			return false
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return false
		}
		a = a.Unmap()
		for _, n := range nets {
			if n.Contains(a) {
				return true
			}
		}
		return false
	}, nil
}

// globRegexp compiles a pattern of * (any run), ? (any one character) and \ (the next one as it is).
func globRegexp(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			b.WriteString(`.*`)
		case r == '?':
			b.WriteString(`.`)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		b.WriteString(`\\`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String()) // made of quoted text and fixed parts
}

// compileNumber compiles number(x): a number, or the number that a string spells (P2).
func compileNumber(n *ast.CallNode) (operand, error) {
	name := callee(n)
	if name != "number" {
		if laterForms[name] {
			return operand{}, fmt.Errorf("%s(…) comes with a later version", name)
		}
		return operand{}, fmt.Errorf("%s(…) is no value: only number(x) is", name)
	}
	if len(n.Arguments) != 1 {
		return operand{}, fmt.Errorf("number takes 1 argument, not %d", len(n.Arguments))
	}
	o, err := compileOperand(n.Arguments[0])
	if err != nil {
		return operand{}, err
	}
	return operand{get: func(e *event.Event) any { return number(o.get(e)) }}, nil
}

func number(v any) any {
	switch v := v.(type) {
	case int64, uint64, float64:
		return v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil && f == f {
			return f
		}
	}
	return nil
}
