// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
	"tocsin/stream"
)

var errEnough = errors.New("enough")

// fill commits n messages of one record each, with a marker before every third.
func fill(t *testing.T, s *stream.Streams, from, n int) {
	t.Helper()
	c := stream.NewCommitter(s, 1, func() stream.Stamp { return stream.Stamp{Set: "set"} })
	defer c.Close()
	for i := from; i < from+n; i++ {
		if i%3 == 0 {
			if err := s.PublishMarker(t.Context(), stream.Stamp{Set: "set"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Commit(t.Context(), []event.Record{record(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadEventsReadsASpan: each message with records of a span comes once, in order, and no other.
func TestReadEventsReadsASpan(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir(), small())
	read := func(span stream.Span) (raws []string, at []stream.Taken) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := s.ReadEvents(ctx, span, func(x stream.Taken) error {
			for _, r := range x.Records {
				raws = append(raws, string(r.Raw))
			}
			at = append(at, x)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return raws, at
	}
	whole := func(since, until int64) stream.Span {
		span, err := s.Span(t.Context(), since, until)
		if err != nil {
			t.Fatal(err)
		}
		return span
	}
	if raws, _ := read(whole(0, 0)); len(raws) != 0 {
		t.Errorf("an empty stream has %v", raws)
	}
	fill(t, s, 0, 9)
	if err := s.PublishMarker(t.Context(), stream.Stamp{Set: "set"}); err != nil { // the last is no record
		t.Fatal(err)
	}
	var want []string
	for i := range 9 {
		want = append(want, string(record(i).Raw))
	}
	raws, at := read(whole(0, 0))
	if !slices.Equal(raws, want) {
		t.Fatalf("the whole of it is %v", raws)
	}
	for i := range at {
		for j := i; j < len(at); j++ {
			if raws, _ := read(stream.Span{First: at[i].Seq, Last: at[j].Seq}); !slices.Equal(raws, want[i:j+1]) {
				t.Errorf("%d to %d: %v", i, j, raws)
			}
		}
	}
	if at[3].Time < at[5].Time {
		if raws, _ := read(whole(at[3].Time, at[5].Time)); !slices.Equal(raws, want[3:5]) {
			t.Errorf("from the fourth's time to before the sixth's: %v", raws)
		}
	}
	later := time.Now().Add(time.Hour).UnixNano()
	if raws, _ := read(whole(later, 0)); len(raws) != 0 {
		t.Errorf("after its end there are %v", raws)
	}
	if err := s.ReadEvents(t.Context(), whole(0, 0), func(stream.Taken) error { return errEnough }); !errors.Is(err, errEnough) {
		t.Errorf("who has enough gets %v", err)
	}
}

// TestFollowGoesOnWhereItWas: from a place in the past, over a loss that it tells, to what comes.
func TestFollowGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir(), small())
	fill(t, s, 0, 6)
	st, err := s.EventsState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	follow := func(from uint64, n int) (raws []string, lost uint64) {
		err := s.Follow(t.Context(), from, func(x stream.Taken) error {
			lost += x.Lost
			for _, r := range x.Records {
				raws = append(raws, string(r.Raw))
			}
			if len(raws) == n {
				return errEnough
			}
			if len(x.Records) > 0 && len(raws) == n-1 {
				fill(t, s, 6, 1)
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		return raws, lost
	}
	raws, lost := follow(st.First, 7)
	if want := fmt.Sprintf(`{"n":%d}`, 6); lost != 0 || raws[0] != `{"n":0}` || raws[6] != want {
		t.Errorf("%v, %d lost", raws, lost)
	}
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(t.Context(), jetstream.WithPurgeSequence(st.First+4)); err != nil { // a marker and three records
		t.Fatal(err)
	}
	raws, lost = follow(st.First+1, 4)
	if lost != 3 || raws[0] != `{"n":3}` {
		t.Errorf("after a loss: %v, %d lost, want 3", raws, lost)
	}
	if err := s.Follow(t.Context(), st.Last+1_000_000, nil); !errors.Is(err, stream.ErrUnknownPlace) {
		t.Errorf("a place that was never reached: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Follow(ctx, st.First+5, func(stream.Taken) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("who goes away gets %v", err)
	}
}
