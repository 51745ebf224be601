// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/correlate"
)

// reads is the newest format of snapshots that this version reads.
const reads = int64(correlate.SnapshotFormat)

// Share returns how many of total partitions each live member that correlates should hold.
func (c *Core) Share(ctx context.Context, total int) (int, error) {
	n, err := shareOf(ctx, c.db, total)
	if err != nil {
		return 0, fmt.Errorf("store: count members: %w", err)
	}
	return n, nil
}

// shareOf returns a fair share of all partitions, or, where that is more, of those whose snapshots are of a format that not all
// members read: nobody else can have them.
func shareOf(ctx context.Context, q Querier, total int) (int, error) {
	members, err := counts(ctx, q, "SELECT reads, count(*) FROM members WHERE correlates AND alive_until > {now} GROUP BY reads")
	if err != nil {
		return 0, err
	}
	formats, err := counts(ctx, q, "SELECT snapshot_format, count(*) FROM partitions WHERE id < ? GROUP BY snapshot_format", int64(total))
	if err != nil {
		return 0, err
	}
	share := fair(int64(total), from(members, 0))
	for f := range formats {
		if f <= reads {
			share = max(share, fair(from(formats, f), from(members, f)))
		}
	}
	return int(share), nil
}

// fair is how many each of so many members has of n, rounded up.
func fair(n, members int64) int64 {
	members = max(members, 1)
	return (n + members - 1) / members
}

// from sums what there is of a format and of newer ones.
func from(counts map[int64]int64, format int64) (sum int64) {
	for f, n := range counts {
		if f >= format {
			sum += n
		}
	}
	return sum
}

func counts(ctx context.Context, q Querier, query string, args ...any) (map[int64]int64, error) {
	out := make(map[int64]int64)
	err := q.Query(ctx, query, args, func(scan Scan) error {
		var format, n int64
		err := scan(&format, &n)
		out[format] = n
		return err
	})
	return out, err
}
