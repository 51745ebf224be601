// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event/value"
	"tocsin/rules/pred"
)

var parts = map[string]pred.TimePart{
	"minute": pred.Minute, "hour": pred.Hour, "day": pred.Day, "week": pred.Week, "month": pred.Month, "year": pred.Year,
}

var orders = map[string]pred.Op{"lt": pred.Less, "lte": pred.LessEqual, "gt": pred.Greater, "gte": pred.GreaterEqual}

// item is one field of a selection with its values, on its way into a condition.
type item struct {
	r     *reader
	at    ast.Node
	field pred.Field

	all, cased, neq, exists, cidr, fieldref, number bool
	// quote: what fills a placeholder becomes part of a regular expression.
	quote bool
	// encoded: values are bytes, one to a rune.
	encoded        bool
	before, behind bool
	re             bool
	flags          string
	order          pred.Op
	part           pred.TimePart
	calendar       bool
	values         []operand
}

// operand is one value: a text, a number or truth value in its text, or null.
type operand struct {
	null bool
	text string
	wild wild
	// spelt is a number in its shortest text, where the rule writes it in another: 0x1F is 31, and either fits.
	spelt wild
	// of is which of the written values it is a form of.
	of int
}

// item reads `field|modifier|…: values`.
func (r *reader) item(m member) (pred.Node, error) {
	name, rest, _ := strings.Cut(m.key, "|")
	it := &item{r: r, at: m.at, field: r.field(name)}
	if name == "" {
		it.field = pred.Field{Name: "the record", Everywhere: true}
	}
	var chain []string
	if rest != "" {
		chain = strings.Split(rest, "|")
	}
	it.quote = slices.Contains(chain, "re")
	written := list(m.value)
	if err := tooMany(m.at, written); err != nil {
		return nil, err
	}
	for i, v := range written {
		o, err := readOperand(m.key, v)
		if err != nil {
			return nil, err
		}
		o.of = i
		it.values = append(it.values, o)
	}
	for _, mod := range chain {
		if err := it.modify(mod); err != nil {
			return nil, err
		}
	}
	if err := it.agree(chain); err != nil {
		return nil, err
	}
	return it.node()
}

// maxValues bounds the values of one item, written or made by modifiers, and the keywords of one selection.
const maxValues = 10_000

func tooMany(at ast.Node, values []ast.Node) error {
	if len(values) > maxValues {
		return fail(at, "a list has at most %d values, this one has %d", maxValues, len(values))
	}
	return nil
}

// readOperand reads one value.
func readOperand(key string, n ast.Node) (operand, error) {
	switch v := n.(type) {
	case *ast.NullNode, nil:
		return operand{null: true}, nil
	case *ast.StringNode, *ast.LiteralNode:
		s, _ := text(v)
		return operand{text: s, wild: parseWild(s)}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		written := n.GetToken().Value
		o := operand{text: written, wild: wild([]rune(written))}
		if s := spelling(n); s != "" && s != written {
			o.spelt = wild([]rune(s))
		}
		return o, nil
	}
	return operand{}, fail(n, "%s: a value is a text, a number, true, false or null", key)
}

// spelling is a number as an event's would be written.
func spelling(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode:
		switch i := n.Value.(type) {
		case int64:
			return value.OfInt(i).Text()
		case uint64:
			return value.OfUint(i).Text()
		}
	case *ast.FloatNode:
		return value.OfFloat(n.Value).Text()
	}
	return ""
}

