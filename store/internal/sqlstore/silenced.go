// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/store"
)

// OutboxSilence keeps an alert from being told, unless it was claimed again since this attempt. That what silences it still does is no news.
func (c *Core) OutboxSilence(ctx context.Context, id int64, attempt int, by string, after time.Duration, forGood bool) error {
	finished := "0"
	if forGood {
		finished = "{now}"
	}
	change := "UPDATE outbox SET state = 'silenced', silenced_by = ?, not_before = {now} + ?, finished = " + finished +
		", lease_owner = '', lease_until = 0 WHERE id = ? AND attempts = ? AND state = 'pending'"
	by = cut(clean(by), maxError)
	args := []any{by, int64(after), id, int64(attempt)}
	err := c.db.Tx(ctx, func(q Writer) error {
		still, err := number(ctx, q, "SELECT count(*) FROM outbox WHERE id = ? AND silenced_by = ?", id, by)
		if err == nil && still > 0 && !forGood {
			return q.Query(ctx, change, args, nil)
		}
		if err == nil {
			_, err = noted(ctx, q, id, store.Silenced, by, change, args...)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store: silence an alert: %w", err)
	}
	return nil
}

// forAWhile selects the alerts that are silenced, and not for good.
const forAWhile = " WHERE state = 'silenced' AND finished = 0 AND "

// OutboxWake makes the silenced alerts pending whose time has come, and those that an incident held back that is not open any more. They
// keep what silenced them: who sends them looks again.
func (c *Core) OutboxWake(ctx context.Context, prefix string) error {
	err := c.db.Tx(ctx, func(q Writer) error {
		if err := q.Query(ctx, "UPDATE outbox SET state = 'pending'"+forAWhile+"not_before <= {now}", nil, nil); err != nil {
			return err
		}
		over := make(map[string]bool) // by what silenced an alert
		err := q.Query(ctx, "SELECT DISTINCT silenced_by FROM outbox"+forAWhile+`silenced_by LIKE ? ESCAPE '\'`, []any{escapeLike(prefix) + "%"}, func(scan Scan) error {
			var by string
			err := scan(&by)
			over[by] = true
			return err
		})
		if err != nil || len(over) == 0 {
			return err
		}
		var ids []any
		for by := range over {
			if id, err := parseID(strings.TrimPrefix(by, prefix)); err == nil {
				ids = append(ids, id)
			}
		}
		err = chunked(ctx, q, "SELECT i.id FROM incidents i WHERE i.id IN (%s) AND i.live AND i.shown <> 'closed' LIMIT ?", ids, chunk, func(scan Scan) error {
			var id []byte
			err := scan(&id)
			delete(over, prefix+formatID(id))
			return err
		})
		if err != nil {
			return err
		}
		for by := range over {
			if err := q.Query(ctx, "UPDATE outbox SET state = 'pending', not_before = {now}"+forAWhile+"silenced_by = ?", []any{by}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: wake alerts: %w", err)
	}
	return nil
}

// OutboxRewrite gives an alert another body before it is told, unless it was claimed again since this attempt: then it reports false. One that
// was silenced is as young as a new one, as one that is revived is.
func (c *Core) OutboxRewrite(ctx context.Context, id int64, attempt int, body []byte, terms string) (bool, error) {
	done := false
	err := c.db.Tx(ctx, func(q Writer) error {
		done = false
		return q.Query(ctx, `UPDATE outbox SET body = ?, terms = ?, created = CASE WHEN silenced_by <> '' THEN {now} ELSE created END, silenced_by = ''
WHERE id = ? AND attempts = ? AND state = 'pending' RETURNING 1`, []any{notNil(body), clean(terms), id, int64(attempt)}, func(Scan) error { done = true; return nil })
	})
	if err != nil {
		return false, fmt.Errorf("store: rewrite an alert: %w", err)
	}
	return done, nil
}

// OutboxHeard reports whether a receiver was told anything about an incident, and whether anything was kept from it.
func (c *Core) OutboxHeard(ctx context.Context, incident, receiver string) (heard, hushed bool, err error) {
	id, err := parseID(incident)
	if err != nil {
		return false, false, err
	}
	err = c.db.Query(ctx, "SELECT DISTINCT state FROM outbox WHERE incident = ? AND receiver = ? AND state IN ('sent', 'silenced')", []any{id, clean(receiver)},
		func(scan Scan) error {
			var state string
			err := scan(&state)
			heard, hushed = heard || state == store.Sent, hushed || state == store.Silenced
			return err
		})
	if err != nil {
		return false, false, fmt.Errorf("store: what a receiver heard: %w", err)
	}
	return heard, hushed, nil
}

// OutboxReceivers returns how the alerts to each receiver stand. Those that were sent are not counted: there may be millions.
func (c *Core) OutboxReceivers(ctx context.Context) ([]store.ReceiverStats, error) {
	var out []store.ReceiverStats
	err := c.db.Query(ctx, `SELECT receiver, sum(CASE WHEN state = 'pending' THEN 1 ELSE 0 END), sum(CASE WHEN state = 'silenced' THEN 1 ELSE 0 END),
  sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 END), coalesce({now} - min(CASE WHEN state = 'pending' THEN created END), 0)
FROM outbox WHERE state = 'pending' OR state = 'dead' OR state = 'silenced' AND finished = 0 GROUP BY receiver ORDER BY receiver`, nil, func(scan Scan) error {
		var r store.ReceiverStats
		var oldest int64
		err := scan(&r.Receiver, &r.Pending, &r.Silenced, &r.Dead, &oldest)
		r.Oldest = time.Duration(max(oldest, 0))
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: count alerts by receiver: %w", err)
	}
	for i := range out {
		if out[i].Pending == 0 {
			continue
		}
		err := c.db.Query(ctx, "SELECT attempts, error FROM outbox WHERE state = 'pending' AND receiver = ? AND error <> '' ORDER BY id DESC LIMIT 1",
			[]any{out[i].Receiver}, func(scan Scan) error {
				var attempts int64
				err := scan(&attempts, &out[i].Error)
				out[i].Attempts = int(attempts)
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("store: count alerts by receiver: %w", err)
		}
	}
	return out, nil
}
