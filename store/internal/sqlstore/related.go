// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"tocsin/incident"
	"tocsin/rules"
)

const (
	// perEntity bounds the incidents of an entity that are looked at for what is related: the newest.
	perEntity = 200
	// maxSightings bounds those that say something of its risk.
	maxSightings = 1000
)

// about are the incidents about an entity that may be in scope, newest first. Where the database has terms, few are found by them that
// are in a small scope, of many about an entity.
func (c *Core) about(e incident.Entity, scope incident.Scope) (string, []any) {
	if c.Walk > 0 && len(scope) > 0 {
		w := terms{groups: [][]string{{labelTerm(entityLabel(e.Type), label(e.Name))}, placeTerms(scope)}}.has()
		return "SELECT t.incident FROM incident_terms t" + w.String() + " ORDER BY t.last_event DESC, t.incident DESC", w.args
	}
	query, args := "SELECT l.incident FROM incident_labels l WHERE l.label = ? AND l.value = ?", []any{entityLabel(e.Type), label(e.Name)}
	if len(scope) > 0 {
		cond, more := placeLabels(scope)
		query, args = query+" AND EXISTS (SELECT 1 FROM incident_labels x WHERE x.incident = l.incident AND "+cond+")", append(args, more...)
	}
	return query + " ORDER BY l.last_event DESC, l.incident DESC", args
}

// newestOf are the newest incidents i about an entity that may be in scope, and of those the ones that are.
func (c *Core) newestOf(e incident.Entity, scope incident.Scope, limit int) (string, []any) {
	newest, args := c.about(e, scope)
	query := " FROM (" + newest + " LIMIT ?) AS l JOIN incidents i ON i.id = l.incident WHERE i.live"
	args = append(args, int64(limit))
	if scope != nil {
		cond, more := inScope(scope)
		query, args = query+" AND "+cond, append(args, more...)
	}
	return query, args
}

// Related returns incidents of other rules about the entities of one, newest activity first.
func (c *Core) Related(ctx context.Context, id string, scope incident.Scope, limit int) ([]incident.Related, error) {
	of, err := parseID(id)
	if err != nil {
		return nil, incident.ErrNotFound
	}
	out := []incident.Related{}
	err = c.db.Planned(ctx, func(q Querier) error {
		rows, err := one(ctx, q, of)
		if err != nil {
			return err
		}
		this := rows[0]
		found, err := c.sharing(ctx, q, this.view.Entities, this.view.Rule.ID, scope)
		if err != nil {
			return err
		}
		delete(found, string(of))
		order := make([]*sharer, 0, len(found))
		for _, s := range found {
			order = append(order, s)
		}
		slices.SortFunc(order, func(a, b *sharer) int { return cmp.Or(cmp.Compare(b.last, a.last), bytes.Compare(b.id, a.id)) })
		order = order[:min(len(order), pageSize(limit))]
		if len(order) == 0 {
			return nil
		}
		ids := make([]any, len(order))
		for i, s := range order {
			ids[i] = s.id
		}
		others, err := incidents(ctx, q, "SELECT "+incidentColumns+" FROM incidents i WHERE i.id IN ("+in(len(ids))+")", ids)
		if err != nil {
			return err
		}
		if err := fillParts(ctx, q, others); err != nil {
			return err
		}
		for _, r := range others {
			found[string(r.id)].view = r.view
		}
		for _, s := range order {
			out = append(out, incident.Related{Incident: s.view, Shared: s.shared})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: what is related to incident %s: %w", id, err)
	}
	return out, nil
}

// sharer is an incident that shares entities.
type sharer struct {
	id     []byte
	last   int64
	shared []incident.Entity
	view   incident.View
}

// sharing returns the newest incidents of other rules about some entities, by id.
func (c *Core) sharing(ctx context.Context, q Querier, entities []incident.Entity, rule string, scope incident.Scope) (map[string]*sharer, error) {
	found := make(map[string]*sharer)
	for _, e := range entities {
		from, args := c.newestOf(e, scope, perEntity)
		err := q.Query(ctx, "SELECT i.id, i.last_event"+from+" AND i.rule <> ?", append(args, rule), func(scan Scan) error {
			var s sharer
			err := scan(&s.id, &s.last)
			if found[string(s.id)] == nil {
				found[string(s.id)] = &s
			}
			f := found[string(s.id)]
			f.shared = append(f.shared, e)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Sightings returns the newest incidents about an entity, newest activity first; more says that there may be others, older ones.
func (c *Core) Sightings(ctx context.Context, kind, name string, scope incident.Scope) (out []incident.Sighting, more bool, err error) {
	e := incident.Entity{Type: kind, Name: name}
	from, args := c.newestOf(e, scope, maxSightings)
	query := "SELECT i.id, i.severity, i.shown, i.verdict, i.first_event, i.last_event, i.shadow" + from + " ORDER BY i.last_event DESC, i.id DESC"
	out = []incident.Sighting{}
	err = c.db.Planned(ctx, func(q Querier) error {
		err := q.Query(ctx, query, args, func(scan Scan) error {
			var s incident.Sighting
			var id []byte
			var severity int64
			err := scan(&id, &severity, &s.Status, &s.Verdict, &s.FirstEvent, &s.LastEvent, &s.Shadow)
			s.ID, s.Severity = formatID(id), rules.Severity(severity).String()
			out = append(out, s)
			return err
		})
		if err != nil {
			return err
		}
		all, args := c.about(e, scope)
		return q.Query(ctx, all+" LIMIT 1 OFFSET ?", append(args, int64(maxSightings)), func(Scan) error { more = true; return nil })
	})
	if err != nil {
		return nil, false, fmt.Errorf("store: incidents about an entity: %w", err)
	}
	return out, more, nil
}
