// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// terms is what an incident must have to be in a list, as table incident_terms says it: of each group one, and a text, which has all of
// its pieces. What has them need not be in the list; what is in the list has them.
type terms struct {
	groups [][]string
	others [][]string // groups that the index is not asked for
	text   string
	pieces []string // of the text, those that the index is asked for
}

const (
	// longTerm is of incidents that lasted an hour or nearly so.
	longTerm = "long"
	longer   = int64(3600e9)
	day      = int64(86400e9)
)

func termsOf(f incident.Filter) terms {
	var t terms
	need := func(anyOf ...string) { t.groups = append(t.groups, anyOf) }
	switch {
	case f.EntityType != "" && f.EntityName != "":
		need(labelTerm(entityLabel(f.EntityType), label(f.EntityName)))
	case f.EntityType != "":
		need(entityLabel(f.EntityType))
	case f.EntityName != "":
		need(labelTerm("entity", label(f.EntityName)))
	}
	if len(f.Scope) > 0 {
		need(placeTerms(f.Scope)...)
	}
	if f.Technique != "" {
		need(labelTerm(techniqueLabel, label(strings.ToUpper(f.Technique))))
	}
	if f.Rule != "" {
		need(labelTerm("rule", clean(f.Rule)))
	}
	if len(f.Status) > 0 {
		var anyOf []string
		for _, s := range cleanAll(f.Status) {
			anyOf = append(anyOf, labelTerm("status", s))
		}
		need(anyOf...)
	}
	if len(f.Severity) > 0 {
		anyOf := []string{}
		for _, name := range f.Severity {
			if s, ok := rules.ParseSeverity(name); ok {
				anyOf = append(anyOf, severityTerm(s))
			}
		}
		need(anyOf...)
	}
	if f.Query != "" {
		t.text, t.pieces = f.Query, pieces(fold(f.Query))
	}
	return t
}

func labelTerm(name, value string) string { return name + "=" + value }

func severityTerm(s rules.Severity) string { return fmt.Sprintf("severity=%d", s) }

func placeTerms(scope incident.Scope) []string {
	out := make([]string, len(scope))
	for i, p := range scope {
		out[i] = labelTerm(placeLabel(p))
	}
	return out
}

// perPiece is how many letters a piece has, as function incident_fours has them: of fewer there would be many texts with all pieces of
// "user-100" that have it not.
const perPiece = 4

// pieces are those of a text that incidents are found by, or what one begins with if the text is shorter.
func pieces(text string) []string {
	letters := []rune(text)
	if len(letters) < perPiece {
		return []string{text}
	}
	out := make([]string, len(letters)-perPiece+1)
	for i := range out {
		out[i] = string(letters[i : i+perPiece])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// short reports whether pieces are of a text that is less than one.
func short(pieces []string) bool {
	return len(pieces) == 1 && utf8.RuneCountInString(pieces[0]) < perPiece
}

// words asks for pieces as PostgreSQL asks for words.
func words(pieces []string) string {
	out := make([]string, len(pieces))
	for i, p := range pieces {
		out[i] = quoted(p)
	}
	if short(pieces) {
		return out[0] + ":*"
	}
	return strings.Join(out, " & ")
}

func quoted(word string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(word) + "'"
}

// days are the terms of the days from one time to another, nil if they are too many to ask for.
func days(from, to int64) []string {
	first, last := from/day, to/day
	if last-first > 400 {
		return nil
	}
	var out []string
	for d := first; d <= last; d++ {
		out = append(out, fmt.Sprintf("day=%d", d))
	}
	return out
}

// startOfDay is the first time of a day.
func startOfDay(at int64) int64 { return event.Plus(at, -((at%day + day) % day)) }

// none reports whether nothing is asked for.
func (t terms) none() bool { return len(t.groups) == 0 && t.text == "" }

// group returns the place of a term that all must have among what is asked for, -1 if it is not.
func (t terms) group(term string) int {
	return slices.IndexFunc(t.groups, func(g []string) bool { return len(g) == 1 && g[0] == term })
}

// only has the index asked for one of the terms that are asked for, and leaves it to the incidents whether they have the others: of a term that
// most have, it would read all.
func (t terms) only(term string) terms {
	if n := t.group(term); n >= 0 {
		t.others, t.groups, t.pieces = slices.Concat(t.groups[:n], t.groups[n+1:]), [][]string{t.groups[n]}, nil
	}
	return t
}

// beside is what is asked for beside one term.
func (t terms) beside(term string) terms {
	if n := t.group(term); n >= 0 {
		t.groups = slices.Concat(t.groups[:n], t.groups[n+1:])
	}
	return t
}

// has is the condition that a row t of incident_terms has all that is asked for, and one of more if there are any.
func (t terms) has(more ...string) where {
	if len(more) > 0 {
		t.groups = append(slices.Clip(t.groups), more)
	}
	w := t.seen()
	for _, g := range t.others {
		w.and("(t.terms && ?) IS TRUE", g) // of no index
	}
	if len(t.pieces) > 0 {
		w.and("incident_fours(t.search) @@ ?::text::tsquery", words(t.pieces))
	}
	return w
}

// seen is the same of a row that is read anyway: then the text itself is soonest looked through.
func (t terms) seen() where {
	var w where
	if t.text != "" {
		w.and(`t.search LIKE ? ESCAPE '\'`, containing(t.text))
	}
	var each []string
	for _, g := range t.groups {
		if len(g) == 1 {
			each = append(each, g[0])
		} else {
			w.and("t.terms && ?", g)
		}
	}
	if len(each) > 0 {
		w.and("t.terms @> ?", each)
	}
	return w
}

// within returns the time between two, a year at most.
func within(first, last int64) int64 {
	if first-last < 0 || first-last > 366*day { // it is below zero where it is too much for a number
		return 366 * day
	}
	return first - last
}
