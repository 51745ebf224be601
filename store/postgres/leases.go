// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"tocsin/store"
	"tocsin/store/internal/sqlstore"
)

// leaseConns is enough for one loop that renews, and owners that give back.
const leaseConns = 2

// leases has connections of its own.
type leases struct {
	core *sqlstore.Core
	pool *pgxpool.Pool
}

// Acquire implements [store.Partitions].
func (s *Store) Acquire(ctx context.Context, owner string, ttl time.Duration, want, total int) ([]store.Lease, error) {
	return s.leases.core.Acquire(ctx, owner, ttl, want, total)
}

// Renew implements [store.Partitions].
func (s *Store) Renew(ctx context.Context, owner string, ttl time.Duration, held []store.Lease) ([]int, error) {
	return s.leases.core.Renew(ctx, owner, ttl, held)
}

// Attend implements [store.Partitions].
func (s *Store) Attend(ctx context.Context, owner string, ttl time.Duration) error {
	return s.leases.core.Attend(ctx, owner, ttl)
}

// Share implements [store.Partitions].
func (s *Store) Share(ctx context.Context, total int) (int, error) {
	return s.leases.core.Share(ctx, total)
}

// Release implements [store.Partitions].
func (s *Store) Release(ctx context.Context, partition int, epoch int64) error {
	return s.leases.core.Release(ctx, partition, epoch)
}

// Leave implements [store.Partitions].
func (s *Store) Leave(ctx context.Context, owner string) error {
	return s.leases.core.Leave(ctx, owner)
}
