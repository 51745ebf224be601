// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tocsin/rules/pred"
)

// modifiers are all of specification 2.1.0, appendix "Value modifiers".
var modifiers = []string{
	"all", "startswith", "endswith", "contains", "exists", "cased", "neq", "windash", "re", "i", "ignorecase", "m", "multiline", "s", "dotall",
	"base64", "base64offset", "utf16le", "utf16be", "utf16", "wide", "expand", "fieldref", "lt", "lte", "gt", "gte", "cidr",
	"minute", "hour", "day", "week", "month", "year",
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
	if it.fieldref {
		for _, mod := range chain {
			if slices.Contains([]string{"windash", "base64", "base64offset", "utf16le", "utf16be", "utf16", "wide"}, mod) {
				return fail(it.at, "%s changes a text that the rule has, and with fieldref it has only a field's name", mod)
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
		if it.order != pred.Equal {
			return fail(it.at, "%s stands beside another comparison, and one would be lost: write the field once for each", mod)
		}
		it.order, it.number = orders[mod], true
	case "minute", "hour", "day", "week", "month", "year":
		if it.calendar {
			return fail(it.at, "%s stands beside another part of a time, and one would be lost: write the field once for each", mod)
		}
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

// guess notes a placeholder that only the program defines.
func (r *reader) guess(name string, values []string) {
	if !r.config.guessed[strings.ToLower(name)] {
		return
	}
	if g := (Guess{name, strings.Join(values, ", ")}); !slices.Contains(r.guessed, g) {
		r.guessed = append(r.guessed, g)
	}
}

var placeholder = regexp.MustCompile(`%[^%\s]+%`)

// fill puts the values of placeholders in their places.
func (it *item) fill() error {
	var out []operand
	for _, o := range it.values {
		filled := []string{o.text}
		for _, found := range placeholder.FindAllString(o.text, -1) {
			name := strings.Trim(found, "%")
			values, ok := it.r.config.placeholder(name)
			if !ok {
				return fail(it.at, "the placeholder %s has no values here: name them under placeholders in a file of Sigma settings", found)
			}
			it.r.guess(name, values)
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
