// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// connect opens the streams on a cluster.
func connect(ctx context.Context, t testing.TB, c *natstest.Cluster, cfg stream.Config) (*stream.Streams, error) {
	t.Helper()
	nc, err := stream.Connect(stream.ServerConfig{URL: c.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return stream.Open(ctx, nc, cfg)
}

// TestCluster: streams of three replicas take records in, and each record that was accepted is there while one server after
// the other goes away and comes back.
func TestCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := natstest.Start(t, 3, nil)
	cfg := small()
	cfg.Replicas = 3
	s, err := connect(ctx, t, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	w := stream.NewCommitter(s, 2, func() stream.Stamp { return stream.Stamp{Set: "set"} })
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			for {
				err := w.Commit(ctx, []event.Record{record(sent)})
				if err == nil {
					break
				}
				if ctx.Err() != nil {
					t.Fatal(err)
				}
			}
			sent++
		}
	}
	send(20)
	for i := range 3 {
		c.Stop(i)
		send(20)
		c.Run(t, i)
		c.WaitReady(t)
		send(20)
	}
	w.Close()
	cons, err := s.Events(context.WithoutCancel(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer cons.Close()
	seen := make(map[string]bool)
	for len(seen) < sent {
		msgs, err := cons.Next(ctx, 64)
		if err != nil {
			t.Fatalf("%d of %d records are there: %v", len(seen), sent, err)
		}
		for i := range msgs {
			for j, r := range msgs[i].Batch.Records {
				seen[string(r.Raw)] = true
				if _, ok, err := s.Record(context.WithoutCancel(ctx), msgs[i].Seq, uint32(j)); !ok || err != nil {
					t.Errorf("record %d of message %d is not found: %v", j, msgs[i].Seq, err)
				}
			}
			if err := msgs[i].Ack(); err != nil {
				t.Fatal(err)
			}
		}
	}
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"EVENTS", "MATCHES", "QUARANTINE", "KV_tocsin-sets"} {
		for {
			// A request to a server that is about to lead can be lost.
			attempt, stop := context.WithTimeout(ctx, 2*time.Second)
			st, err := js.Stream(attempt, name)
			stop()
			if err != nil && ctx.Err() == nil {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := st.CachedInfo().Config.Replicas; n != 3 {
				t.Errorf("%s has %d replicas", name, n)
			}
			break
		}
	}
}

// TestStreamsAreRefused: a stream that somebody else made is used if it keeps the promise, with its own settings; else the
// setting is named.
func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"storage":              func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"no_ack":               func(c *jetstream.StreamConfig) { c.NoAck = true },
		"max_msgs is":          func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 10 },
		"max_msg_size":         func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"persist_mode":         func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
		"subjects":             func(c *jetstream.StreamConfig) { c.Subjects = []string{"tocsin.events.records"} },
		"":                     func(c *jetstream.StreamConfig) { c.Description, c.Compression = "theirs", jetstream.S2Compression },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := natstest.Start(t, 1, nil)
			nc, err := stream.Connect(stream.ServerConfig{URL: c.URL()})
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			theirs := jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"tocsin.events.>"}, Storage: jetstream.FileStorage}
			change(&theirs)
			if _, err := js.CreateStream(ctx, theirs); err != nil {
				t.Fatal(err)
			}
			_, err = stream.Open(ctx, nc, small())
			if name != "" {
				if err == nil || !strings.Contains(err.Error(), "stream EVENTS: "+name) {
					t.Errorf("%v; want the setting %s", err, name)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			st, err := js.Stream(ctx, "EVENTS")
			if err != nil {
				t.Fatal(err)
			}
			if have := st.CachedInfo().Config; have.Description != "theirs" || have.Compression != jetstream.S2Compression || have.MaxBytes != small().Events.Bytes {
				t.Errorf("their settings are gone, or ours are not there: %+v", have)
			}
		})
	}
}

// TestSmallPayloadIsRefused names the server's setting.
func TestSmallPayloadIsRefused(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 1, func(o *server.Options) { o.MaxPayload = 1 << 20 })
	if nc, err := stream.Connect(stream.ServerConfig{URL: c.URL()}); err == nil || !strings.Contains(err.Error(), "max_payload of n0 is 1048576") {
		t.Errorf("Connect: %v, %v", nc, err)
	}
}

// TestReaderAfterARestart: a server that was restarted knows nothing of who read a partition, and does not say so. Whoever reads
// is told, and reads on from where it was.
func TestReaderAfterARestart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	publishTo, subscribeTo := rights(t, wholeUser) // to ask whether one's consumer is still there is one of them
	c := natstest.Start(t, 1, func(o *server.Options) {
		permit(t, o, map[string]any{"all": account("all", publishTo, subscribeTo)})
	})
	s, err := connect(ctx, t, c, small())
	if err != nil {
		t.Fatal(err)
	}
	publish := func(id string) {
		t.Helper()
		if err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: 1, ID: id, Data: []byte(id)}}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(r stream.PartitionReader, want string) uint64 {
		t.Helper()
		msgs, err := r.Next(ctx, 10)
		if err != nil || len(msgs) != 1 || string(msgs[0].Data) != want {
			t.Fatalf("read %v, %v, want %s", msgs, err, want)
		}
		return msgs[0].Seq
	}
	r, err := s.Partition(ctx, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	publish("a")
	last := read(r, "a")
	c.Stop(0)
	c.Run(t, 0)
	publish("b")
	if msgs, err := r.Next(ctx, 10); err == nil || ctx.Err() != nil {
		t.Fatalf("the reader has %v, %v, and its consumer is gone", msgs, err)
	}
	again, err := s.Partition(ctx, 1, last+1)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	read(again, "b")
}
