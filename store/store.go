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
	// ErrUndone says that a transaction was undone for another's sake and can be tried again: nothing was written.
	ErrUndone = errors.New("store: undone for another's sake")
	// ErrStale says that somebody changed it since it was read.
	ErrStale = errors.New("store: it was changed meanwhile")
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
	Access
	AuditTree
}

// Partitions are the leases, commits and snapshots of partition owners.
type Partitions interface {
	// Acquire makes owner a live member for ttl and leases free partitions to it: at most want
	// in all (0: no limit of its own) and never above its fair share of the total. It returns
	// the new leases, each with an epoch that fences whoever held it before. A partition whose snapshot is of a newer format
	// than this version reads is left to a member that reads it.
	Acquire(ctx context.Context, owner string, ttl time.Duration, want, total int) ([]Lease, error)
	// Renew keeps owner alive and its leases for another ttl. It returns the partitions of held that
	// are not its own any more. It does not wait for a commit: nobody can take what is being committed.
	Renew(ctx context.Context, owner string, ttl time.Duration, held []Lease) (lost []int, err error)
	// Attend makes owner a live member for ttl that takes no partitions and counts in nobody's share: one that only claims
	// alerts. Of an owner that takes partitions it changes nothing else.
	Attend(ctx context.Context, owner string, ttl time.Duration) error
	// Share returns how many of total partitions each live member that takes some should hold; who has more releases some.
	// Those whose snapshots only some members can read are shared by these.
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
	// Cells passes the cells of the partition's snapshot of a sequence to fn, which is the lease's Snapshot or its Before:
	// that of the empty id first, the others in no particular order. ErrCorrupt says that one is damaged.
	Cells(ctx context.Context, partition int, seq uint64, fn func(correlate.Cell) error) error
	// States returns where each partition stands.
	States(ctx context.Context) ([]PartitionState, error)
}

