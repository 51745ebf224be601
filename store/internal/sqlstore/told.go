// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"strconv"

	"tocsin/store"
)

const (
	// An incident that somebody has to hear of again.
	isOpen = "EXISTS (SELECT 1 FROM incidents i WHERE i.id = o.incident AND i.live AND i.closed_at = 0)"

	keep = `INSERT INTO told (incident, receiver, revision, kind, body, place, resend, repeat, again_at, until, times, status, terms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, CASE WHEN CAST(? AS BIGINT) > 0 THEN {now} + ? ELSE 0 END, CASE WHEN CAST(? AS BIGINT) > 0 THEN {now} + ? ELSE 0 END, 0, ?, ?)
ON CONFLICT (incident, receiver) DO UPDATE SET revision = excluded.revision, kind = excluded.kind, body = excluded.body, place = excluded.place,
  resend = excluded.resend, repeat = excluded.repeat, again_at = excluded.again_at, until = excluded.until, status = excluded.status,
  terms = excluded.terms`

	// What is due, in the one column that both databases can return after an update: one that is not due again is over.
	due = `WITH due AS MATERIALIZED (
  SELECT o.incident, o.receiver, CASE WHEN o.until = 0 AND NOT ` + isOpen + ` OR o.until > 0 AND o.until < {now} THEN 1 ELSE 0 END AS ended
  FROM told o WHERE o.again_at > 0 AND o.again_at <= {now} AND %s ORDER BY o.again_at LIMIT ? {skip}
)
UPDATE told SET times = times + 1, again_at = CASE WHEN due.ended = 1 THEN 0 ELSE {now} + told.resend + told.repeat END
FROM due WHERE told.incident = due.incident AND told.receiver = due.receiver
RETURNING told.incident, told.receiver, told.revision, told.kind, told.body, told.place, told.times, told.again_at, told.terms`

	// What somebody works on by now, and a receiver does not know.
	taken = `WITH due AS MATERIALIZED (
  SELECT o.incident, o.receiver FROM told o JOIN incidents j ON j.id = o.incident
  WHERE o.receiver IN (%s) AND o.status <> j.shown AND j.shown = 'in_progress' AND j.live LIMIT ? {skip}
)
UPDATE told SET times = times + 1, status = 'in_progress' FROM due WHERE told.incident = due.incident AND told.receiver = due.receiver
RETURNING told.incident, told.receiver, told.revision, told.times, told.terms`

	addAgain = `INSERT INTO outbox (incident, revision, receiver, detection, kind, body, not_before, terms, created)
VALUES (?, ?, ?, ?, ?, ?, {now}, ?, {now}) ON CONFLICT (incident, revision, receiver, detection) DO NOTHING`
)

// OutboxKeep says that an alert was delivered, and keeps what its receiver knows by that.
func (c *Core) OutboxKeep(ctx context.Context, id int64, t store.Told) error {
	about, err := parseID(t.Incident)
	if err != nil {
		return err
	}
	again := int64(t.Resend + t.Repeat)
	err = c.db.Tx(ctx, func(q Writer) error {
		changed, err := noted(ctx, q, id, store.Sent, "", markSent, id)
		if err != nil || !changed { // it was noted before
			return err
		}
		if t.Over && t.For == 0 {
			return q.Query(ctx, "DELETE FROM told WHERE incident = ? AND receiver = ?", []any{about, clean(t.Receiver)}, nil)
		}
		return q.Query(ctx, keep, []any{
			about, clean(t.Receiver), t.Revision, clean(t.Kind), notNil(t.Body), clean(t.Place), int64(t.Resend), int64(t.Repeat),
			again, again, int64(t.For), int64(t.For), clean(t.Status), clean(t.Terms),
		}, nil)
	})
	if err != nil {
		return fmt.Errorf("store: keep what was told: %w", err)
	}
	return nil
}

