// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	err = c.db.Query(ctx, `SELECT partition_id, rule, rule_revision, key, shown, verdict, coalesce(merged_into, joined_into), revision, opened_at, work,
merged_into IS NULL AND joined_into IS NOT NULL FROM incidents WHERE id = ?`, []any{b}, func(scan Scan) error {
		var partition int64
		var key, merged []byte
		var shown, verdict string
		found = true
		if err := scan(&partition, &p.RuleID, &p.Rule, &key, &shown, &verdict, &merged, &p.Revision, &p.Opened, &p.Acts, &p.Joined); err != nil {
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
	p.Parts, err = c.openParts(ctx, b)
	return p, err
}

// held is an incident that a transaction has for itself.
type held struct {
	id                     []byte
	status                 incident.Status
	assignee               string
	opened, revision, work int64
	// merged is the incident that it was joined into, nil if none; joined the one that people say.
	merged, joined []byte
	retracted      bool
}

// hold locks an incident and reads it.
func hold(ctx context.Context, q Querier, id []byte) (held, error) {
	h := held{id: id}
	found := false
	err := q.Query(ctx, `SELECT shown, coalesce(assignee, ''), opened_at, revision, work, coalesce(merged_into, joined_into), joined_into, retracted
FROM incidents WHERE id = ? {lock}`, []any{id}, func(scan Scan) error {
		found = true
		return scan(&h.status, &h.assignee, &h.opened, &h.revision, &h.work, &h.merged, &h.joined, &h.retracted)
	})
	if err == nil && !found {
		err = incident.ErrNotFound
	}
	return h, err
}

// tries is how often what people do is done again that was undone for another's sake.
const tries = 4

// write runs fn in a transaction, again if it was undone: each time it begins anew.
func (c *Core) write(ctx context.Context, fn func(Writer) error) error {
	for n := 1; ; n++ {
		if err := c.db.Tx(ctx, fn); n == tries || !errors.Is(err, store.ErrUndone) {
			return err
		}
	}
}

// SetWork writes what somebody does with an incident, and the acts of it.
func (c *Core) SetWork(ctx context.Context, id string, w incident.Work) (incident.Done, error) {
	b, err := parseID(id)
	if err != nil {
		return incident.Done{}, incident.ErrNotFound
	}
	if w.Status != nil {
		switch *w.Status {
		case incident.New, incident.InProgress, incident.OnHold, incident.Resolved:
		default:
			return incident.Done{}, fmt.Errorf("store: %q is no status to set", *w.Status)
		}
	}
	var done incident.Done
	err = c.write(ctx, func(q Writer) error {
		var err error
		done, err = setWork(ctx, q, b, w)
		return err
	})
	if err != nil {
		return incident.Done{}, fmt.Errorf("store: write to incident %s: %w", id, err)
	}
	return done, nil
}

func setWork(ctx context.Context, q Querier, id []byte, w incident.Work) (incident.Done, error) {
	var done incident.Done
	h, err := hold(ctx, q, id)
	if err != nil {
		return done, err
	}
	key, err := newKeyed(w.By, w.Key, "work", id, w.Status, w.Verdict, w.Assignee, w.Comment)
	if err != nil {
		return done, err
	}
	if a, err := key.before(ctx, q); a != nil || err != nil {
		if a != nil {
			done.Acts = []incident.Act{*a}
		}
		return done, err
	}
	if err := h.may(ctx, q, w.If); err != nil {
		return done, err
	}
	set, args := []string{"work = work + 1"}, []any{}
	var acts []incident.Act
	if w.Status != nil {
		if h.status == incident.Closed {
			return done, incident.ErrFinal
		}
		if *w.Status != h.status {
			set, args = append(set, "status = ?"), append(args, string(*w.Status))
			acts = append(acts, incident.Act{Kind: incident.ActStatus, Detail: map[string]string{"from": string(h.status), "to": string(*w.Status)}})
		}
	}
	if w.Assignee != nil && clean(*w.Assignee) != h.assignee {
		who := clean(*w.Assignee)
		var value any
		if who != "" {
			value = who
		}
		set, args = append(set, "assignee = ?"), append(args, value)
		acts = append(acts, incident.Act{Kind: incident.ActAssignee, Detail: map[string]string{"from": h.assignee, "to": who}})
	}
	if w.Comment != "" {
		acts = append(acts, incident.Act{Kind: incident.ActComment, Detail: map[string]string{"text": clean(w.Comment)}})
	}
	if len(acts) == 0 {
		if key.key != nil { // done again later it might change something
			err = addAct(ctx, q, &incident.Act{Kind: incident.ActNothing, Actor: w.By, Incident: formatID(id)}, nil, key)
		}
		return done, err
	}
	// Only a status changes counts, whose rows commits want, too.
	write := func(query string, args ...any) error { return q.Query(ctx, query, args, nil) }
	if acts[0].Kind == incident.ActStatus {
		write = func(query string, args ...any) error { return recounted(ctx, q, [][]byte{id}, query, args...) }
	}
	if err := write("UPDATE incidents SET "+strings.Join(set, ", ")+" WHERE id = ?", append(args, id)...); err != nil {
		return done, err
	}
	for i := range acts {
		acts[i].Actor, acts[i].Incident = w.By, formatID(id)
		if err := addAct(ctx, q, &acts[i], nil, key); err != nil {
			return done, err
		}
		key = keyed{} // it is the first one's
	}
	done.Acts = acts
	h.first(&done)
	return done, nil
}

// first notes how long an incident waited for its first act, which it was: its closing would have been one.
func (h held) first(done *incident.Done) {
	if h.work == 0 && h.status != incident.Closed {
		done.Firsts = append(done.Firsts, int64(done.Acts[0].At)-h.opened)
	}
}

// may reports why nobody may act on an incident now: it was merged, or it has none of the versions that it should have.
func (h held) may(ctx context.Context, q Querier, versions []string) error {
	if versions != nil {
		now, err := h.version(ctx, q)
		if err != nil {
			return err
		}
		if !slices.Contains(versions, now) {
			return incident.ErrChanged
		}
	}
	if h.merged != nil {
		return &incident.MergedError{Into: formatID(h.merged)}
	}
	return nil
}

// recounted runs a statement that changes some incidents, and keeps the counts right.
func recounted(ctx context.Context, q Querier, ids [][]byte, query string, args ...any) error {
	for _, step := range []struct {
		query string
		args  []any
	}{
		{fmt.Sprintf(countOf, lost, in(len(ids))), anys(ids)},
		{query, args},
		{fmt.Sprintf(countOf, gained, in(len(ids))), anys(ids)},
	} {
		if err := q.Query(ctx, step.query, step.args, nil); err != nil {
			return err
		}
	}
	return nil
}
