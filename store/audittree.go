// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tocsin/event"
	"tocsin/proof"
)

// AuditTree is the Merkle tree over the audit log. Several processes may add to it at once; an entry that has entered it is changed by
// nobody.
type AuditTree interface {
	// Seal has up to n entries enter the tree, those with the lowest ids first, and returns how many: of those that are not in it, all whose
	// outcome is written, and those that stay started for after. What became of these is not written any more.
	Seal(ctx context.Context, n int, after time.Duration) (int, error)
	// TreeSize returns how many have entered.
	TreeSize(ctx context.Context) (int64, error)
	// TreeHashes returns hashes by their [tlog.StoredHashIndex]; one that is not there is an error.
	TreeHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
	// Leaves returns up to n entries from a place in the tree on, in their order.
	Leaves(ctx context.Context, from int64, n int) ([]Leaf, error)
	// LeavesOf returns up to n entries of a tree of a size about an incident, and whether there are more.
	LeavesOf(ctx context.Context, incident string, size int64, n int) ([]Leaf, bool, error)

	// Checkpoint returns the newest that a key has signed, and when it was kept; "" if there is none.
	Checkpoint(ctx context.Context, key string) (note string, at int64, err error)
	// KeepCheckpoint keeps one of a tree of a size, unless there is one of a larger tree.
	KeepCheckpoint(ctx context.Context, key string, size int64, note string) error
}

// Leaf is an entry with its place in the tree.
type Leaf struct {
	Place int64
	Entry
}

// Proof returns the entry as the tree has it.
func (e Entry) Proof() proof.Entry {
	return proof.Entry{
		ID: e.ID, At: event.Stamp(e.At), Finished: event.Stamp(e.Finished), Actor: e.Actor, Via: e.Via, Operation: e.Operation,
		Object: e.Object, Remote: e.Remote, Request: e.Request, Outcome: e.Outcome, Status: e.Status,
	}
}

// Placed returns it with its place.
func (l Leaf) Placed() proof.Placed { return proof.Placed{Place: l.Place, Entry: l.Proof()} }
