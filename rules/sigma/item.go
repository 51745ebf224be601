// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event/value"
	"tocsin/rules/pred"
)

// modifiers are all of specification 2.1.0, appendix "Value modifiers".
var modifiers = []string{
	"all", "startswith", "endswith", "contains", "exists", "cased", "neq", "windash", "re", "i", "ignorecase", "m", "multiline", "s", "dotall",
	"base64", "base64offset", "utf16le", "utf16be", "utf16", "wide", "expand", "fieldref", "lt", "lte", "gt", "gte", "cidr",
	"minute", "hour", "day", "week", "month", "year",
}

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
	// scalar is true of what was no string: wildcards mean nothing in it.
	scalar bool
	text   string
	wild   wild
}

// item reads `field|modifier|…: values`.
func (r *reader) item(m member) (pred.Node, error) {
	name, rest, _ := strings.Cut(m.key, "|")
	it := &item{r: r, at: m.at, field: r.field(name)}
	if name == "" {
		it.field = pred.Field{Name: "the record", Everywhere: true}
	}
	for _, v := range list(m.value) {
		if isMapping(v) {
			return nil, fail(v, "%s: a value is a scalar, no mapping", m.key)
		}
		o := operand{}
		switch v := v.(type) {
		case *ast.NullNode, nil:
			o.null = true
		case *ast.StringNode, *ast.LiteralNode:
			o.text, _ = text(v)
		default:
			o.text, o.scalar = v.GetToken().Value, true
		}
		o.wild = parseWild(o.text)
		if o.scalar {
			o.wild = wild([]rune(o.text))
		}
		it.values = append(it.values, o)
	}
	if rest != "" {
		for mod := range strings.SplitSeq(rest, "|") {
			if err := it.modify(mod); err != nil {
				return nil, err
			}
		}
	}
	return it.node()
}

// modify applies one modifier. Their order matters: those that encode change the values as they are by then.
func (it *item) modify(mod string) error {
	switch mod {
	case "all":
		it.all = true
	case "contains":
		it.before, it.behind = true, true
	case "startswith":
		it.behind = true
	case "endswith":
		it.before = true
	case "exists":
		it.exists = true
	case "cased":
		it.cased = true
	case "neq":
		it.neq = true
	case "re":
		it.re = true
	case "i", "ignorecase", "m", "multiline", "s", "dotall":
		if !it.re {
			return fail(it.at, "the modifier %s is for re", mod)
		}
		it.flags += mod[:1]
		if mod == "dotall" {
			it.flags = it.flags[:len(it.flags)-1] + "s"
		}
	case "cidr":
		it.cidr = true
	case "fieldref":
		it.fieldref = true
	case "lt", "lte", "gt", "gte":
		it.order, it.number = orders[mod], true
	case "minute", "hour", "day", "week", "month", "year":
		it.part, it.calendar = parts[mod], true
	case "windash":
		return it.each(mod, func(w wild) ([]wild, bool) { return w.windash() })
	case "utf16le", "wide", "utf16be", "utf16":
		if err := it.each(mod, func(w wild) ([]wild, bool) { x, ok := w.utf16(mod); return []wild{x}, ok }); err != nil {
			return err
		}
		it.encoded = true
	case "base64", "base64offset":
		if err := it.each(mod, func(w wild) ([]wild, bool) {
			b, ok := w.octets(it.encoded)
			if mod == "base64" {
				return []wild{base64Of(b)}, ok
			}
			return base64Offsets(b), ok
		}); err != nil {
			return err
		}
		it.encoded, it.cased = false, true
	case "expand":
		return it.fill()
	default:
		return fail(it.at, "unknown modifier %q%s", mod, meant(mod, modifiers))
	}
	return nil
}

// maxValues bounds the values of one item, written or made by modifiers.
const maxValues = 10_000

// each replaces every value by others.
func (it *item) each(mod string, f func(wild) ([]wild, bool)) error {
	var out []operand
	for _, o := range it.values {
		if o.null {
			return fail(it.at, "the modifier %s has no meaning for null", mod)
		}
		ws, ok := f(o.wild)
		if !ok {
			return fail(it.at, "the modifier %s cannot be applied to %q: it has wildcards, or too many forms", mod, o.text)
		}
		for _, w := range ws {
			out = append(out, operand{wild: w, text: o.text})
		}
		if len(out) > maxValues {
			return fail(it.at, "the modifier %s makes more than %d values", mod, maxValues)
		}
	}
	it.values = out
	return nil
}

var placeholder = regexp.MustCompile(`%[^%\s]+%`)

