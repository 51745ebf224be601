// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // to do damage

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/rules"
	"tocsin/store"
	"tocsin/store/open"
	"tocsin/stream"
)

const threeLogins = "rule: three\ntitle: t\nseverity: low\nmatch: {login: 'event.action == \"login\"'}\nwhen: count(login) >= 3\nby: user.name\nwithin: 1h\n"

// TestADamagedSnapshotLosesNothing: the log is trimmed of what it may be, then the last snapshot is damaged in the database. Who
// takes over goes on from the one before, and finds what it would have found.
func TestADamagedSnapshotLosesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
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
	cfg.Events.Bytes, cfg.Matches.Bytes, cfg.Quarantine.Bytes, cfg.Partitions, cfg.Matches.Age = 1<<20, 1<<20, 1<<20, 1, time.Nanosecond
	streams, err := stream.Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s, err := open.Store(ctx, "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Compile([]rules.File{{Name: "three.yml", Data: []byte(threeLogins)}})
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	log := slog.New(slog.NewTextHandler(&told, nil))
	sets, err := NewSets(ctx, streams, set, log)
	if err != nil {
		t.Fatal(err)
	}
	state := func() (p store.PartitionState) {
		states, err := s.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(states) > 0 {
			p = states[0]
		}
		return p
	}
	// life is a process that takes one login in and ends.
	life := func(n int, every time.Duration, until func(*Owners) bool) {
		living, end := context.WithCancel(ctx)
		reg := prometheus.NewRegistry()
		consumer, err := streams.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		parser := ingest.NewParser(ingest.ParserConfig{})
		owners := &Owners{Name: fmt.Sprint("life ", n), OwnerConfig: OwnerConfig{
			Store: s, Streams: streams, Sets: sets, Parser: parser, Lateness: time.Minute, SnapshotEvery: every, OffsetEvery: time.Millisecond,
			Alerts:  func(incident.View, incident.Change, []string) ([]store.OutboxItem, error) { return nil, nil },
			Metrics: NewCorrelateMetrics(reg), Log: log,
		}}
		matcher := NewMatcher(MatcherConfig{
			Streams: streams, Consumer: consumer, Parser: parser, Sets: sets, Metrics: NewMatchMetrics(reg), Seen: NewSources(), Log: log,
		})
		ended := make(chan error, 2)
		go func() { ended <- owners.Run(living) }()
		go func() { ended <- matcher.Run(living) }()
		committer := stream.NewCommitter(streams, 1, sets.Stamp)
		raw := fmt.Appendf(nil, `{"event.id":"%d","timestamp":"2026-03-01T10:00:0%dZ","event.action":"login","user.name":"ana"}`, n, n)
		if err := committer.Commit(ctx, []event.Record{{Input: "in", Source: "vector", Raw: raw}}); err != nil {
			t.Error(err)
		}
		committer.Close()
		for !until(owners) {
			if !pause(ctx, time.Millisecond) {
				t.Errorf("life %d comes to no end: %+v", n, state())
				break
			}
		}
		end()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		consumer.Close()
		if t.Failed() {
			t.Fatal(told.String())
		}
	}
	read := func(seq uint64) func(*Owners) bool {
		return func(owners *Owners) bool {
			p := owners.Progress()[0]
			return p != nil && p.Seq.Load() > seq
		}
	}
	life(1, time.Millisecond, func(*Owners) bool { return state().Before > 0 && state().Before == state().Snapshot })
	first := state().Snapshot
	life(2, time.Hour, read(first))
	if p := state(); p.Before != first || p.Snapshot <= first {
		t.Fatalf("the partition is %+v; want a snapshot at %d and another after it", p, first)
	}
	trim := &Trimmer{Streams: streams, Store: s, Log: log}
	if err := streams.TrimMatches(ctx, trim.inSnapshots); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	damaged, err := db.ExecContext(ctx, "UPDATE snapshot_cells SET state = checksum WHERE seq > ? AND length(cell) > 0", int64(first))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := damaged.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%d windows are damaged, want that of ana: %v", n, err)
	}
	life(3, time.Hour, read(state().Applied))
	got, _, err := s.Incidents(ctx, incident.Filter{})
	if err != nil || len(got) != 1 || got[0].EventCount != 3 {
		t.Errorf("found: %+v, %v; want an incident of three logins", got, err)
	}
	if said := told.String(); strings.Count(said, "a snapshot cannot be read") != 1 || strings.Contains(said, "no snapshot can be read") {
		t.Errorf("told:\n%s", said)
	}
	p := state()
	if p.Before != first || p.Snapshot <= p.Before {
		t.Errorf("then the partition is %+v; want one made of that at %d", p, first)
	}
	for _, seq := range []uint64{p.Snapshot, p.Before} {
		if err := s.Cells(ctx, 0, seq, func(correlate.Cell) error { return nil }); err != nil {
			t.Errorf("then the snapshot up to %d: %v", seq, err)
		}
	}
}
