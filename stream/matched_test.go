// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/stream"
)

// TestHowFarMatchersAre: who is no matcher knows what is not matched yet, also if nobody has begun to match, and takes nothing
// from matchers by asking.
func TestHowFarMatchersAre(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := published(ctx, t, 3)
	all, err := s.EventsState(ctx)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, floor, lag uint64) {
		t.Helper()
		if got, err := s.AckFloor(ctx); err != nil || got != floor {
			t.Errorf("%s: everything up to %d is matched, want %d (%v)", when, got, floor, err)
		}
		if got, err := s.MatchLag(ctx); err != nil || got != lag {
			t.Errorf("%s: %d messages are not matched, want %d (%v)", when, got, lag, err)
		}
	}
	expect("before anybody matches", 0, 3)
	cons, msgs := taken(ctx, t, s, 3) // all of them: asking has taken none
	defer cons.Close()
	expect("while all are at work", all.First-1, 3)
	ackAndWait(ctx, t, s, &msgs[0])
	expect("when one is matched", all.First, 2)
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(ctx, "EVENTS", "match"); err != nil {
		t.Fatal(err)
	}
	expect("when the consumer is gone", 0, 3)
}

// ackAndWait acknowledges a message, and waits until the server has noted it: an acknowledgement has no answer.
func ackAndWait(ctx context.Context, t *testing.T, s *stream.Streams, msg *stream.EventsMsg) {
	t.Helper()
	if err := msg.Ack(); err != nil {
		t.Fatal(err)
	}
	for {
		floor, err := s.AckFloor(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if floor >= msg.Seq {
			return
		}
	}
}
