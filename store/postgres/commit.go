// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/store"
	"tocsin/store/internal/sqlstore"
)

// divisionByZero is what the fence fails with when it changed no row.
const divisionByZero = "22012"

// Commit writes all of c, or nothing. A pipeline with one Sync is one transaction.
func (s *Store) Commit(ctx context.Context, c store.Commit) error {
	plan, err := sqlstore.NewPlan(c)
	if err != nil {
		return err
	}
	d := dialect()
	batch := &pgx.Batch{}
	batch.Queue("WITH fence AS ("+d.SQL(plan.Fence)+") SELECT 1 / count(*) FROM fence", plan.FenceArgs...)
	for _, step := range plan.Steps {
		batch.Queue(d.SQL(step.SQL, step.Columns...), arrays(step)...)
	}
	results := s.pool.SendBatch(ctx, batch)
	_, err = results.Exec()
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == divisionByZero {
		_ = results.Close() // it says the same again
		return s.WhyRefused(ctx, c)
	}
	for i := 0; err == nil && i < len(plan.Steps); i++ {
		_, err = results.Exec()
	}
	// Only the end of the pipeline says that the transaction was committed.
	if end := results.Close(); err == nil {
		err = end
	}
	if err != nil {
		return fmt.Errorf("store: commit partition %d: %w", c.Partition, away(err))
	}
	return nil
}

// arrays turns a step's rows into one array for each column.
func arrays(step sqlstore.Step) []any {
	out := make([]any, len(step.Columns))
	for i, c := range step.Columns {
		switch c.Type {
		case sqlstore.Bytes:
			out[i] = column[[]byte](step.Rows, i)
		case sqlstore.Text:
			out[i] = column[string](step.Rows, i)
		case sqlstore.Int:
			out[i] = column[int64](step.Rows, i)
		case sqlstore.Bool:
			out[i] = column[bool](step.Rows, i)
		}
	}
	return out
}

func column[T any](rows [][]any, i int) []T {
	out := make([]T, len(rows))
	for j, r := range rows {
		out[j] = r[i].(T)
	}
	return out
}
