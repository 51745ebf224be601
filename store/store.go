// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	"tocsin/correlate"
	"tocsin/incident"
)

var (
	// ErrFenced says that the partition has another owner by now. The caller must stop and
	// forget its state; nothing was written.
	ErrFenced = errors.New("store: the partition has another owner")
	// ErrBehind says that a commit accounts for less of the stream than the store
	// already does: a fault of the caller, not a race. Nothing was written.
	ErrBehind = errors.New("store: the commit is behind what was applied")
	// ErrUnwritable says that a commit cannot be written, however often it is tried: it has what no store can hold. Nothing
	// was written.
	ErrUnwritable = errors.New("store: the commit cannot be written")
	// ErrCorrupt says that a stored snapshot is not what was written.
	ErrCorrupt = errors.New("store: the snapshot is damaged")
	// ErrUnavailable says that the database does not answer now and may again.
	ErrUnavailable = errors.New("store: not available")
	// ErrNewer says that a newer version of the program has migrated the database.
	ErrNewer = errors.New("store: the database belongs to a newer version")
)

// Store is what must last. All methods are safe for concurrent use.
type Store interface {
	// Migrate brings the tables up to this version; several processes may do it at once.
	Migrate(ctx context.Context) error
	// Version returns the version of the tables and the one that this binary wants.
	Version(ctx context.Context) (have, want int64, err error)
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close lets go of the connections.
	Close() error

	Partitions
	Incidents
	Outbox
}

// Partitions are the leases, commits and snapshots of partition owners.
type Partitions interface {
	// Acquire makes owner a live member for ttl and leases free partitions to it: at most want
	// in all (0: no limit of its own) and never above its fair share of the total. It returns
	// the new leases, each with an epoch that fences whoever held it before.
	Acquire(ctx context.Context, owner string, ttl time.Duration, want, total int) ([]Lease, error)
	// Renew keeps owner alive and its leases for another ttl. It returns the partitions of held that
	// are not its own any more.
	Renew(ctx context.Context, owner string, ttl time.Duration, held []Lease) (lost []int, err error)
	// Attend makes owner a live member for ttl that takes no partitions and counts in nobody's share: one that only claims
	// alerts. Of an owner that takes partitions it changes nothing else.
	Attend(ctx context.Context, owner string, ttl time.Duration) error
	// Share returns how many of total partitions each live member that takes some should hold; who has more releases some.
	Share(ctx context.Context, total int) (int, error)
	// Release gives a partition back, if epoch still holds it.
	Release(ctx context.Context, partition int, epoch int64) error
	// Leave gives back all that owner holds and ends its membership.
	Leave(ctx context.Context, owner string) error
	// ClearLeases frees all partitions. It is for a process that knows to be the only one, since it
	// holds the lock on the data directory: it need not wait for its predecessor's leases to run out.
	ClearLeases(ctx context.Context) error

	// Commit writes all of c, or nothing.
	Commit(ctx context.Context, c Commit) error
	// Cells passes the cells of the partition's snapshot to fn: that of the empty id first, the others in no particular
	// order.
	Cells(ctx context.Context, partition int, fn func(correlate.Cell) error) error
	// States returns where each partition stands.
	States(ctx context.Context) ([]PartitionState, error)
}

// Incidents is the read side, and what people write.
type Incidents interface {
	// Incidents returns a page of the incidents that f selects, newest activity first, each with its
	// first 20 detections, and the cursor of the next page ("" at the end).
	Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error)
	// Incident returns one incident with its detections (at most 1000).
	Incident(ctx context.Context, id string) (incident.View, error)
	// Evidence returns a page of an incident's evidence, oldest first.
	Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error)
	// Place returns where in the log an incident lives: what a closing must name.
	Place(ctx context.Context, id string) (Place, error)
	// SetWork writes what people say about an incident (I4).
	SetWork(ctx context.Context, id string, w Work) error
	// RuleStats returns the public numbers of each rule, summed over partitions, by rule.
	RuleStats(ctx context.Context) ([]correlate.Stats, error)
	// Rollup counts the incidents that are neither merged nor retracted.
	Rollup(ctx context.Context) ([]Count, error)
}

// Outbox hands alerts to senders, at least once each. Alerts about one incident to one receiver go
// one after the other, in the order of their commits.
type Outbox interface {
	// ClaimOutbox leases up to n due alerts to owner; each claim counts as an attempt. What another holds who is no
	// live member (any more) is free, too. Receivers that are named as in order get one alert at a time, the oldest,
	// and the next when that one is sent or dead.
	ClaimOutbox(ctx context.Context, owner string, n int, lease time.Duration, inOrder ...string) ([]OutboxRow, error)
	// OutboxSent says that the alert was delivered.
	OutboxSent(ctx context.Context, id int64) error
	// OutboxRetry puts the alert back for later, unless it was claimed again since this attempt.
	OutboxRetry(ctx context.Context, id int64, attempt int, after time.Duration, errText string) error
	// OutboxDead gives the alert up, unless it was claimed again since this attempt.
	OutboxDead(ctx context.Context, id int64, attempt int, errText string) error
	// OutboxRevive makes a dead alert pending again, as if it were new.
	OutboxRevive(ctx context.Context, id int64) error
	OutboxStats(ctx context.Context) (OutboxStats, error)
	// ListOutbox returns a page of alerts, newest first.
	ListOutbox(ctx context.Context, f OutboxFilter) ([]OutboxRow, string, error)
}