// ToldPlace returns the place that is kept of an incident and a receiver.
func (c *Core) ToldPlace(ctx context.Context, incident, receiver string) (string, error) {
	id, err := parseID(incident)
	if err != nil {
		return "", err
	}
	place := ""
	err = c.db.Query(ctx, "SELECT place FROM told WHERE incident = ? AND receiver = ?", []any{id, clean(receiver)}, func(scan Scan) error { return scan(&place) })
	if err != nil {
		return "", fmt.Errorf("store: what was told: %w", err)
	}
	return place, nil
}

// again is a row of told that is due; over says that it will not be again.
type again struct {
	store.Told
	times int64
	over  bool
}

func takeDue(ctx context.Context, q Querier, which string, args ...any) ([]again, error) {
	var out []again
	err := q.Query(ctx, fmt.Sprintf(due, which), args, func(scan Scan) error {
		var a again
		var id []byte
		var at int64
		err := scan(&id, &a.Receiver, &a.Revision, &a.Kind, &a.Body, &a.Place, &a.times, &at, &a.Terms)
		a.Incident, a.over = formatID(id), at == 0
		out = append(out, a)
		return err
	})
	return out, err
}

// ToldAgain takes what a receiver has to be sent again by now.
func (c *Core) ToldAgain(ctx context.Context, receiver string, n int) ([]store.Told, error) {
	var out []store.Told
	err := c.db.Tx(ctx, func(q Writer) error {
		out = nil
		taken, err := takeDue(ctx, q, "o.receiver = ? AND o.resend > 0", clean(receiver), int64(n))
		if err != nil {
			return err
		}
		for _, a := range taken {
			if !a.over {
				out = append(out, a.Told)
			}
		}
		// Who is about to hear of an end needs to know where that is kept.
		return q.Query(ctx, `DELETE FROM told WHERE receiver = ? AND resend > 0 AND again_at = 0
AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.state = 'pending' AND e.incident = told.incident AND e.receiver = told.receiver)`, []any{clean(receiver)}, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("store: what is told again: %w", err)
	}
	return out, nil
}

// Remind makes alerts of what has to be told again by now.
func (c *Core) Remind(ctx context.Context, n int, acknowledged ...string) error {
	err := c.db.Tx(ctx, func(q Writer) error {
		rows, err := takeDue(ctx, q, "o.repeat > 0", int64(n))
		if err != nil {
			return err
		}
		for _, a := range rows {
			if a.over {
				continue
			}
			if err := addReminder(ctx, q, a, "again-", "reminded"); err != nil {
				return err
			}
		}
		if len(acknowledged) == 0 {
			return nil
		}
		rows = nil
		err = q.Query(ctx, fmt.Sprintf(taken, in(len(acknowledged))), append(anys(cleanAll(acknowledged)), int64(n)), func(scan Scan) error {
			var a again
			var id []byte
			err := scan(&id, &a.Receiver, &a.Revision, &a.times, &a.Terms)
			a.Incident = formatID(id)
			rows = append(rows, a)
			return err
		})
		if err != nil {
			return err
		}
		for _, a := range rows {
			if err := addReminder(ctx, q, a, "taken-", "acknowledged"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: remind of incidents: %w", err)
	}
	return nil
}

// addReminder adds an alert about an incident that was told before: what it is about is its number, so that its key is its own.
func addReminder(ctx context.Context, q Querier, a again, prefix, kind string) error {
	id, err := parseID(a.Incident)
	if err != nil {
		return err
	}
	// One that waits still says it as well: while a receiver is down they would pile up.
	waits, err := number(ctx, q, "SELECT count(*) FROM outbox WHERE state = 'pending' AND incident = ? AND receiver = ? AND kind = ?", id, a.Receiver, kind)
	if err != nil || waits > 0 {
		return err
	}
	return q.Query(ctx, addAgain, []any{id, a.Revision, a.Receiver, prefix + strconv.FormatInt(a.times, 10), kind, []byte{}, a.Terms}, nil)
}
