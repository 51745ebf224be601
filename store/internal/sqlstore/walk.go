// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
)

// way is a condition whose index has the list's order: ids and times of incidents, all that may be in the list among them.
type way struct {
	from, id, at string
	term         string          // which all of them have
	beside       incident.Filter // what is asked of them still
	where
	after where // those that come after what was read
	once  where // of incidents i: of those that the way comes by several times, it leaves one
}

// whole is the condition of those that come after what was read.
func (w way) whole() where {
	return where{slices.Concat(w.conds, w.after.conds), slices.Concat(w.args, w.after.args)}
}

// selects is the statement that reads some columns of them.
func (w way) selects(columns string) string {
	whole := w.whole()
	return "SELECT " + columns + " FROM " + w.from + whole.String()
}

// ways are those of a list's conditions, or that of all incidents if none has an index.
func (s *stages) ways() []way {
	f := s.f
	var out []way
	labelled := func(name, value string, beside incident.Filter) {
		w := way{from: "incident_labels l", id: "l.incident", at: "l.last_event", term: labelTerm(name, value), beside: beside}
		w.and("l.label = ? AND l.value = ?", name, value)
		out = append(out, w)
	}
	own := func(term, cond string, args ...any) {
		w := way{from: "incidents i", id: "i.id", at: "i.last_event", term: term, beside: f}
		if cond != "" {
			w.and(cond, args...)
		}
		out = append(out, w)
	}
	live := !f.IncludeMerged && !f.IncludeRetracted // an index is of these alone
	if f.EntityType != "" && f.EntityName != "" {
		beside := f
		beside.EntityType, beside.EntityName = "", ""
		labelled(entityLabel(f.EntityType), label(f.EntityName), beside)
	}
	switch n := len(f.Scope); {
	case n == 1:
		name, value := placeLabel(f.Scope[0])
		labelled(name, value, f) // it may have been there
	case n > 1 && n <= maxParts && s.core.Walk == 0:
		out = append(out, s.places())
	}
	if f.Technique != "" {
		beside := f
		beside.Technique = ""
		labelled(techniqueLabel, label(strings.ToUpper(f.Technique)), beside)
	}
	if f.Rule != "" {
		own(labelTerm("rule", clean(f.Rule)), "i.rule = ?", clean(f.Rule))
	}
	if len(f.Status) == 1 && live {
		own(labelTerm("status", clean(f.Status[0])), "i.live AND i.shown = ?", clean(f.Status[0]))
	}
	if len(f.Severity) == 1 && live {
		severity, _ := rules.ParseSeverity(f.Severity[0])
		own(severityTerm(severity), "i.live AND i.severity = ?", int64(severity))
	}
	if len(out) == 0 {
		own("", "")
	}
	for i := range out {
		if f.Since != 0 {
			out[i].and(out[i].at+" >= ?", f.Since)
		}
		if s.after != nil {
			out[i].after.and("("+out[i].at+", "+out[i].id+") < (?, ?)", s.after.at, s.after.tie)
		}
	}
	return out
}

// places is the way of several places.
func (s *stages) places() way {
	so := where{conds: []string{"true"}}
	if s.f.Since != 0 {
		so.and("last_event >= ?", s.f.Since)
	}
	if s.after != nil {
		so.and("(last_event, incident) < (?, ?)", s.after.at, s.after.tie)
	}
	from, args, once, more := eachPlace(s.f.Scope, so)
	return way{from: from, id: "l.incident", at: "l.last_event", beside: s.f, where: where{args: args}, once: where{[]string{once}, more}}
}

// all reads the incidents of a way that are in the list, however long it is.
func (s *stages) all(ctx context.Context, w way) error {
	from, e := w.from, exactly(w.beside)
	if len(s.f.Scope) > 0 {
		cond, args := placeLabels(s.f.Scope) // a look at a label is less than one at all detections
		w.and(hasLabel(cond), args...)
	}
	if w.id != "i.id" {
		from += " CROSS JOIN incidents i ON i.id = " + w.id // in this order
	}
	whole := w.whole()
	of := where{slices.Concat(whole.conds, w.once.conds, e.conds), slices.Concat(whole.args, w.once.args, e.args)}
	return s.rows(ctx, "SELECT "+s.columns+" FROM "+from+of.String()+" ORDER BY "+w.at+" DESC, "+w.id+" DESC LIMIT ?", append(of.args, int64(s.limit)))
}

