// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/store"
	"tocsin/stream"
)

const (
	// A commit takes what waits, up to so many messages: when the store is slow, more of them.
	commitMessages = 200
	// A commit that takes longer is tried again.
	commitFor = 60 * time.Second
	// An offset without changes is written this often, a snapshot that often or
	// after so many messages: what a restart has to read again.
	offsetEvery      = 5 * time.Second
	snapshotEvery    = 10 * time.Second
	snapshotMessages = 20_000
)

// Points are the places where a test stops the process; all nil in production.
type Points struct {
	BeforeCommit, AfterCommit, InSnapshot func()
}

func reached(point func()) {
	if point != nil {
		point()
	}
}

// OwnerConfig is what the owner of partitions needs.
type OwnerConfig struct {
	Store   store.Partitions
	Streams ownerStreams
	Sets    *Sets
	Parser  Parser
	// Lateness is L.
	Lateness time.Duration
	// Alerts makes outbox items of incidents that changed; fresh are the ids of their detections that are new.
	Alerts  func(v incident.View, changed incident.Change, fresh []string) ([]store.OutboxItem, error)
	Metrics *CorrelateMetrics
	Log     *slog.Logger
	Points  Points
	// SnapshotEvery is the time between snapshots; 0 is 10 s.
	SnapshotEvery time.Duration
	// OffsetEvery is how often an offset without changes is written; 0 is 5 s. Other processes see by it how far
	// the partition is.
	OffsetEvery time.Duration
}

// owner runs one partition under one lease. It has the engine to itself.
type owner struct {
	OwnerConfig
	lease  store.Lease
	engine *correlate.Engine
	turns  turns

	applied   uint64 // committed
	stepped   uint64 // taken in
	saved     uint64 // in the last snapshot that can be read
	before    uint64 // in the one before it
	undo      bool   // the store has a later one, which cannot be read
	savedAt   time.Time
	writtenAt time.Time
	place     *Progress
	stats     map[string]correlate.Stats // not written yet
}

// errLost says that the lease is over: another owner has the partition, or will.
var errLost = errors.New("lease lost")

// guarded runs the partition. A panic is an error, which ends this owner: what its engine holds may be half changed, and is thrown away.
func (o *owner) guarded(ctx context.Context) (err error) {
	if bug := event.Guard(func() { err = o.run(ctx) }); bug != nil {
		return fmt.Errorf("partition %d, after message %d: %w", o.lease.Partition, o.stepped, bug)
	}
	return err
}

// run restores the partition's state and follows its log until ctx ends or the lease is lost.
func (o *owner) run(ctx context.Context) error {
	if err := o.restore(ctx); err != nil {
		return fmt.Errorf("restore partition %d: %w", o.lease.Partition, err)
	}
	reader, err := o.Streams.Partition(ctx, o.lease.Partition, o.stepped+1)
	if err != nil {
		return fmt.Errorf("read partition %d: %w", o.lease.Partition, err)
	}
	defer reader.Close()
	return o.follow(ctx, reader)
}

// follow takes messages in and commits what became of them.
func (o *owner) follow(ctx context.Context, reader stream.PartitionReader) error {
	for {
		msgs, err := o.next(ctx, reader)
		if err != nil {
			if ctx.Err() != nil {
				if o.behind() {
					return nil
				}
				// A graceful end leaves nothing to read again. The lease still holds.
				return o.commit(context.WithoutCancel(ctx), correlate.Changes{}, true)
			}
			return fmt.Errorf("partition %d: %w", o.lease.Partition, err)
		}
		for i := range msgs {
			if err := o.take(ctx, &msgs[i]); err != nil {
				return err
			}
		}
		var changes correlate.Changes
		o.turns.do(func() { changes = o.engine.Changes() })
		if o.behind() {
			continue
		}
		if o.stepped == o.lease.Applied {
			changes = correlate.Changes{} // read again after a restart: its outputs are committed
		}
		if err := o.commit(ctx, changes, false); err != nil {
			return err
		}
	}
}

// behind reports whether the store has more of the log than has been read again after a restart: there is nothing to commit.
func (o *owner) behind() bool { return o.stepped < o.lease.Applied }

// next returns what waits, nothing if it is time for a snapshot: a log that is full takes no more, not even a tick, until what
// nobody needs is trimmed from it, and snapshots say what that is.
func (o *owner) next(ctx context.Context, reader stream.PartitionReader) ([]stream.PartitionMsg, error) {
	if o.behind() || o.stepped <= o.before {
		return reader.Next(ctx, commitMessages)
	}
	until, cancel := context.WithDeadline(ctx, o.savedAt.Add(o.snapshotEvery()))
	defer cancel()
	msgs, err := reader.Next(until, commitMessages)
	if until.Err() != nil && ctx.Err() == nil && len(msgs) == 0 {
		return nil, nil
	}
	return msgs, err
}

// take steps the engine through one message.
func (o *owner) take(ctx context.Context, msg *stream.PartitionMsg) error {
	if o.stepped == o.lease.Applied {
		o.engine.Changes() // all up to here is committed
	}
	var entries []correlate.Entry
	var err error
	o.turns.do(func() { entries, err = correlate.DecodeEntries(msg.Data, msg.Time) })
	if err != nil {
		return fmt.Errorf("partition %d, message %d: %w", o.lease.Partition, msg.Seq, err)
	}
	for _, e := range entries {
		if err := o.know(ctx, e); err != nil { // of each when its turn comes: the one before may have let its Set go
			return err
		}
		if o.turns.do(func() { err = o.engine.Step(e) }); err != nil {
			return fmt.Errorf("partition %d, message %d: %w", o.lease.Partition, msg.Seq, err)
		}
	}
	o.stepped = msg.Seq
	o.Metrics.Stepped.Inc()
	return nil
}

