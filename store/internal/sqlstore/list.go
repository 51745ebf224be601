// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
)

// Limits of what an item of a list carries: the whole is in the incident itself.
const (
	listDetections  = 20
	listEvidence    = 500 // per detection
	maxDetections   = 1000
	detailsEvidence = 1 << 30
)

// where collects the conditions of a select, and their arguments in order.
type where struct {
	conds []string
	args  []any
}

func (w *where) and(cond string, args ...any) {
	w.conds = append(w.conds, cond)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + w.all()
}

// all is the conditions as one, of which there is at least one.
func (w *where) all() string { return strings.Join(w.conds, " AND ") }

// Incidents returns a page of incidents, newest activity first.
func (c *Core) Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error) {
	limit, at := pageSize(f.Limit), f.Cursor
	f.Limit, f.Cursor = 0, ""
	hash, err := listHash("incidents", f)
	if err != nil {
		return nil, "", err
	}
	after, err := decodeCursor(at, hash, 16)
	if err != nil {
		return nil, "", err
	}
	var rows []*readIncident
	next := ""
	err = c.db.Planned(ctx, func(q Querier) error {
		var err error
		if rows, err = c.list(ctx, q, f, after, limit+1); err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			next = encodeCursor(cursor{rows[limit-1].last, rows[limit-1].id}, hash)
		}
		if err := fillParts(ctx, q, rows); err != nil {
			return err
		}
		return fillDetections(ctx, q, rows, listDetections, listEvidence)
	})
	if err != nil {
		return nil, "", err
	}
	views := make([]incident.View, len(rows))
	for i, r := range rows {
		views[i] = r.view
	}
	return views, next, nil
}

// list reads the first incidents after a place in a list.
func (c *Core) list(ctx context.Context, q Querier, f incident.Filter, after *cursor, limit int) ([]*readIncident, error) {
	var out []*readIncident
	seen := make(decoded[[]string])
	err := c.each(ctx, q, f, after, limit, incidentColumns, func(scan Scan) error {
		r, err := scanIncident(scan, seen)
		out = append(out, r)
		return err
	})
	return out, err
}

// each reads some columns of the first incidents i after a place in a list.
func (c *Core) each(ctx context.Context, q Querier, f incident.Filter, after *cursor, limit int, columns string, row func(Scan) error) error {
	s := &stages{core: c, q: q, f: f, of: termsOf(f), after: after, limit: limit, walk: max(c.Walk, 2*limit), columns: columns, row: row}
	var err error
	switch {
	case len(f.IDs) > 0:
		err = s.named(ctx)
	case c.Walk > 0:
		err = s.read(ctx)
	default:
		s.walk = alongside
		var w walk
		if _, w, err = s.choose(ctx); err == nil { // it goes on to the end
			err = s.all(ctx, w.way)
		}
	}
	if err != nil {
		return fmt.Errorf("store: read incidents: %w", err)
	}
	return nil
}

// alongside is how far ways are compared in a database without terms.
const alongside = 500

// half adds what is asked of an entity of which the type alone is said, or the name.
func (w *where) half(f incident.Filter) {
	switch {
	case f.EntityType != "":
		w.and(hasLabel("x.label = ?"), entityLabel(f.EntityType))
	case f.EntityName != "":
		w.and(hasLabel("x.label LIKE 'entity:%' AND x.value = ?"), label(f.EntityName))
	}
}

// own adds what a filter asks of an incident i itself and of its scope, but for the time that the list goes by.
func (w *where) own(f incident.Filter) {
	switch {
	case !f.IncludeMerged && !f.IncludeRetracted:
		w.and("i.live")
	case !f.IncludeMerged:
		w.and("i.merged_into IS NULL AND i.joined_into IS NULL")
	case !f.IncludeRetracted:
		// An incident that was joined into another is merged, whatever became of its detections before.
		w.and("(i.merged_into IS NOT NULL OR i.joined_into IS NOT NULL OR NOT i.retracted)")
	}
	if len(f.Status) > 0 {
		w.and("i.shown IN ("+in(len(f.Status))+")", anys(cleanAll(f.Status))...)
	}
	w.severity(f)
	if f.Rule != "" {
		w.and("i.rule = ?", clean(f.Rule))
	}
	if len(f.IDs) > 0 {
		keys := []any{[]byte{}} // what is no id selects nothing
		for _, id := range f.IDs {
			if b, err := parseID(id); err == nil {
				keys = append(keys, b)
			}
		}
		keys = padded(keys)
		w.and("i.id IN ("+in(len(keys))+")", keys...)
	}
	if f.Until != 0 {
		w.and("i.first_event <= ?", f.Until)
	}
	if f.Query != "" {
		w.and(`i.search LIKE ? ESCAPE '\'`, containing(f.Query))
	}
	if f.Scope != nil {
		cond, args := inScope(f.Scope)
		w.and(cond, args...)
	}
}

func (w *where) severity(f incident.Filter) {
	if len(f.Severity) > 0 {
		levels := []int64{-1} // an unknown name selects nothing
		for _, name := range f.Severity {
			if s, ok := rules.ParseSeverity(name); ok {
				levels = append(levels, int64(s))
			}
		}
		w.and("i.severity IN ("+in(len(levels))+")", anys(levels)...)
	}
}

func hasLabel(cond string) string {
	return "EXISTS (SELECT 1 FROM incident_labels x WHERE x.incident = i.id AND " + cond + ")"
}

// containing is the pattern of what contains a text, folded.
func containing(text string) string {
	return "%" + escapeLike(fold(text)) + "%"
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

func cleanAll(ss []string) []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = clean(s)
	}
	return out
}
