// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/store"
)

// restore brings the engine to where the last snapshot was that can be read.
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
		o.lease.Applied = 0
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
	if o.saved, err = o.readable(ctx); err != nil {
		return err
	}
	o.applied, o.stepped = o.lease.Applied, o.saved
	o.Metrics.prime(o.lease.Partition, o.engine.Stats())
	return nil
}

// readable brings the engine to where the last snapshot was that can be read, and returns its sequence: 0 if there is none, and the
// log is to be read from its beginning.
func (o *owner) readable(ctx context.Context) (uint64, error) {
	for _, seq := range slices.Compact([]uint64{o.lease.Snapshot, o.lease.Before}) {
		if seq == 0 {
			break
		}
		unreadable, err := o.load(ctx, seq)
		if err != nil {
			return 0, err
		}
		if unreadable == nil {
			if o.undo = seq != o.lease.Snapshot; !o.undo {
				o.before = o.lease.Before
			}
			return seq, nil
		}
		o.Log.Warn("a snapshot cannot be read", "partition", o.lease.Partition, "up_to", seq, "err", unreadable)
		if err := o.fresh(); err != nil {
			return 0, err
		}
	}
	if o.lease.Snapshot > 0 {
		o.Log.Warn("no snapshot can be read: the partition's log is read from its beginning; windows that began before what is kept of it "+
			"are not found again as they were: a count may lack events, an absence may be found that was none", "partition", o.lease.Partition)
	}
	return 0, nil
}

// fresh makes an empty engine that knows the current Set.
func (o *owner) fresh() error {
	o.engine = correlate.New(int64(o.Lateness), correlate.Limits{})
	return o.engine.Use(o.Sets.Current())
}

// load reads the snapshot of a sequence into the engine. unreadable says that it is damaged or of another version's format; err
// that a store did not answer.
func (o *owner) load(ctx context.Context, seq uint64) (unreadable, err error) {
	err = o.Store.Cells(ctx, o.lease.Partition, seq, func(c correlate.Cell) error {
		for {
			o.turns.do(func() { unreadable = o.engine.Restore(c) })
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
