// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin/event/value"
)

var opWords = [...]string{
	Equal: "==", Has: "has", Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=", Is: "is", Contains: "contains",
	Prefix: "startsWith", Suffix: "endsWith", Like: "is like", Match: "matches", In: "is in", Exists: "exists", There: "is there", Null: "is null",
	Calendar: "has a time of",
}

var partWords = [...]string{Minute: "minute", Hour: "hour", Day: "day", Week: "week", Month: "month", Year: "year"}

// maxPrinted bounds how many of many constants are printed.
const maxPrinted = 5

// String prints the test for people.
func (t *Test) String() string {
	field := t.Field.print()
	if t.Number {
		field = "number(" + field + ")"
	}
	switch t.Op {
	case Exists, There, Null:
		return field + " " + opWords[t.Op]
	}
	var with []string
	switch {
	case t.List != "":
		return fmt.Sprintf("%s is in the list %q", field, t.List)
	case t.Other != nil:
		with = []string{t.Other.print()}
	case t.Op == Calendar:
		return fmt.Sprintf("the %s of %s %s %s", partWords[t.Part], field, opWords[t.Compare], list(values(t.Values)))
	case t.Op < Is:
		with = values(t.Values)
	case t.Op == Like:
		for _, g := range t.Globs {
			with = append(with, strconv.Quote(g.String()))
		}
	case t.Op == Match:
		with = []string{strconv.Quote(t.Regexp.String())}
	case t.Op == In:
		for _, n := range t.Nets {
			with = append(with, n.String())
		}
	default:
		for _, s := range t.Texts {
			with = append(with, strconv.Quote(s))
		}
	}
	s := field + " " + opWords[t.Op] + " " + list(with)
	if t.Fold {
		s += ", in any case"
	}
	return s
}

func (f Field) print() string {
	switch {
	case f.Everywhere:
		return "the record"
	case f.Const.Exists():
		return values([]value.Value{f.Const})[0]
	}
	return f.Name
}

func values(vs []value.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		if out[i] = v.Text(); v.Kind() == value.String {
			out[i] = strconv.Quote(out[i])
		}
	}
	return out
}

// list joins alternatives.
func list(xs []string) string {
	if len(xs) > maxPrinted {
		return strings.Join(xs[:maxPrinted], " or ") + fmt.Sprintf(" or %d more", len(xs)-maxPrinted)
	}
	return strings.Join(xs, " or ")
}

// String returns the pattern as [ParseGlob] reads it.
func (g Glob) String() string {
	var b strings.Builder
	for i, c := range g.Chunks {
		if i > 0 {
			b.WriteByte('*')
		}
		for _, r := range c {
			switch {
			case r.Any:
				b.WriteByte('?')
			case strings.ContainsRune(`*?\`, r.R):
				b.WriteByte('\\')
				b.WriteRune(r.R)
			default:
				b.WriteRune(r.R)
			}
		}
	}
	return b.String()
}
