// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
)

// newest is a list by a column that grows with each row: the newest first, in pages whose cursors no new row disturbs.
type newest[T any] struct {
	// name is the list's in errors and cursors, by what selects its rows: a cursor of another selection is refused.
	name string
	by   any
	// table has the columns, of which grows is the one that the list goes by.
	table, columns, grows string
	where                 where
	// scan reads a row, and returns what it goes by.
	scan func(Scan) (at int64, row T, err error)
}

// page returns up to limit rows after a cursor, and the cursor of what follows, "" at the end.
func (l newest[T]) page(ctx context.Context, q Querier, limit int, at string) ([]T, string, error) {
	limit = pageSize(limit)
	hash, err := listHash(l.name, l.by)
	if err != nil {
		return nil, "", err
	}
	after, err := decodeCursor(at, hash, 0)
	if err != nil {
		return nil, "", err
	}
	if after != nil {
		l.where.and(l.grows+" < ?", after.at)
	}
	out, next, last := []T{}, "", int64(0)
	query := "SELECT " + l.columns + " FROM " + l.table + l.where.String() + " ORDER BY " + l.grows + " DESC LIMIT ?"
	err = q.Query(ctx, query, append(l.where.args, int64(limit+1)), func(scan Scan) error {
		at, row, err := l.scan(scan)
		if err == nil && len(out) == limit {
			next = encodeCursor(cursor{at: last}, hash)
			return nil
		}
		out, last = append(out, row), at
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("store: list of %s: %w", l.name, err)
	}
	return out, next, nil
}
