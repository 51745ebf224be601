// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/kyverno/watch"
	"tocsin/stream"
)

// tocsin is what a node has of the Kyverno input: the streams on disk, and watchers that write to them.
type tocsin struct {
	c   *cluster
	dir string

	embedded *stream.Embedded
	streams  *stream.Streams
	commit   *stream.Committer
	consumer *stream.EventsConsumer
	close    func()

	// told are the events in the stream, ids those seen: what is committed again is the same event.
	told []*event.Event
	ids  map[event.ID]bool
}

func newTocsin(c *cluster) *tocsin {
	n := &tocsin{c: c, dir: c.t.TempDir(), ids: make(map[event.ID]bool)}
	n.open()
	c.t.Cleanup(func() { n.close() })
	return n
}

// open starts the streams on what the last process left.
func (n *tocsin) open() {
	n.c.t.Helper()
	must := func(err error) {
		n.c.t.Helper()
		if err != nil {
			n.c.t.Fatal(err)
		}
	}
	var err error
	n.embedded, err = stream.StartEmbedded(stream.EmbeddedConfig{Dir: n.dir, MaxStore: 1 << 30})
	must(err)
	nc, err := n.embedded.Conn()
	must(err)
	cfg := stream.DefaultConfig
	cfg.Events.Bytes, cfg.Matches.Bytes, cfg.Quarantine.Bytes, cfg.Partitions = 64<<20, 64<<20, 16<<20, 1
	n.streams, err = stream.Open(n.c.ctx, nc, cfg)
	must(err)
	n.commit = stream.NewCommitter(n.streams, 2, func() stream.Stamp { return stream.Stamp{Set: "set"} })
	n.consumer, err = n.streams.Events(n.c.ctx)
	must(err)
	n.close = sync.OnceFunc(func() {
		n.consumer.Close()
		n.commit.Close()
		nc.Close()
		n.embedded.Close()
	})
}

// watcher starts one replica; stop ends it as SIGTERM does. Settled names each kind whose first list is told.
func (n *tocsin) watcher(change func(*watch.Config)) (settled *kinds, stop func()) {
	n.c.t.Helper()
	kv, err := n.streams.KV(n.c.ctx, "tocsin-kyverno", "what was told of policy reports")
	if err != nil {
		n.c.t.Fatal(err)
	}
	settled = &kinds{make(chan string, 1000), make(map[string]bool)}
	cfg := watch.Config{
		Access: rest.CopyConfig(n.c.access), Store: kv, Commit: n.commit.Commit, Cluster: "prod",
		Discover: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(logWriter{n.c.t}, nil)),
		Settled: func(kind string) {
			select {
			case settled.ch <- kind:
			default: // nobody counts that many
			}
		},
	}
	if change != nil {
		change(&cfg)
	}
	w, err := watch.New(cfg)
	if err != nil {
		n.c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.c.ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.c.t.Error(err)
		}
	})
	n.c.t.Cleanup(stop)
	return settled, stop
}

// kinds are those whose first list a watcher has told.
type kinds struct {
	ch  chan string
	had map[string]bool
}

// await waits until a kind's list is told.
func (n *tocsin) await(settled *kinds, kind string) {
	n.c.t.Helper()
	for !settled.had[kind] {
		select {
		case k := <-settled.ch:
			settled.had[k] = true
		case <-n.c.ctx.Done():
			n.c.t.Fatalf("%s was never settled", kind)
		}
	}
}

// short is an event in few words: what happened, the policy, where.
func short(e *event.Event) string {
	words := []string{fmt.Sprint(e.Get(event.EventAction)), fmt.Sprint(e.Get(event.RuleRuleset)), fmt.Sprint(e.Get(event.OrchestratorResourceName))}
	if why, ok := e.Object().Get("why").Str(); ok {
		words = append(words, why)
	}
	if tags, ok := e.Get(event.Tags).([]any); ok && slices.Contains(tags, any("found-at-start")) {
		words = append(words, "at start")
	}
	return strings.Join(words, " ")
}

// expect waits for the next events, in any order, and fails at any other.
func (n *tocsin) expect(want ...string) {
	n.c.t.Helper()
	left := slices.Clone(want)
	for len(left) > 0 {
		msgs, err := n.consumer.Next(n.c.ctx, 1)
		if err != nil {
			n.c.t.Fatalf("waiting for %q: %v", left, err)
		}
		for i := range msgs {
			for _, e := range n.parse(&msgs[i]) {
				at := slices.Index(left, short(e))
				if at < 0 {
					n.c.t.Fatalf("%q is told, expected of it %q", short(e), left)
				}
				left = slices.Delete(left, at, at+1)
			}
		}
	}
}

// nothing says that the stream has no more than what was expected. It is asked when no watcher runs. A lag may also be
// an ack that is on its way: then nothing more comes.
func (n *tocsin) nothing() {
	n.c.t.Helper()
	n.c.eventually("read the stream to its end", func() (bool, error) {
		soon, cancel := context.WithTimeout(n.c.ctx, 20*time.Millisecond)
		defer cancel()
		msgs, err := n.consumer.Next(soon, 1)
		if err != nil && soon.Err() == nil {
			return false, err
		}
		for i := range msgs {
			for _, e := range n.parse(&msgs[i]) {
				n.c.t.Errorf("%q is told, expected nothing", short(e))
			}
		}
		lag, err := n.streams.MatchLag(n.c.ctx)
		return lag == 0, err
	})
}

// forgotten waits until nothing is remembered but that the kinds were started, and by whom they were listed last.
func (n *tocsin) forgotten() {
	n.c.t.Helper()
	kv, err := n.streams.KV(n.c.ctx, "tocsin-kyverno", "")
	if err != nil {
		n.c.t.Fatal(err)
	}
	n.c.eventually("forget what is gone", func() (bool, error) {
		keys, err := kv.Keys(n.c.ctx)
		return !slices.ContainsFunc(keys, func(k string) bool {
			return !strings.HasPrefix(k, "prod/started/") && !strings.HasPrefix(k, "prod/term/")
		}), err
	})
}

// parse returns the events of a message that are not known yet.
func (n *tocsin) parse(m *stream.EventsMsg) []*event.Event {
	n.c.t.Helper()
	var out []*event.Event
	if m.Err != nil {
		n.c.t.Fatal(m.Err)
	}
	for _, rec := range m.Batch.Records {
		e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(rec, m.Time)
		if err != nil {
			n.c.t.Fatalf("%s: %v", rec.Raw, err)
		}
		if !n.ids[e.ID] {
			n.ids[e.ID] = true
			out = append(out, e)
			n.told = append(n.told, e)
		}
	}
	slices.SortFunc(out, func(a, b *event.Event) int { return cmp.Compare(short(a), short(b)) })
	if err := m.Ack(); err != nil {
		n.c.t.Fatal(err)
	}
	return out
}

// logWriter keeps the log with the test that it belongs to.
type logWriter struct{ t *testing.T }

func (l logWriter) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
