// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"

	"tocsin/store/internal/sqlstore"
)

// dialect is how SQLite says what the shared statements leave open. A transaction that writes has the
// database for itself, so there is nothing to lock or to skip.
func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Now:       "(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000000)",
		Head:      "(SELECT coalesce(max(at), 0) + 1 FROM incident_changes)",
		Newest:    "(SELECT last + 1 FROM detection_order)",
		Delivered: "(SELECT coalesce(max(at), 0) + 1 FROM deliveries)",
		Rows:      values,
	}
}

// values is the table of a step's rows, one at a time.
func values(columns []sqlstore.Column) string {
	return "VALUES (" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
}

// conn is a database or a transaction.
type conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type querier struct{ conn conn }

// Query implements [sqlstore.Querier].
func (q querier) Query(ctx context.Context, query string, args []any, row func(sqlstore.Scan) error) (err error) {
	rows, err := q.conn.QueryContext(ctx, dialect().SQL(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if row == nil {
			continue
		}
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// writer is a transaction that may write.
type writer struct {
	querier
	tx *sql.Tx
}

// Do implements [sqlstore.Writer].
func (w writer) Do(ctx context.Context, step sqlstore.Step) (err error) {
	st, err := w.tx.PrepareContext(ctx, dialect().SQL(step.SQL, step.Columns...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return execEach(ctx, st, step.Rows)
}

// execEach runs a statement once for each row.
func execEach(ctx context.Context, st *sql.Stmt, rows [][]any) error {
	for _, row := range rows {
		if _, err := st.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

type db struct {
	writer, reader *sql.DB
	turns          turns // of the writer

	mu         sync.Mutex
	statements map[string]*sql.Stmt // of commits, by text: there is a fixed number of them
}

// Query implements [sqlstore.DB].
func (d *db) Query(ctx context.Context, query string, args []any, row func(sqlstore.Scan) error) error {
	return querier{d.reader}.Query(ctx, query, args, row)
}

// View implements [sqlstore.DB].
func (d *db) View(ctx context.Context, fn func(sqlstore.Querier) error) error {
	return inTx(ctx, d.reader, func(tx *sql.Tx) error { return fn(querier{tx}) })
}

// Planned implements [sqlstore.DB].
func (d *db) Planned(ctx context.Context, fn func(sqlstore.Querier) error) error {
	return d.View(ctx, fn)
}

// Tx implements [sqlstore.DB].
func (d *db) Tx(ctx context.Context, fn func(sqlstore.Writer) error) error {
	return d.write(ctx, true, func(tx *sql.Tx) error { return fn(writer{querier{tx}, tx}) })
}

// write runs fn in a transaction of the writer, when its turn has come.
func (d *db) write(ctx context.Context, short bool, fn func(*sql.Tx) error) error {
	if err := d.turns.take(ctx, short); err != nil {
		return err
	}
	defer d.turns.give()
	return inTx(ctx, d.writer, fn)
}

func inTx(ctx context.Context, on *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops the error of ending a transaction that has ended: a cancelled context ends it first.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// statement returns the prepared form of a statement of a commit. It must be asked for outside of the
// transaction, which holds the one connection that could prepare it.
func (d *db) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if st := d.statements[query]; st != nil {
		return st, nil
	}
	st, err := d.writer.PrepareContext(ctx, query) //nolint:sqlclosecheck // close closes what is kept here
	if err != nil {
		return nil, err
	}
	d.statements[query] = st
	return st, nil
}

func (d *db) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := make([]error, 0, len(d.statements)+1)
	for _, st := range d.statements {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, d.writer.Close())...)
}
