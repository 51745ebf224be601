// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"sort"
	"time"

	"tocsin/incident"
	"tocsin/store"
)

const (
	outboxColumns = "id, incident, revision, receiver, detection, kind, body, state, attempts, created, not_before, finished, error, terms, silenced_by"

	// What a member holds who died meanwhile is free. One that was held up by a store that was away may send what
	// somebody else sends now: under the same key.
	//
	// An alert waits for the pending ones before it about the same incident to the same receiver, so that
	// no one hears "closed" before "opened".
	claim = `WITH due AS MATERIALIZED (
  SELECT o.id FROM outbox o WHERE o.state = 'pending' AND o.not_before <= {now}
    AND (o.lease_until <= {now} OR o.lease_owner <> ?
      AND NOT EXISTS (SELECT 1 FROM members m WHERE m.owner = o.lease_owner AND m.alive_until > {now}))
    AND NOT EXISTS (SELECT 1 FROM outbox e
      WHERE e.state = 'pending' AND e.incident = o.incident AND e.receiver = o.receiver AND e.id < o.id)%s
  ORDER BY o.not_before, o.id LIMIT ? {skip}
)
UPDATE outbox SET lease_owner = ?, lease_until = {now} + ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM due)
RETURNING ` + outboxColumns

	// To a receiver that takes its alerts in order, also one that is not due yet or is being sent holds up those
	// behind it.
	oldest = `
    AND (o.receiver NOT IN (%s) OR NOT EXISTS (SELECT 1 FROM outbox e
      WHERE e.state = 'pending' AND e.receiver = o.receiver AND e.id < o.id))`
)

