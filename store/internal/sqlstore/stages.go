// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"math"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
)

// stages read a list where the database has terms, and know neither how many incidents are in it nor where: the planner would guess it
// of each condition by itself, and be wrong where conditions have to do with each other. So a list is looked for in stages, each of which
// goes on in time where the one before it ended, and none of which takes long:
//
//  1. What lasted beyond a time that a filter ends at, by its terms; what is left is of last events no later than that.
//  2. A walk along an index that has the list's order, of a bounded number of incidents. It ends here if many are in the list.
//  3. By their terms, in the days that the walk would have come through if it were many times as long: so that of many that are
//     older than the walk, few are read.
//  4. By their terms, all the rest: they are few.
type stages struct {
	core  *Core
	q     Querier
	f     incident.Filter
	of    terms
	after *cursor // what was read up to here
	limit int
	walk  int
	rows  []*readIncident
}

// further is how many times further than the walk the third stage goes.
const further = 32

func (s *stages) read(ctx context.Context) ([]*readIncident, error) {
	if s.f.Scope != nil && len(s.f.Scope) == 0 {
		return nil, nil
	}
	edge := plus(s.f.Until, longer)
	if s.f.Until != 0 && edge < math.MaxInt64 && (s.after == nil || s.after.at > edge) {
		to := &cursor{edge + 1, []byte{}}
		if err := s.ask(ctx, to, longTerm); err != nil || s.full() {
			return s.rows, err
		}
		s.after = to
	}
	if s.of.none() {
		s.walk = math.MaxInt
	}
	if err := s.along(ctx); err != nil || s.full() || s.of.none() {
		return s.rows, err
	}
	first, last, err := s.walked(ctx)
	if err != nil || last == nil {
		return s.rows, err
	}
	s.after = last
	to := &cursor{plus(last.at, -further*within(first.at, last.at)), []byte{}}
	if in := days(to.at, last.at); in != nil {
		if err := s.ask(ctx, to, in...); err != nil || s.full() {
			return s.rows, err
		}
		s.after = to
	}
	return s.rows, s.ask(ctx, nil)
}

func (s *stages) full() bool { return len(s.rows) >= s.limit }

// along reads the incidents of the walk that are in the list.
func (s *stages) along(ctx context.Context) error {
	query, args := s.way()
	return s.look(ctx, query, args)
}

// way is the walk itself: ids and times of incidents in the list's order. It goes along the conditions of which there are mostly few.
func (s *stages) way() (string, []any) {
	f, from, id, at := s.f, "incidents i", "i.id", "i.last_event"
	var w where
	labelled := func(name, value string) {
		from, id, at = "incident_labels l", "l.incident", "l.last_event"
		w.and("l.label = ? AND l.value = ?", name, value)
	}
	live := !f.IncludeMerged && !f.IncludeRetracted // an index is of these alone
	switch {
	case f.EntityType != "" && f.EntityName != "":
		labelled(entityLabel(f.EntityType), label(f.EntityName))
	case len(f.Scope) == 1:
		labelled(placeLabel(f.Scope[0]))
	case f.Technique != "":
		labelled(techniqueLabel, label(strings.ToUpper(f.Technique)))
	case f.Rule != "":
		w.and("i.rule = ?", clean(f.Rule))
	case len(f.Status) == 1 && live:
		w.and("i.live AND i.shown = ?", clean(f.Status[0]))
	case len(f.Severity) == 1 && live:
		severity, _ := rules.ParseSeverity(f.Severity[0])
		w.and("i.live AND i.severity = ?", int64(severity))
	}
	if f.Since != 0 {
		w.and(at+" >= ?", f.Since)
	}
	if s.after != nil {
		w.and("("+at+", "+id+") < (?, ?)", s.after.at, s.after.tie)
	}
	query := "SELECT " + id + " AS id, " + at + " AS at FROM " + from + w.String() + " ORDER BY " + at + " DESC, " + id + " DESC LIMIT ?"
	return query, append(w.args, int64(s.walk))
}

// walked returns the first and the last incident of the walk; last is nil if nothing comes after it.
func (s *stages) walked(ctx context.Context) (first, last *cursor, err error) {
	query, args := s.way()
	n := 0
	err = s.q.Query(ctx, query, args, func(scan Scan) error {
		n, last = n+1, &cursor{}
		if first == nil {
			first = last
		}
		return scan(&last.tie, &last.at)
	})
	if n < s.walk {
		last = nil
	}
	return first, last, err
}

// ask reads the incidents that have the terms, and one of more, up to a place or to the end.
func (s *stages) ask(ctx context.Context, to *cursor, more ...string) error {
	if err := s.core.byTerms(ctx, s.q); err != nil {
		return err
	}
	w := s.of.has(more...)
	if s.f.Since != 0 {
		w.and("t.last_event >= ?", s.f.Since)
	}
	if s.f.Until != 0 {
		w.and("t.first_event <= ?", s.f.Until)
	}
	if s.after != nil {
		w.and("(t.last_event, t.incident) < (?, ?)", s.after.at, s.after.tie)
	}
	if to != nil {
		w.and("(t.last_event, t.incident) >= (?, ?)", to.at, to.tie)
	}
	return s.look(ctx, "SELECT t.incident AS id, t.last_event AS at FROM incident_terms t"+w.String()+" ORDER BY at DESC, id DESC", w.args)
}

// look reads those of some incidents in order that are in the list, until it is full. Each is looked at by itself: what it is asked
// of must not be read for all there are.
func (s *stages) look(ctx context.Context, some string, args []any) error {
	w := exactly(s.f)
	query := "SELECT " + incidentColumns + " FROM (" + some + ") AS d CROSS JOIN LATERAL (SELECT i.* FROM incidents i" + w.String() +
		" AND i.id = d.id OFFSET 0) AS i ORDER BY d.at DESC, d.id DESC LIMIT ?"
	rows, err := incidents(ctx, s.q, query, append(append(args, w.args...), int64(s.limit-len(s.rows))))
	s.rows = append(s.rows, rows...)
	return err
}

// exactly is what a filter asks of an incident i.
func exactly(f incident.Filter) where {
	w := where{conds: []string{"true"}}
	if f.EntityType != "" && f.EntityName != "" {
		w.and(hasLabel("x.label = ? AND x.value = ?"), entityLabel(f.EntityType), label(f.EntityName))
	} else {
		w.half(f)
	}
	if f.Technique != "" {
		w.and(hasLabel("x.label = ? AND x.value = ?"), techniqueLabel, label(strings.ToUpper(f.Technique)))
	}
	if f.Since != 0 {
		w.and("i.last_event >= ?", f.Since)
	}
	w.own(f)
	return w
}