// Incidents is the read side, and what people write.
type Incidents interface {
	// Incidents returns a page of the incidents that f selects, newest activity first, each with its
	// first 20 detections, and the cursor of the next page ("" at the end).
	Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error)
	// OpenIncidents returns up to n incidents that are open and not in shadow, newest activity first and without their detections.
	OpenIncidents(ctx context.Context, n int) ([]incident.View, error)
	// Incident returns one incident with its detections (at most 1000).
	Incident(ctx context.Context, id string) (incident.View, error)
	// Evidence returns a page of an incident's evidence, oldest first.
	Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error)
	// Timeline returns a page of what happened in an incident, oldest first.
	Timeline(ctx context.Context, id string, f incident.TimelineFilter) ([]incident.Moment, string, error)
	// Changed returns incidents that were written after a mark, in the order of their last change, at most limit: each once,
	// however often it was written. None is left out, whatever order writers commit in. The error is
	// [incident.ErrBadCursor] of what is no mark, and [incident.ErrUnknownMark] of one that no change has had.
	Changed(ctx context.Context, after string, limit int) ([]incident.Changed, error)
	// LastChange returns the mark of the last change.
	LastChange(ctx context.Context) (string, error)
	// ChangedDetections is what Changed is, of detections.
	ChangedDetections(ctx context.Context, after string, limit int) ([]incident.ChangedDetection, error)
	// LastDetection returns the mark of the last change of a detection.
	LastDetection(ctx context.Context) (string, error)
	// Place returns where in the log an incident lives: what a closing must name.
	Place(ctx context.Context, id string) (Place, error)
	// LeftOpen returns some open incidents that people merged into closed ones.
	LeftOpen(ctx context.Context) ([]LeftOpen, error)

	// SetWork writes what somebody does with an incident, and the acts of it, in one transaction (I4). The errors are
	// [incident.ErrChanged], [incident.ErrFinal], [incident.ErrKeyTaken] and [incident.MergedError]; nothing was written then.
	SetWork(ctx context.Context, id string, w incident.Work) (incident.Done, error)
	// Merge shows an incident with another from now on, and Unmerge by itself again, whatever the engine does with either (I4). What
	// would be hidden is given back: see [incident.JoinError].
	Merge(ctx context.Context, id, into, by string) (incident.Done, error)
	Unmerge(ctx context.Context, id, by string) (incident.Done, error)
	// Related returns incidents of other rules about the entities of one, newest activity first and without their detections.
	Related(ctx context.Context, id string, scope incident.Scope, limit int) ([]incident.Related, error)
	// Sightings returns the newest incidents about an entity, and whether there are others.
	Sightings(ctx context.Context, kind, name string, scope incident.Scope) ([]incident.Sighting, bool, error)
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
	// OutboxPutOff does the same with an alert that was not tried: no delivery is told of.
	OutboxPutOff(ctx context.Context, id int64, attempt int, after time.Duration, why string) error
	// OutboxDead gives the alert up, unless it was claimed again since this attempt.
	OutboxDead(ctx context.Context, id int64, attempt int, errText string) error
	// OutboxRevive makes a dead alert pending again, as if it were new.
	OutboxRevive(ctx context.Context, id int64) error
	// OutboxReviveAll does so with all that died since then (Unix nanoseconds), of one receiver or of all (""), and returns how many.
	OutboxReviveAll(ctx context.Context, since int64, receiver string) (int64, error)
	OutboxStats(ctx context.Context) (OutboxStats, error)
	// OutboxReceivers returns how the alerts to each receiver stand, by name.
	OutboxReceivers(ctx context.Context) ([]ReceiverStats, error)

	// OutboxSilence keeps the alert from being told: for a while, after which it is pending again, or for good. Of an older
	// attempt it changes nothing.
	OutboxSilence(ctx context.Context, id int64, attempt int, by string, after time.Duration, forGood bool) error
	// OutboxWake makes those pending whose while is over, and those that were silenced by prefix and the id of an incident that is not
	// open any more.
	OutboxWake(ctx context.Context, prefix string) error
	// OutboxRewrite gives the alert another body and terms before it is told. One that was silenced is as young as a new one. It reports
	// false, and changes nothing, of an older attempt.
	OutboxRewrite(ctx context.Context, id int64, attempt int, body []byte, terms string) (bool, error)
	// OutboxHeard reports whether the receiver was told anything about the incident, and whether anything is or was kept from it.
	OutboxHeard(ctx context.Context, incident, receiver string) (heard, hushed bool, err error)
	// OutboxKeep says that the alert was delivered, and keeps what its receiver knows by that.
	OutboxKeep(ctx context.Context, id int64, t Told) error
	// ToldPlace returns the place that is kept of an incident and a receiver, "" if none is.
	ToldPlace(ctx context.Context, incident, receiver string) (string, error)
	// ToldAgain takes up to n of what a receiver has to be sent again by now. What it takes is due again after its Resend.
	ToldAgain(ctx context.Context, receiver string, n int) ([]Told, error)
	// Remind makes alerts of up to n open incidents that have to be told again by now (kind reminded), and of those that somebody
	// works on since some receivers were told (kind acknowledged). Their bodies are empty: who sends them writes them.
	Remind(ctx context.Context, n int, acknowledged ...string) error

	// AddSilence keeps a silence and returns it as it is then.
	AddSilence(ctx context.Context, s Silence) (Silence, error)
	Silence(ctx context.Context, id string) (Silence, error)
	// SetSilence replaces matchers, comment and times of a silence whose revision is s.Revision, else [ErrStale].
	SetSilence(ctx context.Context, s Silence) (Silence, error)
	// Silences returns a page, newest first; of those that are over only if all is set.
	Silences(ctx context.Context, all bool, limit int, cursor string) ([]Silence, string, error)
	// SilencedAlerts returns how many alerts each silence holds back now, by its id.
	SilencedAlerts(ctx context.Context) (map[string]int64, error)
	// ActiveSilences returns all that are in force.
	ActiveSilences(ctx context.Context) ([]Silence, error)
	// ListOutbox returns a page of alerts, newest first.
	ListOutbox(ctx context.Context, f OutboxFilter) ([]OutboxRow, string, error)
	// Deliveries returns what became of attempts after a mark, in the order in which that was written, at most limit. None is left out,
	// whatever order writers commit in; the errors are those of Changed. An alert that stays silenced by what silenced it is told of once.
	Deliveries(ctx context.Context, after string, limit int) ([]Delivery, error)
	// LastDelivery returns the mark of the last of them.
	LastDelivery(ctx context.Context) (string, error)
}
