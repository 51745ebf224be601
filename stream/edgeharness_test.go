// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// edge is one on a directory, with a forwarder or without.
type edge struct {
	*stream.Edge
	t       testing.TB
	nc      *nats.Conn
	closing []func()
	commit  *stream.Committer
}

func openEdge(t testing.TB, dir string, bytes int64) *edge {
	t.Helper()
	srv, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: dir, MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{t: t, nc: nc, closing: []func(){srv.Close, nc.Close}}
	if e.Edge, err = stream.OpenEdge(context.Background(), nc, bytes); err != nil {
		t.Fatal(err)
	}
	e.commit = stream.NewCommitter(e.Edge, 1, func() stream.Stamp { return stream.Stamp{} })
	e.closing = append(e.closing, e.commit.Close)
	t.Cleanup(e.close)
	return e
}

func (e *edge) close() {
	for _, f := range slices.Backward(e.closing) {
		f()
	}
	e.closing = nil
}

// forward runs a forwarder until the edge is closed.
func (e *edge) forward(url string) *stream.Forwarder {
	f := stream.NewForwarder(e.Edge, stream.ServerConfig{URL: url}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); err != nil {
			e.t.Error(err)
		}
	}()
	e.closing = append(e.closing, func() { cancel(); <-done })
	return f
}

// take commits records from a number to another, each a message of its own.
func (e *edge) take(from, to int) {
	e.t.Helper()
	for i := from; i < to; i++ {
		if err := e.commit.Commit(context.Background(), []event.Record{record(i)}); err != nil {
			e.t.Fatal(err)
		}
	}
}

// empty waits until nothing waits.
func (e *edge) empty() {
	e.t.Helper()
	eventually(e.t, func() error {
		st, err := e.State(context.Background())
		if err == nil && st.Messages > 0 {
			err = fmt.Errorf("%d messages wait", st.Messages)
		}
		return err
	})
}

// eventually polls what another process or a server does.
func eventually(t testing.TB, what func() error) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// newHub is an installation's NATS, in which a Set is named.
func newHub(t testing.TB, cfg stream.Config) (*natstest.Cluster, *stream.Streams) {
	t.Helper()
	c := natstest.Start(t, 1, nil)
	s, err := connect(context.Background(), t, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	name(t, s, "first")
	return c, s
}

func name(t testing.TB, s *stream.Streams, set string) {
	t.Helper()
	if _, err := s.NameSet(context.Background(), set); err != nil {
		t.Fatal(err)
	}
}

// events is the hub's EVENTS.
func events(t testing.TB, s *stream.Streams) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(context.Background(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// arrived are the batches of records in EVENTS, in their order.
func arrived(t testing.TB, s *stream.Streams) (batches []stream.Batch, records []event.Record) {
	t.Helper()
	st := events(t, s)
	for seq := st.CachedInfo().State.FirstSeq; seq <= st.CachedInfo().State.LastSeq; seq++ {
		msg, err := st.GetMsg(context.Background(), seq)
		if err != nil {
			t.Fatal(err)
		}
		b, err := stream.DecodeBatch(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		batches, records = append(batches, b), append(records, b.Records...)
	}
	return batches, records
}

// inOrder fails unless the hub has each record from 0 on once, in their order.
func inOrder(t *testing.T, records []event.Record, n int) {
	t.Helper()
	if len(records) != n {
		t.Errorf("%d records arrived, want %d", len(records), n)
	}
	for i, r := range records {
		if want := record(i); !bytes.Equal(r.Raw, want.Raw) || r.Ordinal != want.Ordinal || r.Input != want.Input || r.Source != want.Source {
			t.Fatalf("the record at %d is %s", i, r.Raw)
		}
	}
}

// spoil puts a message among the others that is no batch.
func (e *edge) spoil() {
	e.t.Helper()
	js, err := jetstream.New(e.nc)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := js.Publish(context.Background(), "tocsin.events.records", []byte("no batch")); err != nil {
		e.t.Fatal(err)
	}
}
