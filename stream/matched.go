// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// How far the matchers are, anybody may ask: whoever asks through a consumer of its own would have to be a matcher.

// AckFloor returns the EVENTS sequence up to which everything is matched, 0 while nobody has begun to match.
func (s *Streams) AckFloor(ctx context.Context) (uint64, error) {
	info, err := s.matching(ctx)
	if info == nil || err != nil {
		return 0, err
	}
	return info.AckFloor.Stream, nil
}

// MatchLag returns how many messages of EVENTS are not matched yet, markers included: all of them while nobody has begun.
func (s *Streams) MatchLag(ctx context.Context) (uint64, error) {
	info, err := s.matching(ctx)
	if err != nil {
		return 0, err
	}
	if info == nil {
		all, err := s.EventsState(ctx)
		return all.Messages, err
	}
	return info.NumPending + uint64(max(info.NumAckPending, 0)), nil
}

// matching returns where the matchers' consumer stands, nil if there is none.
func (s *Streams) matching(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	cons, err := s.events.Consumer(ctx, matchConsumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	return cons.CachedInfo(), nil
}
