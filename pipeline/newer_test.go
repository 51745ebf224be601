// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tocsin/correlate"
	"tocsin/store"
	"tocsin/store/open"
)

// TestNewerSnapshotsAreLeft: a partition whose snapshot a newer version wrote is not taken by this one, and nothing of it is thrown
// away; that it stands still is said once, and is a number.
func TestNewerSnapshotsAreLeft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := open.Store(ctx, "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(ctx, "newer", time.Hour, 0, 3)
	if err != nil || len(leases) != 3 {
		t.Fatal(leases, err)
	}
	for _, l := range leases[1:] {
		err := s.Commit(ctx, store.Commit{
			Partition: l.Partition, Epoch: l.Epoch, Stream: "MATCHES", Applied: 7,
			Snapshot: &store.Snapshot{Seq: 7, Format: correlate.SnapshotFormat + l.Partition - 1, Full: true},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	owners := &Owners{Name: "me", OwnerConfig: OwnerConfig{
		Store: s, Metrics: NewCorrelateMetrics(prometheus.NewRegistry()), Log: slog.New(slog.NewTextHandler(&log, nil)),
	}}
	held := make(map[int]*running)
	keep := func(what string, partitions int, number float64, told int) {
		t.Helper()
		got, err := owners.keep(ctx, held, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range got {
			if l.Partition == 2 {
				t.Errorf("%s: the partition is taken: %+v", what, l)
			}
			held[l.Partition] = &running{lease: l, stop: func() { t.Errorf("%s: partition %d is told to end", what, l.Partition) }}
		}
		if said := strings.Count(log.String(), "partitions=[2]"); len(held) != partitions || testutil.ToFloat64(owners.Metrics.Newer) != number || said != told {
			t.Errorf("%s: %d partitions are held and %v newer, told %d times; want %d, %v and %d\n%s",
				what, len(held), testutil.ToFloat64(owners.Metrics.Newer), said, partitions, number, told, &log)
		}
	}
	keep("a newer version has them", 0, 0, 0)
	if err := s.Leave(ctx, "newer"); err != nil {
		t.Fatal(err)
	}
	keep("it is gone", 2, 1, 1)
	keep("still", 2, 1, 1)
	states, err := s.States(ctx)
	if err != nil || states[2].Epoch != 1 || states[2].Snapshot != 7 || states[2].Owner != "" {
		t.Errorf("the partition is %+v, %v; want it as it was left", states[2], err)
	}
	if _, err := s.Acquire(ctx, "another", time.Hour, 0, 3); err != nil {
		t.Fatal(err)
	}
	keep("what there is is shared", 2, 0, 1)
}
