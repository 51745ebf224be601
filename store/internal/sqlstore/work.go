// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// Place returns where in the log an incident lives.
func (c *Core) Place(ctx context.Context, id string) (store.Place, error) {
	b, err := parseID(id)
	if err != nil {
		return store.Place{}, incident.ErrNotFound
	}
	var p store.Place
	found := false
	err = c.db.Query(ctx, `SELECT partition_id, rule, rule_revision, key, shown, verdict, merged_into, revision
FROM incidents WHERE id = ?`, []any{b}, func(scan Scan) error {
		var partition int64
		var key, merged []byte
		var shown, verdict string
		found = true
		if err := scan(&partition, &p.RuleID, &p.Rule, &key, &shown, &verdict, &merged, &p.Revision); err != nil {
			return err
		}
		p.Partition, p.Group = int(partition), rules.Key(key)
		p.Status, p.Verdict = incident.Status(shown), incident.Verdict(verdict)
		if merged != nil {
			p.MergedInto = formatID(merged)
		}
		return nil
	})
	if err != nil {
		return store.Place{}, fmt.Errorf("store: place of incident %s: %w", id, err)
	}
	if !found {
		return store.Place{}, incident.ErrNotFound
	}
	return p, nil
}

// SetWork writes what people say about an incident.
func (c *Core) SetWork(ctx context.Context, id string, w store.Work) error {
	b, err := parseID(id)
	if err != nil {
		return incident.ErrNotFound
	}
	var set []string
	var args []any
	if w.Status != nil {
		switch *w.Status {
		case incident.New, incident.InProgress, incident.OnHold, incident.Resolved:
		default:
			return fmt.Errorf("store: %q is no status to set", *w.Status)
		}
		set, args = append(set, "status = ?"), append(args, string(*w.Status))
	}
	if w.Assignee != nil {
		var who any
		if *w.Assignee != "" {
			who = clean(*w.Assignee)
		}
		set, args = append(set, "assignee = ?"), append(args, who)
	}
	if len(set) == 0 {
		return nil
	}
	found := false
	err = c.db.Tx(ctx, func(q Querier) error {
		if err := q.Query(ctx, fmt.Sprintf(countOf, "-count(*)", "?"), []any{b}, nil); err != nil {
			return err
		}
		err := q.Query(ctx, "UPDATE incidents SET "+strings.Join(set, ", ")+" WHERE id = ? RETURNING 1", append(args, b),
			func(Scan) error { found = true; return nil })
		if err != nil {
			return err
		}
		return q.Query(ctx, fmt.Sprintf(countOf, "count(*)", "?"), []any{b}, nil)
	})
	if err != nil {
		return fmt.Errorf("store: write to incident %s: %w", id, err)
	}
	if !found {
		return incident.ErrNotFound
	}
	return nil
}
