// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What somebody still needs must not go because it is old or because much has come: a server that dropped the oldest by itself
// would drop what was acknowledged and not read yet. So EVENTS and MATCHES refuse what is new when they are full, and
// are trimmed from here, up to what is decided.

// trimAt and trimTo are the parts of a stream's bytes, in hundredths, at which it is trimmed and to which. What is between
// there and the bound is room for what comes before the next look.
const trimAt, trimTo = 85, 80

// Decided returns up to which sequence nobody needs a stream any more. It is asked when there is something to trim.
type Decided func(ctx context.Context) (uint64, error)

// TrimEvents removes the oldest messages of EVENTS as its retention says, of those that are decided.
func (s *Streams) TrimEvents(ctx context.Context, decided Decided) error {
	return trim(ctx, s.events, s.retention.Events, decided)
}

// TrimMatches removes the oldest messages of MATCHES as its retention says, of those that are decided.
func (s *Streams) TrimMatches(ctx context.Context, decided Decided) error {
	return trim(ctx, s.matches, s.retention.Matches, decided)
}

func trim(ctx context.Context, st jetstream.Stream, r Retention, decided Decided) error {
	info, err := st.Info(ctx)
	if err != nil {
		return fmt.Errorf("trim %s: %w", st.CachedInfo().Config.Name, err)
	}
	state := info.State
	if state.Msgs == 0 {
		return nil
	}
	first := state.FirstSeq
	// The look for an age reads messages: it is done when a hundredth of them has it.
	if r.Age > 0 && info.TimeStamp.Sub(state.FirstTime) > r.Age+r.Age/100 {
		if first, err = firstSince(ctx, st, state, info.TimeStamp.Add(-r.Age)); err != nil {
			return fmt.Errorf("trim %s: %w", info.Config.Name, err)
		}
	}
	if limit := uint64(max(r.Bytes, 0)) / 100; limit > 0 && state.Bytes > limit*trimAt {
		over := float64(state.Bytes-limit*trimTo) / float64(state.Bytes)
		first = max(first, state.FirstSeq+uint64(over*float64(state.LastSeq-state.FirstSeq+1)))
	}
	if first <= state.FirstSeq {
		return nil
	}
	upTo, err := decided(ctx)
	if err != nil {
		return fmt.Errorf("trim %s: %w", info.Config.Name, err)
	}
	if first = min(first, upTo+1); first <= state.FirstSeq {
		return nil
	}
	if err := st.Purge(ctx, jetstream.WithPurgeSequence(first)); err != nil {
		return fmt.Errorf("trim %s: %w", info.Config.Name, err)
	}
	return nil
}

// firstSince returns the sequence of the first message that is not older than a time.
func firstSince(ctx context.Context, st jetstream.Stream, state jetstream.StreamState, t time.Time) (uint64, error) {
	var failed error
	n := sort.Search(int(state.LastSeq-state.FirstSeq)+1, func(i int) bool {
		if failed != nil {
			return true
		}
		msg, err := st.GetMsg(ctx, state.FirstSeq+uint64(i))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return false // another process has trimmed meanwhile
		}
		if err != nil {
			failed = err
			return true
		}
		return !msg.Time.Before(t)
	})
	return state.FirstSeq + uint64(n), failed
}
