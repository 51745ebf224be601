// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
	"tocsin/stream"
)

// published is a stream with n batches of one record each.
func published(ctx context.Context, t *testing.T, n int) *stream.Streams {
	t.Helper()
	s, _ := open(t, t.TempDir(), small())
	for i := range n {
		c := stream.NewCommitter(s, 1, func() stream.Stamp { return stream.Stamp{Set: "set"} })
		if err := c.Commit(ctx, []event.Record{record(i)}); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	return s
}

// taken opens the consumer and takes n messages.
func taken(ctx context.Context, t *testing.T, s *stream.Streams, n int) (*stream.EventsConsumer, []stream.EventsMsg) {
	t.Helper()
	c, err := s.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []stream.EventsMsg
	for len(out) < n {
		msgs, err := c.Next(ctx, n-len(out))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		out = append(out, msgs...)
	}
	return c, out
}

// TestCloseGivesBack: what a consumer that ends well had not done comes to the next at once, and not after the
// wait.
func TestCloseGivesBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	s := published(ctx, t, 5)
	c, msgs := taken(ctx, t, s, 2)
	if err := msgs[0].Ack(); err != nil {
		t.Fatal(err)
	}
	if err := msgs[1].Nak(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	done := msgs[0].Seq
	c, msgs = taken(ctx, t, s, 4)
	defer c.Close()
	for _, m := range msgs {
		if m.Seq == done {
			t.Error("what was acknowledged came again")
		}
	}
}

// TestReclaim: what a consumer had when it died comes to its successor at once.
func TestReclaim(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	s := published(ctx, t, 3)
	if err := s.Reclaim(ctx); err != nil { // nobody came before
		t.Fatal(err)
	}
	c, before := taken(ctx, t, s, 3)
	c.Close() // it has given nothing back: all three were taken from it
	if err := s.Reclaim(ctx); err != nil {
		t.Fatal(err)
	}
	c, msgs := taken(ctx, t, s, 3)
	defer c.Close()
	if msgs[0].Seq != before[0].Seq {
		t.Errorf("first comes %d, before it was %d", msgs[0].Seq, before[0].Seq)
	}
}

// TestWhatIsHeldStays: a message that a consumer has does not come again, however long it takes; when the consumer is gone it
// comes to another, soon.
func TestWhatIsHeldStays(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := published(ctx, t, 1)
	first, msgs := taken(ctx, t, s, 1)
	wait, done := context.WithTimeout(ctx, 5*time.Second) // longer than the server waits for who says nothing
	defer done()
	if got, err := first.Next(wait, 1); err == nil {
		t.Errorf("message %d came again", got[0].Seq)
	}
	first.Close()
	second, got := taken(ctx, t, s, 1)
	defer second.Close()
	if got[0].Seq != msgs[0].Seq {
		t.Errorf("message %d came, not %d", got[0].Seq, msgs[0].Seq)
	}
	if err := got[0].Ack(); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherConsumer: who reads EVENTS goes on when somebody has deleted the consumer, with all that was not acknowledged.
func TestAnotherConsumer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, _ := open(t, t.TempDir(), small())
	c := stream.NewCommitter(s, 1, func() stream.Stamp { return stream.Stamp{Set: "set"} })
	defer c.Close()
	commit := func(n int) {
		if err := c.Commit(ctx, []event.Record{record(n)}); err != nil {
			t.Fatal(err)
		}
	}
	commit(1)
	cons, msgs := taken(ctx, t, s, 1)
	defer cons.Close()
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(ctx, "EVENTS", "match"); err != nil {
		t.Fatal(err)
	}
	commit(2)
	seen := make(map[uint64]bool)
	for len(seen) < 2 {
		msgs, err := cons.Next(ctx, 8)
		if err != nil && ctx.Err() != nil {
			t.Fatalf("%v after messages %v", err, seen)
		}
		for i := range msgs {
			seen[msgs[i].Seq] = true
			if err := msgs[i].Ack(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = msgs[0].Nak() // of the consumer that is gone: it changes nothing
}

// openMatches opens streams on a server of their own, and MATCHES as the server knows it.
func openMatches(ctx context.Context, t *testing.T) (*stream.Embedded, *stream.Streams, jetstream.Stream) {
	t.Helper()
	srv, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	nc, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s, err := stream.Open(ctx, nc, small())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := js.Stream(ctx, "MATCHES")
	if err != nil {
		t.Fatal(err)
	}
	return srv, s, matches
}

// TestAClosedReaderIsForgotten: the server keeps no consumer of a reader that is closed, long before it would give one up by
// itself; and an end does not wait for a server that is away.
func TestAClosedReaderIsForgotten(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	srv, s, matches := openMatches(ctx, t)
	consumers := func() int {
		info, err := matches.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Consumers
	}
	reads := func() stream.PartitionReader {
		r, err := s.Partition(ctx, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	stays := reads()
	for range 50 {
		reads().Close()
	}
	eventually(t, func() error {
		if n := consumers(); n > 1 {
			return fmt.Errorf("%d consumers, want that of the reader that is open", n)
		}
		return nil
	})
	if err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: 0, ID: "1", Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if msgs, err := stays.Next(ctx, 1); err != nil || len(msgs) != 1 {
		t.Errorf("a reader that is not closed reads %v, %v", msgs, err)
	}
	srv.Close()
	start := time.Now()
	stays.Close()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("to close a reader of a server that is away takes %s", took)
	}
}

// TestAReaderThatHearsNothingAsks: a message that was lost on the way shows by the next one, but the last of a log has none. Here
// somebody else takes it.
func TestAReaderThatHearsNothingAsks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, s, matches := openMatches(ctx, t)
	r, err := s.Partition(ctx, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	names := matches.ConsumerNames(ctx)
	thief, err := matches.Consumer(ctx, <-names.Name())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := thief.Fetch(1, jetstream.FetchMaxWait(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 { // the server serves who asks by turns
		if err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: 0, ID: fmt.Sprint(n), Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := r.Next(ctx, 1)
			read <- err
		}()
		select {
		case <-taken.Messages():
			if err := <-read; !errors.Is(err, stream.ErrGap) {
				t.Errorf("the reader says %v, and what was sent did not come", err)
			}
			return
		case err := <-read:
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Error("nobody took anything")
}