// fill puts the values of placeholders in their places.
func (it *item) fill() error {
	var out []operand
	for _, o := range it.values {
		found := placeholder.FindString(o.text)
		if found == "" {
			out = append(out, o)
			continue
		}
		name := strings.Trim(found, "%")
		values, ok := it.r.config.placeholder(name)
		if !ok {
			return fail(it.at, "the placeholder %s has no values here: name them under placeholders in a file of Sigma settings", found)
		}
		for _, v := range values {
			s := strings.Replace(o.text, found, v, 1)
			out = append(out, operand{text: s, wild: parseWild(s)})
		}
	}
	it.values = out
	return nil
}

// node makes the condition.
func (it *item) node() (pred.Node, error) {
	if len(it.values) == 0 {
		return nil, fail(it.at, "a list of no values")
	}
	n, err := it.compare()
	if err != nil {
		return nil, err
	}
	if it.neq {
		return pred.Not{X: n}, nil
	}
	return n, nil
}

func (it *item) compare() (pred.Node, error) {
	switch {
	case it.exists:
		want := it.values[0].text == "true" || it.values[0].text == "yes"
		there := &pred.Test{Field: it.field, Op: pred.There}
		if want {
			return there, nil
		}
		return pred.Not{X: there}, nil
	case it.calendar:
		return it.each1(it.timePart)
	case it.number:
		return it.each1(it.numeric)
	case it.cidr:
		return it.networks()
	case it.re:
		return it.each1(it.regexp)
	case it.fieldref:
		return it.each1(it.reference)
	}
	return it.textual()
}

// each1 joins the conditions of the values: with `all` each must hold, else one.
func (it *item) each1(f func(operand) (pred.Node, error)) (pred.Node, error) {
	var out []pred.Node
	for _, o := range it.values {
		n, err := f(o)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	if it.all {
		return pred.And(out), nil
	}
	return pred.Or(out), nil
}

func (it *item) timePart(o operand) (pred.Node, error) {
	n, err := strconv.ParseInt(o.text, 10, 64)
	if err != nil {
		return nil, fail(it.at, "%q is no number", o.text)
	}
	return &pred.Test{Field: it.field, Op: pred.Calendar, Part: it.part, Compare: it.order, Values: []value.Value{value.OfInt(n)}}, nil
}

func (it *item) numeric(o operand) (pred.Node, error) {
	v := pred.Number(value.OfString(o.text))
	if !v.Exists() {
		return nil, fail(it.at, "%q is no number", o.text)
	}
	return &pred.Test{Field: it.field, Op: it.order, Number: true, Values: []value.Value{v}}, nil
}

func (it *item) networks() (pred.Node, error) {
	t := &pred.Test{Field: it.field, Op: pred.In, Loose: true}
	for _, o := range it.values {
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
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fail(it.at, "%v: regular expressions are RE2, which has no look-around and no back references", err)
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

// textual compares texts; values of one shape share a test.
func (it *item) textual() (pred.Node, error) {
	var out []pred.Node
	byOp := make(map[pred.Op]*pred.Test)
	for _, o := range it.values {
		if o.null {
			out = append(out, &pred.Test{Field: it.field, Op: pred.Null})
			continue
		}
		w := o.wild.around(it.before, it.behind)
		op, s, glob := w.shape()
		if it.field.Everywhere && op == pred.Is {
			op = pred.Contains // a keyword stands somewhere in the record
		}
		if s == "" && op != pred.Is && op != pred.Like {
			out = append(out, &pred.Test{Field: it.field, Op: pred.Exists}) // *: anything
			continue
		}
		t := byOp[op]
		if t == nil || it.all {
			t = &pred.Test{Field: it.field, Op: op, Loose: true, Fold: !it.cased}
			byOp[op] = t
			out = append(out, t)
		}
		if t.Fold {
			s, glob = pred.Fold(s), glob.Folded()
		}
		if op == pred.Like {
			if it.field.Everywhere {
				glob = somewhere(glob)
			}
			t.Globs = append(t.Globs, glob)
		} else if !slices.Contains(t.Texts, s) {
			t.Texts = append(t.Texts, s)
		}
	}
	if len(out) == 1 {
		return out[0], nil
	}
	if it.all {
		return pred.And(out), nil
	}
	return pred.Or(out), nil
}

// somewhere is a glob for a part of a text.
func somewhere(g pred.Glob) pred.Glob {
	chunks := append([]pred.Chunk{{}}, g.Chunks...)
	return pred.Glob{Chunks: append(chunks, pred.Chunk{})}
}