// node makes the condition.
func (it *item) node() (pred.Node, error) {
	if len(it.values) == 0 {
		return nil, fail(it.at, "a list of no values")
	}
	groups := [][]operand{it.values}
	if it.all {
		groups = nil
		for i, o := range it.values { // the forms of one value are next to each other, and one of them is enough
			if i == 0 || o.of != it.values[i-1].of {
				groups = append(groups, nil)
			}
			groups[len(groups)-1] = append(groups[len(groups)-1], o)
		}
	}
	var all pred.And
	for _, g := range groups {
		n, err := it.compare(g)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	var n pred.Node = all
	if len(all) == 1 {
		n = all[0]
	}
	if it.neq {
		return pred.Not{X: n}, nil
	}
	return n, nil
}

// compare makes the condition that one of some values fits.
func (it *item) compare(values []operand) (pred.Node, error) {
	switch {
	case it.exists:
		return either(values, it.presence)
	case it.calendar:
		return either(values, it.timePart)
	case it.number:
		return either(values, it.numeric)
	case it.cidr:
		return it.networks(values)
	case it.re:
		return either(values, it.regexp)
	case it.fieldref:
		return either(values, it.reference)
	}
	return it.textual(values)
}

// either joins the conditions of values.
func either(values []operand, f func(operand) (pred.Node, error)) (pred.Node, error) {
	var out pred.Or
	for _, o := range values {
		n, err := f(o)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}

func (it *item) presence(o operand) (pred.Node, error) {
	there := &pred.Test{Field: it.field, Op: pred.There}
	switch strings.ToLower(o.text) {
	case "true", "yes":
		return there, nil
	case "false", "no":
		return pred.Not{X: there}, nil
	}
	return nil, fail(it.at, "exists is true or false, not %q", o.text)
}

// number is the text of a number.
func (o operand) number() string {
	if o.spelt != nil {
		return string(o.spelt)
	}
	return o.text
}

func (it *item) timePart(o operand) (pred.Node, error) {
	n, err := strconv.ParseInt(o.number(), 10, 64)
	if err != nil {
		return nil, fail(it.at, "%q is no number", o.text)
	}
	return &pred.Test{Field: it.field, Op: pred.Calendar, Part: it.part, Compare: it.order, Values: []value.Value{value.OfInt(n)}}, nil
}

func (it *item) numeric(o operand) (pred.Node, error) {
	v := pred.Number(value.OfString(o.number()))
	if !v.Exists() {
		return nil, fail(it.at, "%q is no number", o.text)
	}
	return &pred.Test{Field: it.field, Op: it.order, Number: true, Values: []value.Value{v}}, nil
}

func (it *item) networks(values []operand) (pred.Node, error) {
	t := &pred.Test{Field: it.field, Op: pred.In, Loose: true}
	for _, o := range values {
		p, err := netip.ParsePrefix(o.text)
		if err != nil {
			a, bad := netip.ParseAddr(o.text)
			if bad != nil {
				return nil, fail(it.at, "%q is no network", o.text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		t.Nets = append(t.Nets, p.Masked())
	}
	return t, nil
}

func (it *item) regexp(o operand) (pred.Node, error) {
	expr := o.text
	if it.flags != "" {
		expr = "(?" + it.flags + ")" + expr
	}
	re, program, err := pred.NewRegexp(expr)
	if bad, syntactic := errors.AsType[*syntax.Error](err); syntactic {
		return nil, fail(it.at, "%v: regular expressions are RE2, which has no look-around and no back references", bad)
	}
	if err != nil {
		return nil, fail(it.at, "%v", err)
	}
	if it.r.program += program; it.r.program > pred.MaxSteps {
		return nil, fail(it.at, "the regular expressions so far are programs of %d instructions together, at most %d are allowed", it.r.program, pred.MaxSteps)
	}
	return &pred.Test{Field: it.field, Op: pred.Match, Loose: true, Regexp: re}, nil
}

func (it *item) reference(o operand) (pred.Node, error) {
	other := it.r.field(o.text)
	op := pred.Is
	switch {
	case it.before && it.behind:
		op = pred.Contains
	case it.before:
		op = pred.Suffix
	case it.behind:
		op = pred.Prefix
	}
	return &pred.Test{Field: it.field, Op: op, Loose: true, Fold: !it.cased, Other: &other}, nil
}
