// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/incident"
	"tocsin/stream"
)

// finishEvery is how often a Finisher looks. It is longer than a Closer that lives takes for the same.
const finishEvery = 30 * time.Second

// Finisher closes what a [Closer] left open: what somebody merges into an incident while it is being closed is closed after it, and whoever closes
// it may die before that, or lose the store. It need not be remembered who did: the store says what is open within what is closed.
type Finisher struct {
	Store   leftovers
	Streams publisher
	Log     *slog.Logger
}

// Run looks until ctx ends. Several may, and beside Closers: an incident has one closing.
func (f *Finisher) Run(ctx context.Context) error {
	for pause(ctx, finishEvery) {
		if err := f.finish(ctx); err != nil && ctx.Err() == nil {
			f.Log.Error("parts of closed incidents stay open", "err", err)
		}
	}
	return nil
}

// finish puts the closings of what is left open now into the log, as those of what it was merged into.
func (f *Finisher) finish(ctx context.Context) error {
	left, err := f.Store.LeftOpen(ctx)
	if err != nil {
		return err
	}
	var msgs []stream.MatchMsg
	for _, part := range left {
		at, err := f.Store.Place(ctx, part.ID)
		if err != nil {
			return err
		}
		if at.Joined && at.Status != incident.Closed {
			msgs = append(msgs, closing(part.ID, at, part.Verdict, part.By))
		}
	}
	if len(msgs) == 0 {
		return nil
	}
	if err := f.Streams.PublishMatches(ctx, msgs); err != nil {
		return fmt.Errorf("close parts: %w", err)
	}
	f.Log.Info("closed parts of closed incidents", "parts", len(msgs))
	return nil
}
