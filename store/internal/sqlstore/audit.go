// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/store"
)

const (
	auditColumns = "id, at, actor, via, operation, object, remote, request, outcome, status, finished"
	// maxAudit bounds each text of an entry: paths come from whoever asks.
	maxAudit = 1 << 10
)

// Record adds an act to the audit log and returns its id.
func (c *Core) Record(ctx context.Context, e store.Entry) (int64, error) {
	args := make([]any, 0, 8)
	for _, s := range []string{e.Actor, e.Via, e.Operation, e.Object, e.Remote, e.Request, e.Outcome} {
		args = append(args, cut(clean(s), maxAudit))
	}
	var id int64
	err := c.db.Tx(ctx, func(q Writer) error {
		return q.Query(ctx, `INSERT INTO audit (at, actor, via, operation, object, remote, request, outcome, status)
VALUES ({now}, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, append(args, int64(e.Status)), func(scan Scan) error { return scan(&id) })
	})
	if err != nil {
		return 0, fmt.Errorf("store: audit log: %w", err)
	}
	return id, nil
}

// Settle writes what became of an act that is started.
func (c *Core) Settle(ctx context.Context, id int64, outcome string, status int) error {
	return c.exec(ctx, "audit log", "UPDATE audit SET outcome = ?, status = ?, finished = {now} WHERE id = ? AND outcome = 'started' AND leaf IS NULL",
		cut(clean(outcome), maxAudit), int64(status), id)
}

// Audit returns a page of the audit log, newest first.
func (c *Core) Audit(ctx context.Context, f store.EntryFilter) ([]store.Entry, string, error) {
	var w where
	for _, x := range []struct{ column, value string }{
		{"actor", f.Actor}, {"operation", f.Operation}, {"outcome", f.Outcome}, {"object", f.Object},
	} {
		if x.value != "" {
			w.and(x.column+" = ?", clean(x.value))
		}
	}
	if f.Since != 0 {
		w.and("at >= ?", f.Since)
	}
	if f.Until != 0 {
		w.and("at <= ?", f.Until)
	}
	limit, at := f.Limit, f.Cursor
	f.Limit, f.Cursor = 0, ""
	list := newest[store.Entry]{name: "audit", by: f, table: "audit", columns: auditColumns, grows: "id", where: w, scan: scanEntry}
	return list.page(ctx, c.db, limit, at)
}

func scanEntry(scan Scan) (int64, store.Entry, error) {
	var e store.Entry
	var status int64
	err := scan(&e.ID, &e.At, &e.Actor, &e.Via, &e.Operation, &e.Object, &e.Remote, &e.Request, &e.Outcome, &status, &e.Finished)
	e.Status = int(status)
	return e.ID, e, err
}
