// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tocsin/store"
	"tocsin/store/internal/sqlstore"
)

// errRefused says that the fence changed no row.
var errRefused = errors.New("refused")

// Commit writes all of c, or nothing.
func (s *Store) Commit(ctx context.Context, c store.Commit) error {
	plan, err := sqlstore.NewPlan(c)
	if err != nil {
		return err
	}
	d := dialect()
	fence, err := s.db.statement(ctx, d.SQL(plan.Fence))
	if err != nil {
		return fmt.Errorf("store: commit partition %d: %w", c.Partition, err)
	}
	steps := make([]*sql.Stmt, len(plan.Steps))
	for i, step := range plan.Steps {
		if steps[i], err = s.db.statement(ctx, d.SQL(step.SQL, step.Columns...)); err != nil {
			return fmt.Errorf("store: commit partition %d: %w", c.Partition, err)
		}
	}
	err = s.db.write(ctx, false, func(tx *sql.Tx) error {
		var one int64
		err := tx.StmtContext(ctx, fence).QueryRowContext(ctx, plan.FenceArgs...).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return errRefused
		}
		if err != nil {
			return err
		}
		for i, step := range plan.Steps {
			if err := execEach(ctx, tx.StmtContext(ctx, steps[i]), step.Rows); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errRefused) {
		return s.WhyRefused(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("store: commit partition %d: %w", c.Partition, err)
	}
	return nil
}