// ClaimOutbox leases up to n due alerts to owner, and of the receivers in order none but the oldest pending one.
func (c *Core) ClaimOutbox(ctx context.Context, owner string, n int, lease time.Duration, inOrder ...string) ([]store.OutboxRow, error) {
	query, args := fmt.Sprintf(claim, ""), []any{clean(owner)}
	if len(inOrder) > 0 {
		query = fmt.Sprintf(claim, fmt.Sprintf(oldest, in(len(inOrder))))
		for _, r := range inOrder {
			args = append(args, clean(r))
		}
	}
	args = append(args, int64(n), clean(owner), int64(lease))
	var out []store.OutboxRow
	err := c.db.Tx(ctx, func(q Writer) error {
		return q.Query(ctx, query, args, func(scan Scan) error {
			r, err := scanOutbox(scan)
			out = append(out, r)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: claim alerts: %w", err)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

func scanOutbox(scan Scan) (store.OutboxRow, error) {
	var r store.OutboxRow
	var id []byte
	var attempts int64
	err := scan(&r.ID, &id, &r.Revision, &r.Receiver, &r.Detection, &r.Kind, &r.Body, &r.State, &attempts, &r.Created, &r.NotBefore, &r.Finished, &r.Error, &r.Terms, &r.SilencedBy)
	r.Incident, r.Attempts = formatID(id), int(attempts)
	return r, err
}

// OutboxSent says that the alert was delivered; whoever claimed it last, it was.
func (c *Core) OutboxSent(ctx context.Context, id int64) error {
	return c.note(ctx, "mark an alert sent", id, store.Sent, "", markSent, id)
}

const markSent = "UPDATE outbox SET state = 'sent', finished = {now}, error = '', silenced_by = '' WHERE id = ? AND state <> 'sent'"

const putBack = `UPDATE outbox SET not_before = {now} + ?, lease_owner = '', lease_until = 0, error = ?
WHERE id = ? AND attempts = ? AND state = 'pending'`

// OutboxRetry puts the alert back for later, unless it was claimed again since this attempt.
func (c *Core) OutboxRetry(ctx context.Context, id int64, attempt int, after time.Duration, errText string) error {
	why := cut(clean(errText), maxError)
	return c.note(ctx, "put an alert back", id, store.Retry, why, putBack, int64(after), why, id, int64(attempt))
}

// OutboxPutOff does the same with an alert that was not tried.
func (c *Core) OutboxPutOff(ctx context.Context, id int64, attempt int, after time.Duration, why string) error {
	return c.exec(ctx, "put an alert off", putBack, int64(after), cut(clean(why), maxError), id, int64(attempt))
}

// OutboxDead gives the alert up, unless it was claimed again since this attempt.
func (c *Core) OutboxDead(ctx context.Context, id int64, attempt int, errText string) error {
	why := cut(clean(errText), maxError)
	return c.note(ctx, "give an alert up", id, store.Dead, why, `UPDATE outbox SET state = 'dead', finished = {now}, lease_owner = '', lease_until = 0, error = ?
WHERE id = ? AND attempts = ? AND state = 'pending'`, why, id, int64(attempt))
}

// maxError bounds what is kept of a receiver's words.
const maxError = 2 << 10

const revived = "state = 'pending', finished = 0, created = {now}, not_before = {now}, lease_until = 0"

// OutboxRevive makes a dead alert pending again. It is as young as a new one, so that its age does not
// kill it at once.
func (c *Core) OutboxRevive(ctx context.Context, id int64) error {
	found := false
	err := c.db.Tx(ctx, func(q Writer) error {
		return q.Query(ctx, `UPDATE outbox SET `+revived+`
WHERE id = ? AND state = 'dead' RETURNING 1`, []any{id}, func(Scan) error { found = true; return nil })
	})
	if err != nil {
		return fmt.Errorf("store: revive an alert: %w", err)
	}
	if !found {
		return fmt.Errorf("store: dead alert %d: %w", id, incident.ErrNotFound)
	}
	return nil
}

// OutboxReviveAll makes the alerts pending that died since then, all receivers' if none is named.
func (c *Core) OutboxReviveAll(ctx context.Context, since int64, receiver string) (int64, error) {
	w := where{}
	w.and("state = 'dead'")
	w.and("finished >= ?", since)
	// What ended, and was told so, does not open again.
	w.and(`NOT EXISTS (SELECT 1 FROM outbox e WHERE e.incident = outbox.incident AND e.receiver = outbox.receiver AND e.id > outbox.id
  AND e.state = 'sent' AND e.kind IN ('closed', 'merged', 'retracted'))`)
	if receiver != "" {
		w.and("receiver = ?", clean(receiver))
	}
	var n int64
	err := c.db.Tx(ctx, func(q Writer) error {
		n = 0
		return q.Query(ctx, "UPDATE outbox SET "+revived+w.String()+" RETURNING 1", w.args, func(Scan) error { n++; return nil })
	})
	if err != nil {
		return 0, fmt.Errorf("store: revive alerts: %w", err)
	}
	return n, nil
}

// OutboxStats returns how the outbox stands.
func (c *Core) OutboxStats(ctx context.Context) (store.OutboxStats, error) {
	var s store.OutboxStats
	err := c.db.Query(ctx, `SELECT
  (SELECT count(*) FROM outbox WHERE state = 'pending'), (SELECT count(*) FROM outbox WHERE state = 'dead'),
  coalesce({now} - (SELECT min(created) FROM outbox WHERE state = 'pending'), 0)`, nil, func(scan Scan) error {
		var oldest int64
		err := scan(&s.Pending, &s.Dead, &oldest)
		s.Oldest = time.Duration(max(oldest, 0))
		return err
	})
	if err != nil {
		return store.OutboxStats{}, fmt.Errorf("store: count alerts: %w", err)
	}
	return s, nil
}

// ListOutbox returns a page of alerts, newest first.
func (c *Core) ListOutbox(ctx context.Context, f store.OutboxFilter) ([]store.OutboxRow, string, error) {
	var w where
	if f.State != "" {
		w.and("state = ?", clean(f.State))
	}
	if f.Receiver != "" {
		w.and("receiver = ?", clean(f.Receiver))
	}
	if f.Incident != "" {
		id, err := parseID(f.Incident)
		if err != nil {
			return []store.OutboxRow{}, "", nil //nolint:nilerr // what is no id names no incident
		}
		w.and("incident = ?", id)
	}
	limit, at := f.Limit, f.Cursor
	f.Limit, f.Cursor = 0, ""
	list := newest[store.OutboxRow]{
		name: "outbox", by: f, table: "outbox", columns: outboxColumns + ", coalesce((SELECT i.title FROM incidents i WHERE i.id = outbox.incident), '')",
		grows: "id", where: w,
		scan: func(scan Scan) (int64, store.OutboxRow, error) {
			var title string
			r, err := scanOutbox(func(to ...any) error { return scan(append(to, &title)...) })
			r.Title = title
			return r.ID, r, err
		},
	}
	return list.page(ctx, c.db, limit, at)
}