// know gives the engine the Set that an entry names.
func (o *owner) know(ctx context.Context, e correlate.Entry) error {
	hash := ""
	switch {
	case e.Matches != nil:
		hash = e.Matches.Set
	case e.Tick != nil:
		hash = e.Tick.Set
	}
	if hash == "" || o.engine.Knows(hash) {
		return nil
	}
	set, err := o.Sets.Get(ctx, hash)
	if err != nil {
		return err
	}
	return o.engine.Use(set)
}

// commit writes what changed, the offset and, when it is time, a snapshot; all in one transaction. A
// store that is away is waited for: the log keeps what comes meanwhile.
func (o *owner) commit(ctx context.Context, changes correlate.Changes, last bool) error {
	now := time.Now()
	snapshot := o.snapshotDue(now, last)
	for _, s := range changes.Stats {
		o.stats[s.Rule] = s
	}
	if onlyNumbers(changes) && !snapshot && (now.Sub(o.writtenAt) < cmp.Or(o.OffsetEvery, offsetEvery) || o.stepped <= o.applied) {
		o.progress()
		return nil
	}
	changes.Stats = slices.Collect(maps.Values(o.stats))
	c := store.Commit{
		Partition: o.lease.Partition, Epoch: o.lease.Epoch, Stream: o.Streams.MatchesIdentity(),
		Applied: o.stepped, Clock: o.engine.Clock(), Changes: changes, Lease: leaseTTL,
	}
	var err error
	if c.Evidence, err = o.freeze(ctx, changes.Detections); err != nil {
		return err
	}
	if c.Outbox, err = o.outbox(changes); err != nil {
		return err
	}
	if snapshot {
		c.Snapshot = &store.Snapshot{Seq: o.stepped, Before: o.saved, Format: correlate.SnapshotFormat, Full: o.saved == 0, Undo: o.undo}
		o.turns.do(func() { c.Snapshot.Cells = o.engine.Snapshot() })
		reached(o.Points.InSnapshot)
	}
	reached(o.Points.BeforeCommit)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		start := time.Now()
		err := o.try(ctx, c)
		o.Metrics.Commits.WithLabelValues(outcome(err)).Observe(time.Since(start).Seconds())
		if err == nil {
			break
		}
		if errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrBehind) {
			return fmt.Errorf("partition %d: %w: %w", o.lease.Partition, errLost, err)
		}
		if errors.Is(err, store.ErrUnwritable) {
			return fmt.Errorf("commit partition %d, no later try can succeed: %w", o.lease.Partition, err)
		}
		if ctx.Err() == nil {
			o.Log.Error("commit waits for the store", "partition", o.lease.Partition, "err", err)
		}
		if last || !pause(ctx, wait) {
			return fmt.Errorf("commit partition %d: %w", o.lease.Partition, err)
		}
	}
	reached(o.Points.AfterCommit)
	o.applied, o.writtenAt = o.stepped, now
	if snapshot {
		o.saved, o.before, o.undo, o.savedAt = o.stepped, o.saved, false, now
	}
	o.Metrics.count(o.lease.Partition, changes.Stats)
	o.Metrics.times(changes.Incidents)
	clear(o.stats)
	o.progress()
	return nil
}

// snapshotDue reports whether a commit is to have a snapshot. Where nothing new comes there is one more, without news: after it the
// log is not needed for the one before either.
func (o *owner) snapshotDue(now time.Time, last bool) bool {
	due := now.Sub(o.savedAt) >= o.snapshotEvery()
	if o.stepped > o.saved {
		return last || due || o.stepped-o.saved >= snapshotMessages
	}
	return due && o.stepped > o.before
}

func (o *owner) snapshotEvery() time.Duration { return cmp.Or(o.SnapshotEvery, snapshotEvery) }

// try commits once, in bounded time: a connection can be half open, and nobody would ever answer. Done twice it is done once.
func (o *owner) try(ctx context.Context, c store.Commit) error {
	ctx, cancel := context.WithTimeout(ctx, commitFor)
	defer cancel()
	return o.Store.Commit(ctx, c)
}

func onlyNumbers(c correlate.Changes) bool {
	return len(c.Incidents) == 0 && len(c.Detections) == 0 && len(c.Closed) == 0
}

func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func (o *owner) progress() {
	o.place.Seq.Store(o.stepped)
	o.place.Clock.Store(o.engine.Clock())
	o.place.Cells.Store(int64(o.engine.Cells()))
}

// outbox makes the alerts of a commit.
func (o *owner) outbox(changes correlate.Changes) ([]store.OutboxItem, error) {
	byIncident := make(map[string][]incident.Detection)
	fresh := make(map[string][]string)
	for _, d := range changes.Detections {
		if !d.Gone && !d.Moved {
			byIncident[d.Incident] = append(byIncident[d.Incident], d.Detection)
			if d.New {
				fresh[d.Incident] = append(fresh[d.Incident], d.Detection.ID)
			}
		}
	}
	var out []store.OutboxItem
	for _, in := range changes.Incidents {
		changed := in.Changed
		if in.Again && in.ClosedAt == 0 && in.MergedInto == "" && !in.Retracted {
			changed |= incident.Opened // the store knows whether it was a repeat until now, and nobody was told
		}
		if in.Rule.Shadow || changed&^incident.Grown == 0 && len(fresh[in.ID]) == 0 {
			continue
		}
		items, err := o.Alerts(in.View(byIncident[in.ID]), changed, fresh[in.ID])
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	return out, nil
}