// page selects up to n incidents of the way after the first few. How many is said in the statement: who plans it is to know.
func (w way) page(n, after int) (string, []any) {
	return fmt.Sprintf("%s ORDER BY %s DESC, %s DESC LIMIT %d OFFSET %d", w.selects(w.id+" AS id, "+w.at+" AS at"), w.at, w.id, n, after), w.whole().args
}

// ends returns the first and the last of n incidents of a way; last is nil if there are not as many.
func (s *stages) ends(ctx context.Context, w way, n int) (first, last *cursor, err error) {
	one, args := w.page(1, 0)
	other, more := w.page(1, n-1)
	err = s.q.Query(ctx, "SELECT 1 AS nth, a.* FROM ("+one+") AS a UNION ALL SELECT 2, b.* FROM ("+other+") AS b ORDER BY nth", slices.Concat(args, more), func(scan Scan) error {
		var nth int64
		var c cursor
		err := scan(&nth, &c.tie, &c.at)
		if nth == 1 {
			first = &c
		} else {
			last = &c
		}
		return err
	})
	return first, last, err
}

// walk is a walk along a way. Its first and last incident are known where there are several ways; there is no last if it goes on to the end.
type walk struct {
	way
	first, last *cursor
	known       bool
}

// took is how long a walk takes in the incidents' lives, a nanosecond at least.
func (w walk) took() int64 { return max(1, within(w.first.at, w.last.at)) }

// choose returns the walk that reaches the furthest, and the one that takes the longest in the incidents' lives, of which there are the
// fewest: that all closed ones are older says nothing of how many they are.
func (s *stages) choose(ctx context.Context) (furthest, rarest walk, err error) {
	ways := s.ways()
	if len(ways) == 1 {
		return walk{way: ways[0]}, walk{way: ways[0]}, nil
	}
	for i := range ways {
		w := walk{way: ways[i], known: true}
		if w.first, w.last, err = s.ends(ctx, w.way, s.walk); err != nil || w.last == nil {
			return w, w, err
		}
		if i == 0 || cmp.Or(cmp.Compare(w.last.at, furthest.last.at), bytes.Compare(w.last.tie, furthest.last.tie)) < 0 {
			furthest = w
		}
		if i == 0 || w.took() > rarest.took() {
			rarest = w
		}
	}
	return furthest, rarest, nil
}

// along reads the incidents of a walk that are in the list. If more is asked of them than the way says, it gives up after the first part of the
// walk where so few of that are in the list that the whole would not fill it. It returns the place where it ended, nil if the list is full or
// nothing comes after it, and how many it came past.
func (s *stages) along(ctx context.Context, w *walk) (end *cursor, passed int, err error) {
	part, before := max(1, s.walk/4), s.n
	if w.known && w.last == nil || s.of.beside(w.term).none() {
		part = s.walk
	}
	if err := s.pass(ctx, w.way, part, 0); err != nil || s.full() {
		return nil, part, err
	}
	fills := part == s.walk || (s.n-before)*s.walk >= part*(s.limit-before)
	if fills && part < s.walk {
		if err := s.pass(ctx, w.way, s.walk-part, part); err != nil || s.full() {
			return nil, s.walk, err
		}
	}
	if !w.known {
		if w.first, w.last, err = s.ends(ctx, w.way, s.walk); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case fills:
		return w.last, s.walk, nil
	case w.last == nil:
		return nil, s.walk, s.pass(ctx, w.way, s.walk-part, part)
	default:
		_, end, err := s.ends(ctx, w.way, part)
		return end, part, err
	}
}

// pass reads those of some incidents of a way that are in the list. Of those that have not what the list asks for beside the way the terms
// alone are looked at.
func (s *stages) pass(ctx context.Context, w way, n, after int) error {
	some, args := w.page(n, after)
	seen := s.of.beside(w.term).seen()
	if seen.conds == nil {
		return s.look(ctx, w.beside, some, args)
	}
	return s.look(ctx, w.beside, "SELECT w.id, w.at FROM ("+some+") AS w CROSS JOIN LATERAL (SELECT 1 FROM incident_terms t"+seen.String()+
		" AND t.incident = w.id OFFSET 0) AS t ORDER BY w.at DESC, w.id DESC", slices.Concat(args, seen.args))
}
