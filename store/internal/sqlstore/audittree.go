// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tocsin/store"
)

const (
	unsealed = "SELECT " + auditColumns + ` FROM audit WHERE leaf IS NULL AND (outcome <> 'started' OR at < {now} - ?)
ORDER BY id LIMIT ? {lock}`
	addHashes   = "INSERT INTO audit_hashes (at, hash) {rows}"
	addLeaves   = "WITH v(id, leaf) AS ({rows}) UPDATE audit SET leaf = v.leaf FROM v WHERE audit.id = v.id"
	leafColumns = "leaf, " + auditColumns
	// ofIncident is where an incident is, and with the id as long as the head of an object that the index has.
	ofIncident = "/api/v1/incidents/"
)

// Seal has entries enter the tree. Who locks the row of the tree is alone with it; who locks an entry reads what is written of it
// for good, and an entry that another has committed late is found as one that has no place.
func (c *Core) Seal(ctx context.Context, n int, after time.Duration) (int, error) {
	entered := 0
	err := c.db.Tx(ctx, func(q Writer) error {
		size, err := number(ctx, q, "SELECT size FROM audit_tree WHERE id = 1 {lock}")
		if err != nil {
			return err
		}
		var entries []store.Entry
		err = q.Query(ctx, unsealed, []any{int64(after), int64(n)}, func(scan Scan) error {
			_, e, err := scanEntry(scan)
			entries = append(entries, e)
			return err
		})
		if err != nil || len(entries) == 0 {
			return err
		}
		hashes, leaves, err := grown(hashReader{ctx: ctx, q: q, known: make(map[int64]tlog.Hash)}, size, entries)
		if err != nil {
			return err
		}
		if err := q.Do(ctx, Step{addHashes, []Column{{"at", Int}, {"hash", Bytes}}, hashes}); err != nil {
			return err
		}
		if err := q.Do(ctx, Step{addLeaves, []Column{{"id", Int}, {"leaf", Int}}, leaves}); err != nil {
			return err
		}
		entered = len(entries)
		return q.Query(ctx, "UPDATE audit_tree SET size = ? WHERE id = 1", []any{size + int64(entered)}, nil)
	})
	if err != nil {
		return 0, fmt.Errorf("store: tree of the audit log: %w", err)
	}
	return entered, nil
}

// grown returns what a tree of a size has more when entries enter it: hashes by their index, and the ids of the entries with their places.
func grown(tree hashReader, size int64, entries []store.Entry) (hashes, leaves [][]any, err error) {
	for i, e := range entries {
		place := size + int64(i)
		more, err := tlog.StoredHashesForRecordHash(place, e.Proof().Hash(), tree)
		if err != nil {
			return nil, nil, err
		}
		for j, h := range more {
			at := tlog.StoredHashIndex(0, place) + int64(j)
			tree.known[at] = h
			hashes = append(hashes, []any{at, h[:]})
		}
		leaves = append(leaves, []any{e.ID, place})
	}
	return hashes, leaves, nil
}

// TreeSize returns how many entries are in the tree.
func (c *Core) TreeSize(ctx context.Context) (int64, error) {
	n, err := number(ctx, c.db, "SELECT size FROM audit_tree WHERE id = 1")
	if err != nil {
		return 0, fmt.Errorf("store: tree of the audit log: %w", err)
	}
	return n, nil
}

// TreeHashes returns hashes of the tree.
func (c *Core) TreeHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	out, err := hashReader{ctx: ctx, q: c.db}.ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("store: tree of the audit log: %w", err)
	}
	return out, nil
}

// hashReader reads stored hashes; known has those that are not written yet.
type hashReader struct {
	ctx   context.Context //nolint:containedctx // it is that of one call, and tlog passes none
	q     Querier
	known map[int64]tlog.Hash
}

// ReadHashes implements [tlog.HashReader].
func (r hashReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	const most = 500 // arguments of a statement
	found := make(map[int64]tlog.Hash, len(indexes))
	var missing []int64
	for _, at := range indexes {
		if h, ok := r.known[at]; ok {
			found[at] = h
		} else {
			missing = append(missing, at)
		}
	}
	for part := range slices.Chunk(missing, most) {
		err := r.q.Query(r.ctx, "SELECT at, hash FROM audit_hashes WHERE at IN ("+in(len(part))+")", anys(part), func(scan Scan) error {
			var at int64
			var b []byte
			if err := scan(&at, &b); err != nil {
				return err
			}
			if len(b) != tlog.HashSize {
				return fmt.Errorf("the hash %d has %d bytes", at, len(b))
			}
			found[at] = tlog.Hash(b)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		h, ok := found[at]
		if !ok {
			return nil, fmt.Errorf("there is no hash %d", at)
		}
		out[i] = h
	}
	return out, nil
}

// Leaves returns entries by their place in the tree.
func (c *Core) Leaves(ctx context.Context, from int64, n int) ([]store.Leaf, error) {
	return c.leaves(ctx, "leaf >= ? ORDER BY leaf LIMIT ?", from, int64(n))
}

// LeavesOf returns those about an incident.
func (c *Core) LeavesOf(ctx context.Context, incident string, size int64, n int) ([]store.Leaf, bool, error) {
	out, err := c.leaves(ctx, "substr(object, 1, 50) = ? AND leaf < ? ORDER BY leaf LIMIT ?", ofIncident+clean(incident), size, int64(n+1))
	if len(out) > n {
		return out[:n], true, err
	}
	return out, false, err
}

func (c *Core) leaves(ctx context.Context, which string, args ...any) ([]store.Leaf, error) {
	var out []store.Leaf
	err := c.db.Query(ctx, "SELECT "+leafColumns+" FROM audit WHERE "+which, args, func(scan Scan) error {
		var l store.Leaf
		_, e, err := scanEntry(func(dest ...any) error { return scan(append([]any{&l.Place}, dest...)...) })
		l.Entry = e
		out = append(out, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: tree of the audit log: %w", err)
	}
	return out, nil
}

// Checkpoint returns the newest that a key has signed.
func (c *Core) Checkpoint(ctx context.Context, key string) (note string, at int64, err error) {
	err = c.db.Query(ctx, "SELECT note, at FROM audit_checkpoints WHERE key = ?", []any{key}, func(scan Scan) error { return scan(&note, &at) })
	if err != nil {
		return "", 0, fmt.Errorf("store: checkpoint of the audit log: %w", err)
	}
	return note, at, nil
}

// KeepCheckpoint keeps one. That of the same size is signed anew: its time says that the log was looked at.
func (c *Core) KeepCheckpoint(ctx context.Context, key string, size int64, note string) error {
	return c.exec(ctx, "checkpoint of the audit log", `INSERT INTO audit_checkpoints (key, size, note, at) VALUES (?, ?, ?, {now})
ON CONFLICT (key) DO UPDATE SET size = excluded.size, note = excluded.note, at = excluded.at WHERE audit_checkpoints.size <= excluded.size`, key, size, note)
}
