// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"math"
	"slices"
	"strings"

	"tocsin/event"
	"tocsin/incident"
)

// stages read a list where the database has terms, and know neither how many incidents are in it nor where: the planner would guess it
// of each condition by itself, and be wrong where conditions have to do with each other. So a list is looked for in stages, each of which
// goes on in time where the one before it ended, and none of which takes long:
//
//  1. What lasted beyond a time that a filter ends at, by its terms; what is left is of last events no later than that.
//  2. A walk along the index of one condition, which has the list's order, past a bounded number of incidents: of the condition with which
//     that many reach the furthest. It ends here if many of them are in the list.
//  3. By their terms, in the days in which twice the rest of the list is expected, by how many the walk met and how many there are among some
//     of all times. So of many that are older, few are read. And again from there, while there are some. Unless all that are older are
//     expected to be few: to look for days takes longer than to read them.
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

// further is how many times as long as the one before it a stage is at most.
const further = 32

// perDay is how many incidents' terms are read in the time that it takes to leave out those of other days, for each day that is asked for.
const perDay = 100

func (s *stages) read(ctx context.Context) ([]*readIncident, error) {
	if s.f.Scope != nil && len(s.f.Scope) == 0 {
		return nil, nil
	}
	edge := event.Plus(s.f.Until, longer)
	if s.f.Until != 0 && edge < math.MaxInt64 && (s.after == nil || s.after.at > edge) {
		to := &cursor{edge + 1, []byte{}}
		if err := s.ask(ctx, to, longTerm); err != nil || s.full() {
			return s.rows, err
		}
		s.after = to
	}
	if s.of.none() {
		s.walk = math.MaxInt
		return s.rows, s.along(ctx, s.ways()[0])
	}
	before := len(s.rows)
	w, rarest, err := s.choose(ctx)
	if err != nil {
		return s.rows, err
	}
	if err := s.along(ctx, w.way); err != nil || s.full() {
		return s.rows, err
	}
	if w.first == nil {
		if w.first, w.last, err = s.ends(ctx, w.way); err != nil {
			return s.rows, err
		}
		rarest = w
	}
	if w.last == nil {
		return s.rows, nil
	}
	found := len(s.rows) - before
	e, err := s.expect(ctx, w, rarest, found)
	if err != nil {
		return s.rows, err
	}
	s.after = w.last
	return s.rows, s.back(ctx, w.took(), found, e)
}

// back goes on from the end of a walk that took some time in the incidents' lives: by whole days, in which twice as many are expected as are
// still to be found.
func (s *stages) back(ctx context.Context, took int64, found int, e expected) error {
	rate := e.rate
	for {
		long := min(further*float64(took), 2*float64(s.limit-len(s.rows))/rate) // took is below 400 days, or this is the first time
		to := &cursor{startOfDay(event.Plus(s.after.at, -int64(long))), []byte{}}
		in := days(to.at, s.after.at)
		if in == nil || e.before(s.after.at) <= float64(perDay*len(in)) {
			break
		}
		before, was := len(s.rows), found
		if err := s.ask(ctx, to, in...); err != nil || s.full() {
			return err
		}
		took = s.after.at - to.at
		s.after = to
		if found = len(s.rows) - before; found == 0 && was == 0 {
			break
		}
		rate = float64(max(1, found)) / float64(took)
	}
	return s.ask(ctx, nil)
}

// expected is how many incidents that the terms find are expected in a time, from the oldest on.
type expected struct {
	rate   float64
	oldest int64
}

func (e expected) before(at int64) float64 { return e.rate * (float64(at) - float64(e.oldest)) }

// expect takes it that as many are found in a time as in that of the walk, or as are among some of all times of the rarest way.
func (s *stages) expect(ctx context.Context, w, rarest walk, found int) (expected, error) {
	var e expected
	err := s.q.Query(ctx, "SELECT "+rarest.at+" FROM "+rarest.from+rarest.String()+" ORDER BY "+rarest.at+", "+rarest.id+" LIMIT 1", rarest.args, func(scan Scan) error {
		return scan(&e.oldest)
	})
	if err != nil {
		return e, err
	}
	share, err := s.narrow(ctx, rarest.way, e.oldest, w.last.at)
	e.rate = max(float64(max(1, found))/float64(w.took()), share*float64(s.walk)/float64(rarest.took()))
	return e, err
}

func (s *stages) full() bool { return len(s.rows) >= s.limit }

// ask reads the incidents that have the terms, and one of more, up to a place or to the end.
func (s *stages) ask(ctx context.Context, to *cursor, more ...string) error {
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
	rows, err := incidents(ctx, s.q, query, slices.Concat(args, w.args, []any{int64(s.limit - len(s.rows))}))
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
