// SPDX-License-Identifier: Apache-2.0

// Package store keeps what must last: incidents with their detections and
// evidence, the partitions' offsets, epochs and snapshots, and the outbox of alerts.
//
// [Store] is one contract with two implementations, store/postgres and store/sqlite, that
// pass the same suite (store/storetest); store/open picks one by URL. What it promises:
//
//   - [Store.Commit] is one transaction under the partition's epoch. An owner that was
//     replaced gets [ErrFenced] and nothing of its commit is there.
//   - Values are absolute and guarded by the incident's revision: the same commit twice is the commit once.
//   - What people wrote (status, assignee) no commit touches.
//   - Leases, heartbeats and the outbox go by the store's own clock.
//
// It decides nothing about incidents and it owns no goroutine beyond its connection pool.
// A snapshot whose checksum is wrong is [ErrCorrupt], an unknown incident
// [incident.ErrNotFound], a cursor of another list [incident.ErrBadCursor]; every other error is the
// database's, wrapped, and the caller may try again.
package store
