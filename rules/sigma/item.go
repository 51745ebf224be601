// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

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
	for i, v := range list(m.value) {
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

// agree refuses modifiers that do not go together: a rule must not load and mean less than it says (S1).
func (it *item) agree(chain []string) error {
	var forms []string
	for _, f := range []struct {
		name string
		is   bool
	}{{"re", it.re}, {"cidr", it.cidr}, {"exists", it.exists}, {"fieldref", it.fieldref}, {"a comparison of numbers", it.number || it.calendar}} {
		if f.is {
			forms = append(forms, f.name)
		}
	}
	if len(forms) > 1 {
		return fail(it.at, "%s and %s do not go together", forms[0], forms[1])
	}
	if len(forms) == 1 && forms[0] != "fieldref" {
		for _, mod := range chain {
			textual := slices.Contains([]string{"startswith", "endswith", "cased", "windash", "base64", "base64offset", "utf16le", "utf16be", "utf16", "wide"}, mod)
			if textual || mod == "contains" && !it.re { // to find is to contain
				return fail(it.at, "%s is of texts and does not go with %s", mod, forms[0])
			}
		}
	}
	for _, o := range it.values {
		if o.null && (len(forms) > 0 || it.before || it.behind) {
			return fail(it.at, "null goes with no modifier but all and neq")
		}
		if it.encoded && slices.ContainsFunc(o.wild, func(r rune) bool { return r > unicode.MaxASCII }) {
			return fail(it.at, "%q in UTF-16 is no text: base64 or base64offset stands behind it", o.text)
		}
	}
	return nil
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
		short := false
		if err := it.each(mod, func(w wild) ([]wild, bool) {
			b, ok := w.octets(it.encoded)
			if mod == "base64" || !ok {
				return []wild{base64Of(b)}, ok
			}
			short = short || len(b) < 2
			return base64Offsets(b), ok
		}); err != nil {
			return err
		}
		if short {
			return fail(it.at, "the modifier base64offset needs texts of two bytes or more: less can leave no trace")
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
			out = append(out, operand{wild: w, text: o.text, of: o.of})
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
		filled := []string{o.text}
		for _, found := range placeholder.FindAllString(o.text, -1) {
			values, ok := it.r.config.placeholder(strings.Trim(found, "%"))
			if !ok {
				return fail(it.at, "the placeholder %s has no values here: name them under placeholders in a file of Sigma settings", found)
			}
			var next []string
			for _, s := range filled {
				for _, v := range values {
					if it.quote {
						v = regexp.QuoteMeta(v)
					}
					next = append(next, strings.Replace(s, found, v, 1))
				}
			}
			if filled = next; len(filled) > maxValues {
				return fail(it.at, "the placeholders make more than %d values", maxValues)
			}
		}
		if len(filled) == 1 && filled[0] == o.text {
			out = append(out, o)
			continue
		}
		for _, s := range filled {
			out = append(out, operand{text: s, wild: parseWild(s), of: o.of})
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
	return it.textual(values), nil
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
func (it *item) textual(values []operand) pred.Node {
	before, behind := it.before, it.behind
	if it.field.Everywhere && !before && !behind {
		before, behind = true, true // a keyword stands somewhere in the record
	}
	var out pred.Or
	byOp := make(map[pred.Op]*pred.Test)
	for _, o := range values {
		if o.null {
			out = append(out, &pred.Test{Field: it.field, Op: pred.Null})
			continue
		}
		forms := []wild{o.wild}
		if o.spelt != nil {
			forms = append(forms, o.spelt)
		}
		for _, w := range forms {
			op, s, glob := w.around(before, behind).shape()
			if s == "" && op != pred.Is && op != pred.Like {
				out = append(out, &pred.Test{Field: it.field, Op: pred.Exists}) // *: anything
				continue
			}
			t := byOp[op]
			if t == nil {
				t = &pred.Test{Field: it.field, Op: op, Loose: true, Fold: !it.cased}
				byOp[op] = t
				out = append(out, t)
			}
			if t.Fold {
				s, glob = pred.Fold(s), glob.Folded()
			}
			if op == pred.Like {
				t.Globs = append(t.Globs, glob)
			} else if !slices.Contains(t.Texts, s) {
				t.Texts = append(t.Texts, s)
			}
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}
