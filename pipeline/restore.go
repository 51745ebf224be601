// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/correlate"
	"tocsin/store"
)

// restore brings the engine to where the last snapshot was.
func (o *owner) restore(ctx context.Context) error {
	o.stats = make(map[string]correlate.Stats)
	if err := o.fresh(); err != nil {
		return err
	}
	o.savedAt, o.writtenAt = time.Now(), time.Now()
	if o.lease.Stream != "" && o.lease.Stream != o.Streams.MatchesIdentity() {
		// The log was made anew: its sequences say nothing about the old one (backbone.md, T1). What
		// was found stays, what was half found starts again.
		o.Log.Warn("the matches stream is another one: windows start anew", "partition", o.lease.Partition)
		o.lease.Applied, o.lease.Snapshot = 0, 0
		o.engine.Changes()
		return nil
	}
	last, err := o.Streams.MatchesLast(ctx)
	if err != nil {
		return err
	}
	if last < o.lease.Applied {
		return fmt.Errorf("the matches stream ends at %d and the store has decided up to %d: the stream was put back to where it had been, "+
			"as from a backup, and what is new in it would be taken for old; delete the stream MATCHES, and windows start anew", last, o.lease.Applied)
	}
	if o.lease.Snapshot > 0 {
		unreadable, err := o.load(ctx)
		if err != nil {
			return err
		}
		if unreadable != nil {
			// The log has what the snapshot was made of, as far back as it is kept; what it comes to again is
			// committed already.
			o.Log.Warn("the snapshot cannot be read: the partition's log is read from its beginning",
				"partition", o.lease.Partition, "err", unreadable)
			o.lease.Snapshot = 0
			if err := o.fresh(); err != nil {
				return err
			}
		}
	}
	o.applied, o.stepped, o.saved = o.lease.Applied, o.lease.Snapshot, o.lease.Snapshot
	o.Metrics.prime(o.lease.Partition, o.engine.Stats())
	return nil
}

// fresh makes an empty engine that knows the current Set.
func (o *owner) fresh() error {
	o.engine = correlate.New(int64(o.Lateness), correlate.Limits{})
	return o.engine.Use(o.Sets.Current())
}

// load reads the snapshot into the engine. unreadable says that it is damaged or of another version's format; err that a store
// did not answer.
func (o *owner) load(ctx context.Context) (unreadable, err error) {
	if o.lease.Format != correlate.SnapshotFormat {
		return fmt.Errorf("it is of format %d, this version reads %d", o.lease.Format, correlate.SnapshotFormat), nil
	}
	err = o.Store.Cells(ctx, o.lease.Partition, func(c correlate.Cell) error {
		for {
			unreadable = o.engine.Restore(c)
			unknown, ok := errors.AsType[*correlate.UnknownSetError](unreadable)
			if !ok || o.engine.Knows(unknown.Hash) {
				return unreadable
			}
			set, err := o.Sets.Get(ctx, unknown.Hash)
			if err == nil {
				err = o.engine.Use(set)
			}
			if err != nil {
				unreadable = nil
				return err
			}
		}
	})
	if unreadable == nil && errors.Is(err, store.ErrCorrupt) {
		unreadable = err
	}
	if unreadable != nil {
		return unreadable, nil
	}
	return nil, err
}
