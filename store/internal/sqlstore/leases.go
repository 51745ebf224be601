// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"tocsin/store"
)

const (
	leaseColumns = "id, epoch, stream, applied, snapshot_seq, snapshot_format, clock, CASE WHEN before_of = snapshot_seq THEN before_seq ELSE 0 END"

	heartbeat = `INSERT INTO members (owner, alive_until, correlates, reads) VALUES (?, {now} + ?, TRUE, ?)
ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until, correlates = TRUE, reads = excluded.reads`

	attend = `INSERT INTO members (owner, alive_until, correlates) VALUES (?, {now} + ?, FALSE)
ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until`

	// The dead are kept for an hour: two members that sweep each other's row at once would deadlock.
	sweepMembers = "DELETE FROM members WHERE alive_until < {now} - 3600000000000"

	acquire = `WITH free AS MATERIALIZED (
  SELECT o.id FROM partitions o WHERE o.id < ? AND o.lease_until <= {now} AND o.snapshot_format <= ? ORDER BY o.id LIMIT ? {skip}
)
UPDATE partitions SET owner = ?, epoch = epoch + 1, lease_until = {now} + ? WHERE id IN (SELECT id FROM free)
RETURNING ` + leaseColumns
)

// Acquire makes owner a live member and leases free partitions to it.
func (c *Core) Acquire(ctx context.Context, owner string, ttl time.Duration, want, total int) ([]store.Lease, error) {
	owner = clean(owner)
	var out []store.Lease
	err := c.db.Tx(ctx, func(q Writer) error {
		if err := q.Query(ctx, heartbeat, []any{owner, int64(ttl), reads}, nil); err != nil {
			return err
		}
		if err := q.Query(ctx, sweepMembers, nil, nil); err != nil {
			return err
		}
		if err := addPartitions(ctx, q, total); err != nil {
			return err
		}
		share, err := shareOf(ctx, q, total)
		if err != nil {
			return err
		}
		if want > 0 {
			share = min(share, want)
		}
		mine, err := number(ctx, q, "SELECT count(*) FROM partitions WHERE owner = ? AND lease_until > {now}", owner)
		if err != nil || int(mine) >= share {
			return err
		}
		return q.Query(ctx, acquire, []any{int64(total), reads, int64(share) - mine, owner, int64(ttl)}, func(scan Scan) error {
			l, err := scanLease(scan)
			out = append(out, l)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: acquire partitions: %w", err)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Partition < out[j].Partition })
	return out, nil
}

// addPartitions makes sure that there is a row for each partition.
func addPartitions(ctx context.Context, q Querier, total int) error {
	have, err := number(ctx, q, "SELECT count(*) FROM partitions WHERE id < ?", int64(total))
	if err != nil || int(have) == total {
		return err
	}
	for id := range total {
		if err := q.Query(ctx, "INSERT INTO partitions (id) VALUES (?) ON CONFLICT (id) DO NOTHING", []any{int64(id)}, nil); err != nil {
			return err
		}
	}
	return nil
}

func number(ctx context.Context, q Querier, query string, args ...any) (n int64, err error) {
	err = q.Query(ctx, query, args, func(scan Scan) error { return scan(&n) })
	return n, err
}

func scanLease(scan Scan, more ...any) (store.Lease, error) {
	var l store.Lease
	var id, applied, snapshot, format, before int64
	err := scan(append([]any{&id, &l.Epoch, &l.Stream, &applied, &snapshot, &format, &l.Clock, &before}, more...)...)
	l.Partition, l.Applied, l.Snapshot, l.Format, l.Before = int(id), uint64(applied), uint64(snapshot), int(format), uint64(before)
	return l, err
}

// Renew keeps owner alive and its leases, and returns the partitions of held that are not its own any more. A commit has the row
// of its partition for as long as it takes: that one is left to it.
func (c *Core) Renew(ctx context.Context, owner string, ttl time.Duration, held []store.Lease) ([]int, error) {
	owner = clean(owner)
	kept := make(map[int64]bool, len(held))
	err := c.db.Tx(ctx, func(q Writer) error {
		if err := q.Query(ctx, heartbeat, []any{owner, int64(ttl), reads}, nil); err != nil {
			return err
		}
		if len(held) == 0 {
			return nil
		}
		mine := []any{owner}
		for _, l := range held {
			mine = append(mine, int64(l.Partition), l.Epoch)
		}
		where := "o.owner = ? AND (" + strings.TrimSuffix(strings.Repeat("o.id = ? AND o.epoch = ? OR ", len(held)), " OR ") + ")"
		err := q.Query(ctx, "SELECT o.id FROM partitions o WHERE "+where, mine, func(scan Scan) error {
			var id int64
			err := scan(&id)
			kept[id] = true
			return err
		})
		if err != nil {
			return err
		}
		return q.Query(ctx, "WITH mine AS MATERIALIZED (SELECT o.id FROM partitions o WHERE "+where+" ORDER BY o.id {skip})\n"+
			"UPDATE partitions SET lease_until = {now} + ? WHERE id IN (SELECT id FROM mine)", append(mine, int64(ttl)), nil)
	})
	if err != nil {
		return nil, fmt.Errorf("store: renew leases: %w", err)
	}
	var lost []int
	for _, l := range held {
		if !kept[int64(l.Partition)] {
			lost = append(lost, l.Partition)
		}
	}
	return lost, nil
}

// Attend keeps owner a live member, without a share of the partitions unless it has one.
func (c *Core) Attend(ctx context.Context, owner string, ttl time.Duration) error {
	return c.exec(ctx, "keep a membership", attend, clean(owner), int64(ttl))
}

// Release gives a partition back, if epoch still holds it.
func (c *Core) Release(ctx context.Context, partition int, epoch int64) error {
	return c.exec(ctx, "release a partition", free+" WHERE id = ? AND epoch = ?", int64(partition), epoch)
}

const free = "UPDATE partitions SET owner = '', lease_until = 0"

// Leave gives back all that owner holds and ends its membership.
func (c *Core) Leave(ctx context.Context, owner string) error {
	if err := c.exec(ctx, "release partitions", free+" WHERE owner = ?", clean(owner)); err != nil {
		return err
	}
	return c.exec(ctx, "end a membership", "DELETE FROM members WHERE owner = ?", clean(owner))
}

// ClearLeases frees all partitions and alerts and forgets all members.
func (c *Core) ClearLeases(ctx context.Context) error {
	if err := c.exec(ctx, "clear leases", free); err != nil {
		return err
	}
	if err := c.exec(ctx, "clear claims", "UPDATE outbox SET lease_owner = '', lease_until = 0 WHERE state = 'pending'"); err != nil {
		return err
	}
	return c.exec(ctx, "clear members", "DELETE FROM members")
}

// exec runs one statement that writes.
func (c *Core) exec(ctx context.Context, what, query string, args ...any) error {
	err := c.db.Tx(ctx, func(q Writer) error { return q.Query(ctx, query, args, nil) })
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

// States returns where each partition stands, by partition.
func (c *Core) States(ctx context.Context) ([]store.PartitionState, error) {
	var out []store.PartitionState
	err := c.db.Query(ctx, "SELECT "+leaseColumns+", CASE WHEN lease_until > {now} THEN owner ELSE '' END FROM partitions ORDER BY id", nil,
		func(scan Scan) error {
			var s store.PartitionState
			var err error
			s.Lease, err = scanLease(scan, &s.Owner)
			out = append(out, s)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("store: read partitions: %w", err)
	}
	return out, nil
}

// WhyRefused returns the error of a commit whose fence changed no row.
func (c *Core) WhyRefused(ctx context.Context, x store.Commit) error {
	var epoch int64
	err := c.db.Query(ctx, "SELECT epoch FROM partitions WHERE id = ?", []any{int64(x.Partition)},
		func(scan Scan) error { return scan(&epoch) })
	if err == nil && epoch == x.Epoch {
		return fmt.Errorf("partition %d up to %d: %w", x.Partition, x.Applied, store.ErrBehind)
	}
	// Refused it was, whatever the reason could be read or not.
	return fmt.Errorf("partition %d, epoch %d: %w", x.Partition, x.Epoch, store.ErrFenced)
}
