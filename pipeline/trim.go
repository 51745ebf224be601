// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/store"
)

// Trimmer removes from the streams what is older, or more, than their retention and decided: of EVENTS what is matched, of
// MATCHES what both snapshots of every partition have: if the last one cannot be read, the one before it and the log from there are
// all that there is. Several may do it at once.
type Trimmer struct {
	Streams trimStreams
	Store   store.Partitions
	Log     *slog.Logger
}

// Run trims until ctx ends.
func (t *Trimmer) Run(ctx context.Context) error {
	for pause(ctx, time.Second) {
		if err := t.Streams.TrimEvents(ctx, t.Streams.AckFloor); err != nil && ctx.Err() == nil {
			t.Log.Warn("events are not trimmed", "err", err)
		}
		if err := t.Streams.TrimMatches(ctx, t.inSnapshots); err != nil && ctx.Err() == nil {
			t.Log.Warn("matches are not trimmed", "err", err)
		}
	}
	return nil
}

// inSnapshots returns up to which sequence both snapshots of each partition have all of MATCHES, 0 if one has nothing of it. A
// partition to which nothing came any more holds up nobody.
func (t *Trimmer) inSnapshots(ctx context.Context) (uint64, error) {
	upTo, err := t.Streams.MatchesLast(ctx) // what comes from here on is another time's
	if err != nil {
		return 0, err
	}
	lasts, err := t.Streams.LastSeqs(ctx)
	if err != nil {
		return 0, err
	}
	states, err := t.Store.States(ctx)
	if err != nil {
		return 0, fmt.Errorf("snapshots: %w", err)
	}
	if len(states) < len(lasts) {
		return 0, nil // some partition never had an owner
	}
	for _, s := range states {
		switch {
		case s.Partition >= len(lasts):
		case s.Stream != t.Streams.MatchesIdentity():
			return 0, nil // it has read nothing of this stream yet
		case s.Before < lasts[s.Partition]:
			upTo = min(upTo, s.Before)
		}
	}
	return upTo, nil
}
