// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/store"
	"tocsin/store/open"
	"tocsin/stream"
)

// TestTrimMatches: a log that is full is trimmed of what both snapshots of every partition have, and of nothing else. A partition to which
// nothing came any more holds up nobody.
func TestTrimMatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	nc, err := server.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cfg := stream.DefaultConfig
	cfg.Events.Bytes, cfg.Matches.Bytes, cfg.Quarantine.Bytes, cfg.Partitions = 1<<20, 200_000, 1<<20, 2
	streams, err := stream.Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open.Store(ctx, "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(ctx, "me", time.Hour, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	publish := func(partition int) error {
		data := make([]byte, 4000)
		_, _ = rand.Read(data) // it never fails
		n++
		return streams.PublishMatches(ctx, []stream.MatchMsg{{Partition: partition, ID: fmt.Sprint(n), Data: data}})
	}
	last := func() uint64 {
		seq, err := streams.MatchesLast(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	saved := make(map[int]uint64)
	snapshot := func(partition int, seq uint64) {
		t.Helper()
		before := saved[partition]
		saved[partition] = seq
		err := s.Commit(ctx, store.Commit{
			Partition: partition, Epoch: leases[partition].Epoch, Stream: streams.MatchesIdentity(), Applied: seq,
			Snapshot: &store.Snapshot{Seq: seq, Before: before, Format: correlate.SnapshotFormat, Full: before == 0},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	trim := &Trimmer{Streams: streams, Store: s, Log: slog.New(slog.DiscardHandler)}
	kept := func() uint64 {
		t.Helper()
		if err := streams.TrimMatches(ctx, trim.inSnapshots); err != nil {
			t.Fatal(err)
		}
		r, err := streams.Partition(ctx, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		msgs, err := r.Next(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		return msgs[0].Seq
	}

	if err := publish(0); err != nil {
		t.Fatal(err)
	}
	quiet := last()
	for err == nil {
		err = publish(1)
	}
	if !errors.Is(err, stream.ErrUnavailable) {
		t.Fatal(err)
	}
	if got := kept(); got != quiet+1 {
		t.Errorf("the log begins at %d before any snapshot has something of it, want %d", got, quiet+1)
	}
	snapshot(0, quiet)
	snapshot(1, quiet+3)
	if got := kept(); got != quiet+1 {
		t.Errorf("the log begins at %d when there is one snapshot, want %d", got, quiet+1)
	}
	snapshot(0, quiet)
	snapshot(1, quiet+7)
	if got := kept(); got != quiet+4 {
		t.Errorf("the log begins at %d, and the older snapshot ends at %d", got, quiet+3)
	}
	snapshot(1, last())
	snapshot(1, last()) // without news
	if got := kept(); got <= quiet+4 || got > last() {
		t.Errorf("the log begins at %d and is of %d to %d: all of it is decided", got, quiet+4, last())
	}
	if err := publish(0); err != nil {
		t.Errorf("there is room and it is not taken: %v", err)
	}
}
