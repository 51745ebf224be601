// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tocsin/rules"
)

// way is a condition whose index has the list's order: ids and times of incidents, all that may be in the list among them.
type way struct {
	from, id, at string
	term         string // which all of them have
	where
	once where // of incidents i: of those that the way comes by several times, it leaves one
}

// ways are those of a list's conditions, or that of all incidents if none has an index.
func (s *stages) ways() []way {
	f := s.f
	var out []way
	labelled := func(name, value string) {
		w := way{from: "incident_labels l", id: "l.incident", at: "l.last_event", term: labelTerm(name, value)}
		w.and("l.label = ? AND l.value = ?", name, value)
		out = append(out, w)
	}
	own := func(term, cond string, args ...any) {
		w := way{from: "incidents i", id: "i.id", at: "i.last_event", term: term}
		if cond != "" {
			w.and(cond, args...)
		}
		out = append(out, w)
	}
	live := !f.IncludeMerged && !f.IncludeRetracted // an index is of these alone
	if f.EntityType != "" && f.EntityName != "" {
		labelled(entityLabel(f.EntityType), label(f.EntityName))
	}
	switch n := len(f.Scope); {
	case n == 1:
		labelled(placeLabel(f.Scope[0]))
	case n > 1 && n <= maxParts && s.core.Walk == 0:
		out = append(out, s.places())
	}
	if f.Technique != "" {
		labelled(techniqueLabel, label(strings.ToUpper(f.Technique)))
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
			out[i].and("("+out[i].at+", "+out[i].id+") < (?, ?)", s.after.at, s.after.tie)
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
	return way{from: from, id: "l.incident", at: "l.last_event", where: where{args: args}, once: where{[]string{once}, more}}
}

// all reads the incidents of a way that are in the list, however long it is.
func (s *stages) all(ctx context.Context, w way) error {
	from, e := w.from, exactly(s.f)
	if len(s.f.Scope) > 0 {
		cond, args := placeLabels(s.f.Scope) // a look at a label is less than one at all detections
		w.and(hasLabel(cond), args...)
	}
	if w.id != "i.id" {
		from += " CROSS JOIN incidents i ON i.id = " + w.id // in this order
	}
	of := where{slices.Concat(w.conds, w.once.conds, e.conds), slices.Concat(w.args, w.once.args, e.args)}
	rows, err := incidents(ctx, s.q, "SELECT "+incidentColumns+" FROM "+from+of.String()+" ORDER BY "+w.at+" DESC, "+w.id+" DESC LIMIT ?",
		append(of.args, int64(s.limit)))
	s.rows = rows
	return err
}

// page selects up to n incidents of the way after the first few. How many is said in the statement: who plans it is to know.
func (w way) page(n, after int) (string, []any) {
	return fmt.Sprintf("SELECT %[1]s AS id, %[2]s AS at FROM %[3]s ORDER BY %[2]s DESC, %[1]s DESC LIMIT %[4]d OFFSET %[5]d", w.id, w.at, w.from+w.String(), n, after), w.args
}

// ends returns the first and the last incident of a walk; last is nil if nothing comes after it.
func (s *stages) ends(ctx context.Context, w way) (first, last *cursor, err error) {
	one, args := w.page(1, 0)
	other, more := w.page(1, s.walk-1)
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
}

// took is how long a walk takes in the incidents' lives.
func (w walk) took() int64 { return within(w.first.at, w.last.at) }

// choose returns the walk that reaches the furthest, and the one that takes the longest in the incidents' lives, of which there are the
// fewest: that all closed ones are older says nothing of how many they are.
func (s *stages) choose(ctx context.Context) (furthest, rarest walk, err error) {
	ways := s.ways()
	if len(ways) == 1 {
		return walk{way: ways[0]}, walk{way: ways[0]}, nil
	}
	for i := range ways {
		w := walk{way: ways[i]}
		if w.first, w.last, err = s.ends(ctx, w.way); err != nil || w.last == nil {
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

// along reads the incidents of a walk that are in the list. Of those that have not what the list asks for the terms alone are looked at.
func (s *stages) along(ctx context.Context, w way) error {
	walk, args := w.page(s.walk, 0)
	seen := s.of.seen()
	if seen.conds == nil {
		return s.look(ctx, walk, args)
	}
	return s.look(ctx, "SELECT w.id, w.at FROM ("+walk+") AS w CROSS JOIN LATERAL (SELECT 1 FROM incident_terms t"+seen.String()+
		" AND t.incident = w.id OFFSET 0) AS t ORDER BY w.at DESC, w.id DESC", slices.Concat(args, seen.args))
}
