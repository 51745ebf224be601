// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/store"
)

// noted changes an alert and notes, if it did, what became of the attempt.
func noted(ctx context.Context, q Querier, id int64, outcome, why, change string, args ...any) (changed bool, err error) {
	var attempt int64
	err = q.Query(ctx, change+" RETURNING attempts", args, func(scan Scan) error { changed = true; return scan(&attempt) })
	if err != nil || !changed {
		return false, err
	}
	return true, q.Query(ctx, "INSERT INTO deliveries (alert, outcome, attempt, why, time) VALUES (?, ?, ?, ?, {now})", []any{id, outcome, attempt, why}, nil)
}

// note is noted in a transaction of its own.
func (c *Core) note(ctx context.Context, what string, id int64, outcome, why, change string, args ...any) error {
	err := c.db.Tx(ctx, func(q Writer) error {
		_, err := noted(ctx, q, id, outcome, why, change, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func deliveryOrder() order {
	return order{"deliveries", "s.at", "s.id", "deliveries s JOIN outbox o ON o.id = s.alert WHERE", "{delivered}"}
}

// Deliveries returns what became of attempts after a mark, in order, at most limit.
func (c *Core) Deliveries(ctx context.Context, after string, limit int) ([]store.Delivery, error) {
	o := deliveryOrder()
	var out []store.Delivery
	err := c.db.View(ctx, func(q Querier) error {
		return o.after(ctx, q, after, limit, "s.id, s.alert, s.outcome, s.attempt, s.why, s.time, o.incident, o.revision, o.receiver, o.detection, o.kind", func(scan Scan) error {
			var d store.Delivery
			var at, attempt int64
			var id, in []byte
			err := scan(&at, &id, &d.Alert, &d.Outcome, &attempt, &d.Why, &d.Time, &in, &d.Revision, &d.Receiver, &d.Detection, &d.Kind)
			d.Mark, d.Attempt, d.Incident = formatMark(at, id), int(attempt), formatID(in)
			out = append(out, d)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: changes of %s: %w", o.of, err)
	}
	return out, nil
}

// LastDelivery returns the mark of the last of them.
func (c *Core) LastDelivery(ctx context.Context) (string, error) {
	return deliveryOrder().last(ctx, c.db)
}
