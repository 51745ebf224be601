// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/store"
	"tocsin/stream"
)

// Trimmer removes from the streams what is older, or more, than their retention and decided: of EVENTS what is matched, of
// MATCHES what every partition's snapshot has. Several may do it at once.
type Trimmer struct {
	Streams *stream.Streams
	Store   store.Partitions
	Log     *slog.Logger
}

// Run trims until ctx ends.
func (t *Trimmer) Run(ctx context.Context) error {
	for pause(ctx, time.Second) {
		if err := t.events(ctx); err != nil && ctx.Err() == nil {
			t.Log.Warn("events are not trimmed", "err", err)
		}
		if err := t.matches(ctx); err != nil && ctx.Err() == nil {
			t.Log.Warn("matches are not trimmed", "err", err)
		}
	}
	return nil
}

func (t *Trimmer) events(ctx context.Context) error {
	floor, err := t.Streams.AckFloor(ctx)
	if err != nil {
		return err
	}
	return t.Streams.TrimEvents(ctx, floor)
}

func (t *Trimmer) matches(ctx context.Context) error {
	states, err := t.Store.States(ctx)
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	if len(states) < t.Streams.Partitions() {
		return nil // some partition never had an owner
	}
	least := states[0].Snapshot
	for _, s := range states {
		if s.Stream != t.Streams.MatchesIdentity() {
			return nil // it has read nothing of this stream yet
		}
		least = min(least, s.Snapshot)
	}
	return t.Streams.TrimMatches(ctx, least)
}
