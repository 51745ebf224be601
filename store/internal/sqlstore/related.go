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

// about reads some columns of the newest incidents i about an entity.
func (c *Core) about(ctx context.Context, q Querier, e incident.Entity, scope incident.Scope, limit int, columns string, row func(Scan) error) error {
	if e.Type == "" || e.Name == "" { // a list that asks for nothing has all there are
		return nil
	}
	return c.each(ctx, q, incident.Filter{EntityType: e.Type, EntityName: e.Name, Scope: scope}, nil, limit, columns, row)
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
		err := c.about(ctx, q, e, scope, perEntity, "i.id, i.last_event, i.rule", func(scan Scan) error {
			var s sharer
			var of string
			if err := scan(&s.id, &s.last, &of); err != nil || of == rule {
				return err
			}
			if found[string(s.id)] == nil {
				found[string(s.id)] = &s
			}
			f := found[string(s.id)]
			f.shared = append(f.shared, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Sightings returns the newest incidents about an entity, newest activity first; more says that there are others, older ones.
func (c *Core) Sightings(ctx context.Context, kind, name string, scope incident.Scope) (out []incident.Sighting, more bool, err error) {
	e, out := incident.Entity{Type: kind, Name: name}, []incident.Sighting{}
	err = c.db.Planned(ctx, func(q Querier) error {
		return c.about(ctx, q, e, scope, maxSightings+1, "i.id, i.severity, i.shown, i.verdict, i.first_event, i.last_event, i.shadow", func(scan Scan) error {
			var s incident.Sighting
			var id []byte
			var severity int64
			err := scan(&id, &severity, &s.Status, &s.Verdict, &s.FirstEvent, &s.LastEvent, &s.Shadow)
			s.ID, s.Severity = formatID(id), rules.Severity(severity).String()
			out = append(out, s)
			return err
		})
	})
	if err != nil {
		return nil, false, fmt.Errorf("store: incidents about an entity: %w", err)
	}
	more = len(out) > maxSightings
	return out[:min(len(out), maxSightings)], more, nil
}
