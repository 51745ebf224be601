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
//  1. What lasted beyond a time that a filter ends at, by the term of the condition with the fewest incidents; what is left is of last events
//     no later than that.
//  2. A walk along the index of one condition, which has the list's order, past a bounded number of incidents: of the condition with which
//     that many reach the furthest. It ends here if many of them are in the list, and early if few of the first are.
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
	// columns are those of an incident i that row reads; n counts the rows.
	columns string
	row     func(Scan) error
	n       int
}

// further is how many times as long as the one before it a stage is at most.
const further = 32

// older is how many times as long as one in which there are none the next stage is at least.
const older = 4

// perDay is how many incidents' terms are read in the time that it takes to leave out those of other days, for each day that is asked for.
const perDay = 100

func (s *stages) read(ctx context.Context) error {
	if s.f.Scope != nil && len(s.f.Scope) == 0 {
		return nil
	}
	at, to := s.after, s.beyond()
	if to != nil {
		s.after = to
	}
	w, rarest, err := s.choose(ctx)
	if err != nil {
		return err
	}
	if to != nil {
		s.after = at
		if err := s.ask(ctx, s.of.only(rarest.term), to, longTerm); err != nil || s.full() {
			return err
		}
		s.after = to
	}
	if s.of.none() {
		some, args := w.page(math.MaxInt, 0)
		return s.look(ctx, s.f, some, args)
	}
	before := s.n
	end, passed, err := s.along(ctx, &w)
	if err != nil || end == nil {
		return err
	}
	if rarest.first == nil {
		rarest = w
	}
	found := (s.n - before) * s.walk / passed
	e, err := s.expect(ctx, w, rarest, found)
	if err != nil {
		return err
	}
	s.after = end
	return s.back(ctx, w.took(), found, e)
}

// beyond is the place in the list of an incident that ended so long after the end of what is asked for that only what lasted can come
// before it; nil where there is none, or the list is past it.
func (s *stages) beyond() *cursor {
	edge := event.Plus(s.f.Until, longer)
	if s.f.Until == 0 || edge == math.MaxInt64 || s.after != nil && s.after.at <= edge {
		return nil
	}
	return &cursor{edge + 1, []byte{}}
}

// back goes on from the end of a walk that took some time in the incidents' lives: by whole days, in which twice as many are expected as are
// still to be found. Where none are, though some of all times are in the list, they are older: the next stage is the longer.
func (s *stages) back(ctx context.Context, took int64, found int, e expected) error {
	long := 2 * float64(s.limit-s.n) / e.rate // took is below 400 days, or this is the first time
	for {
		// A day may begin where the one before it ended, and a walk take no time.
		to := &cursor{startOfDay(event.Plus(s.after.at, -int64(max(1, min(further*float64(took), long))))), []byte{}}
		in := days(to.at, s.after.at)
		if in == nil || e.before(s.after.at) <= float64(perDay*len(in)) {
			break
		}
		before, was := s.n, found
		if err := s.ask(ctx, s.of, to, in...); err != nil || s.full() {
			return err
		}
		took = s.after.at - to.at
		s.after = to
		if found = s.n - before; found == 0 && was == 0 && !e.some {
			break
		}
		long = 2 * float64(s.limit-s.n) * float64(took) / float64(max(1, found))
		if found == 0 && e.some {
			long = max(2*float64(s.limit-s.n)/e.rate, older*float64(took))
		}
	}
	return s.ask(ctx, s.of, nil)
}

// expected is how many incidents that the terms find are expected in a time, from the oldest on; some is true if there are any among some of
// all times.
type expected struct {
	rate   float64
	oldest int64
	some   bool
}

func (e expected) before(at int64) float64 { return e.rate * (float64(at) - float64(e.oldest)) }

// expect takes it that as many are found in a time as in that of the walk, or as are among some of all times of the rarest way.
func (s *stages) expect(ctx context.Context, w, rarest walk, found int) (expected, error) {
	var e expected
	err := s.q.Query(ctx, rarest.selects(rarest.at)+" ORDER BY "+rarest.at+", "+rarest.id+" LIMIT 1", rarest.whole().args, func(scan Scan) error {
		return scan(&e.oldest)
	})
	if err != nil {
		return e, err
	}
	share, err := s.narrow(ctx, rarest.way, e.oldest, w.last.at)
	e.rate = max(float64(max(1, found))/float64(w.took()), share*float64(s.walk)/float64(rarest.took()))
	e.some = share > 0
	return e, err
}

func (s *stages) full() bool { return s.n >= s.limit }

// ask reads the incidents that have some terms, and one of more, up to a place or to the end.
func (s *stages) ask(ctx context.Context, of terms, to *cursor, more ...string) error {
	w := of.has(more...)
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
	return s.look(ctx, s.f, "SELECT t.incident AS id, t.last_event AS at FROM incident_terms t"+w.String()+" ORDER BY at DESC, id DESC", w.args)
}

// look reads those of some incidents in order that are what is asked for, until the list is full. Each is looked at by itself: what it is asked
// of must not be read for all there are.
func (s *stages) look(ctx context.Context, f incident.Filter, some string, args []any) error {
	w := exactly(f)
	query := "SELECT " + s.columns + " FROM (" + some + ") AS d CROSS JOIN LATERAL (SELECT i.* FROM incidents i" + w.String() +
		" AND i.id = d.id OFFSET 0) AS i ORDER BY d.at DESC, d.id DESC LIMIT ?"
	return s.rows(ctx, query, slices.Concat(args, w.args, []any{int64(s.limit - s.n)}))
}

// rows reads those of a statement.
func (s *stages) rows(ctx context.Context, query string, args []any) error {
	return s.q.Query(ctx, query, args, func(scan Scan) error {
		s.n++
		return s.row(scan)
	})
}

// named reads the incidents of some ids: an index of its own finds them.
func (s *stages) named(ctx context.Context) error {
	w := exactly(s.f)
	if s.after != nil {
		w.and("(i.last_event, i.id) < (?, ?)", s.after.at, s.after.tie)
	}
	return s.rows(ctx, "SELECT "+s.columns+" FROM incidents i"+w.String()+" ORDER BY i.last_event DESC, i.id DESC LIMIT ?", append(w.args, int64(s.limit)))
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
