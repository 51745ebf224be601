// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tocsin/store/internal/sqlstore"
)

// head is the oldest transaction that is under way.
const head = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

// dialect is how PostgreSQL says what the shared statements leave open.
func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Now:       "CAST(extract(epoch FROM clock_timestamp()) * 1000000000 AS BIGINT)",
		Skip:      "FOR UPDATE OF o SKIP LOCKED",
		Lock:      "FOR UPDATE",
		Head:      head,
		Newest:    head,
		Delivered: head,
		Numbered:  true,
		Rows:      unnest,
	}
}

// unnest is the table of a step's rows: one array for each column.
func unnest(columns []sqlstore.Column) string {
	arrays := make([]string, len(columns))
	for i, c := range columns {
		arrays[i] = "?::" + [...]string{sqlstore.Bytes: "bytea", sqlstore.Text: "text", sqlstore.Int: "bigint", sqlstore.Bool: "boolean"}[c.Type] + "[]"
	}
	return "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")"
}

// conn is a pool or a transaction.
type conn interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

type querier struct {
	conn conn
	// fresh has each statement planned for its arguments. One that is prepared gets a plan for any arguments after five times, and of
	// what people look for there may be half of everything, or nothing.
	fresh bool
}

// Query implements [sqlstore.Querier].
func (q querier) Query(ctx context.Context, query string, args []any, row func(sqlstore.Scan) error) error {
	if q.fresh {
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	rows, err := q.conn.Query(ctx, dialect().SQL(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
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

// Do implements [sqlstore.Writer].
func (q querier) Do(ctx context.Context, step sqlstore.Step) error {
	rows, err := q.conn.Query(ctx, dialect().SQL(step.SQL, step.Columns...), arrays(step)...)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

type db struct{ pool *pgxpool.Pool }

// Query implements [sqlstore.DB].
func (d db) Query(ctx context.Context, query string, args []any, row func(sqlstore.Scan) error) error {
	return d.away(querier{conn: d.pool}.Query(ctx, query, args, row))
}

// View implements [sqlstore.DB].
func (d db) View(ctx context.Context, fn func(sqlstore.Querier) error) error {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return d.away(pgx.BeginTxFunc(ctx, d.pool, opts, func(tx pgx.Tx) error { return fn(querier{tx, true}) }))
}

// planned begins to read by plans that are made once for any arguments: to plan a list's statements takes longer than to run them. A plan
// is kept while tables grow, so it goes by indexes from the first.
const planned = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = force_generic_plan; " +
	"SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0"

// Planned implements [sqlstore.DB].
func (d db) Planned(ctx context.Context, fn func(sqlstore.Querier) error) error {
	return d.away(pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{BeginQuery: planned}, func(tx pgx.Tx) error { return fn(querier{conn: tx}) }))
}

// Tx implements [sqlstore.DB].
func (d db) Tx(ctx context.Context, fn func(sqlstore.Writer) error) error {
	return d.away(pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return fn(querier{conn: tx}) }))
}

// away is [away] of an error; connections to a server that takes no writes any more are given up.
func (d db) away(err error) error {
	if demoted(err) {
		d.pool.Reset()
	}
	return away(err)
}
