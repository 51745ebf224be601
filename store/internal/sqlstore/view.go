// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

const incidentColumns = `i.id, i.rule, i.rule_title, i.rule_revision, i.severity, i.shadow, i.title, i.description, i.runbook,
i.attack, i.tactics, i.key, i.key_names, i.window_names, i.sources, i.entities, i.first_event, i.last_event, i.opened_at,
i.updated_at, i.closed_at, i.verdict, i.event_count, i.late, i.capped, i.retracted, i.merged_into, i.detection_count,
i.revision, i.shown, i.assignee, i.joined_into, i.work`

// readIncident is an incident as it was read, with what its detections need.
type readIncident struct {
	id     []byte
	window []string // names of the windows' keys
	view   incident.View
	// last is the last event of its own, which the list goes by; work counts what people did.
	last, work int64
	// gone says that the engine joined it into another.
	gone  bool
	parts []*readIncident
}

func incidents(ctx context.Context, q Querier, query string, args []any) ([]*readIncident, error) {
	var out []*readIncident
	seen := make(decoded[[]string])
	err := q.Query(ctx, query, args, func(scan Scan) error {
		r, err := scanIncident(scan, seen)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: read incidents: %w", err)
	}
	return out, nil
}

// decoded is what texts of JSON say, each decoded once: most rows of a page have the same. Nobody writes to them.
type decoded[T any] map[string]T

func (d decoded[T]) of(what, text string) (T, error) {
	out, ok := d[text]
	if !ok {
		if err := unlist(what, text, &out); err != nil {
			return out, err
		}
		d[text] = out
	}
	return out, nil
}

// listOf is a list; who appends to it gets another.
func listOf(seen decoded[[]string], what, text string) ([]string, error) {
	out, err := seen.of(what, text)
	return slices.Clip(out), err
}

func scanIncident(scan Scan, seen decoded[[]string]) (*readIncident, error) {
	r := &readIncident{}
	v := &r.view
	var (
		key, merged, joined                               []byte
		attack, tactics, names, window, sources, entities string
		verdict, shown                                    string
		severity, first, last, opened, updated, closed    int64
		assignee                                          *string
	)
	err := scan(&r.id, &v.Rule.ID, &v.Rule.Title, &v.Rule.Revision, &severity, &v.Shadow, &v.Title, &v.Description, &v.Runbook,
		&attack, &tactics, &key, &names, &window, &sources, &entities, &first, &last, &opened,
		&updated, &closed, &verdict, &v.EventCount, &v.Late, &v.Capped, &v.Retracted, &merged, &v.DetectionCount,
		&v.Revision, &shown, &assignee, &joined, &r.work)
	if err != nil {
		return nil, err
	}
	var group []string
	for _, l := range []struct {
		what, text string
		into       *[]string
	}{
		{"attack", attack, &v.Attack.Techniques}, {"tactics", tactics, &v.Attack.Tactics}, {"key names", names, &group},
		{"window names", window, &r.window}, {"sources", sources, &v.Sources},
	} {
		if *l.into, err = listOf(seen, l.what, l.text); err != nil {
			return nil, err
		}
	}
	if err := unlist("entities", entities, &v.Entities); err != nil {
		return nil, err
	}
	v.Attack.Techniques, v.Attack.Tactics = some(v.Attack.Techniques), some(v.Attack.Tactics)
	v.Sources, v.Entities = some(v.Sources), some(v.Entities)
	v.ID, v.Status, v.Assignee = formatID(r.id), incident.Status(shown), assignee
	if severity < int64(rules.Informational) || severity > int64(rules.Critical) {
		return nil, fmt.Errorf("store: incident %s has severity %d", v.ID, severity)
	}
	v.Severity = rules.Severity(severity).String()
	v.Key = keyView(group, key)
	v.FirstEvent, v.LastEvent, v.OpenedAt = event.Stamp(first), event.Stamp(last), event.Stamp(opened)
	v.UpdatedAt, v.ClosedAt = event.Stamp(updated), event.Stamp(closed)
	if verdict != "" {
		x := incident.Verdict(verdict)
		v.Verdict = &x
	}
	r.last, r.gone = last, merged != nil
	if merged == nil {
		merged = joined
	}
	if merged != nil {
		x := formatID(merged)
		v.MergedInto = &x
	}
	v.Detections = []incident.DetectionView{}
	return r, nil
}

// some returns a list that prints as [] when it is empty.
func some[T any](vs []T) []T {
	if vs == nil {
		return []T{}
	}
	return vs
}

// keyView returns a key as it prints; parts that are missing are left out, as are numbers that JSON has no form for.
func keyView(names []string, key []byte) map[string]any {
	out := make(map[string]any, len(names))
	for i, v := range rules.Key(key).Values() {
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			continue
		}
		if i < len(names) && v != nil {
			out[names[i]] = v
		}
	}
	return out
}

// OpenIncidents returns up to n incidents that are open and not in shadow, newest activity first and without their detections.
func (c *Core) OpenIncidents(ctx context.Context, n int) ([]incident.View, error) {
	var rows []*readIncident
	err := c.db.View(ctx, func(q Querier) error {
		var err error
		rows, err = incidents(ctx, q, "SELECT "+incidentColumns+` FROM incidents i WHERE i.live AND NOT i.shadow AND i.shown IN ('new', 'in_progress', 'on_hold', 'resolved')
ORDER BY i.last_event DESC, i.id DESC LIMIT ?`, []any{int64(n)})
		if err != nil {
			return err
		}
		return fillParts(ctx, q, rows)
	})
	if err != nil {
		return nil, err
	}
	views := make([]incident.View, len(rows))
	for i, r := range rows {
		views[i] = r.view
	}
	return views, nil
}

// one reads an incident with its parts, as a list of one; the error may be [incident.ErrNotFound].
func one(ctx context.Context, q Querier, id []byte) ([]*readIncident, error) {
	rows, err := incidents(ctx, q, "SELECT "+incidentColumns+" FROM incidents i WHERE i.id = ?", []any{id})
	if err == nil && len(rows) == 0 {
		err = incident.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return rows, fillParts(ctx, q, rows)
}

// Incident returns one incident with its detections.
func (c *Core) Incident(ctx context.Context, id string) (incident.View, error) {
	b, err := parseID(id)
	if err != nil {
		return incident.View{}, incident.ErrNotFound
	}
	var v incident.View
	err = c.db.Planned(ctx, func(q Querier) error {
		rows, err := one(ctx, q, b)
		if err != nil {
			return err
		}
		err = fillDetections(ctx, q, rows, maxDetections, detailsEvidence)
		v = rows[0].view
		return err
	})
	return v, err
}
