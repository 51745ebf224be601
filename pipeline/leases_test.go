// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/correlate"
	"tocsin/store"
	"tocsin/stream"
)

// sharing has enough partitions leased, and a share of them for each member.
type sharing struct {
	store.Partitions
	share int
	lost  []int
}

func (s sharing) Renew(context.Context, string, time.Duration, []store.Lease) ([]int, error) {
	return s.lost, nil
}
func (s sharing) Share(context.Context, int) (int, error) { return s.share, nil }
func (sharing) Acquire(context.Context, string, time.Duration, int, int) ([]store.Lease, error) {
	return nil, nil
}

// TestGivenUpOnce: of partitions that are above the fair share the same ones are told to end until they have: one that takes
// long is not followed by others. What is lost is nobody's to keep.
func TestGivenUpOnce(t *testing.T) {
	t.Parallel()
	stopped := make(map[int]bool)
	held := make(map[int]*running)
	for p := range 16 {
		held[p] = &running{lease: store.Lease{Partition: p}, stop: func() { stopped[p] = true }}
	}
	owners := &Owners{OwnerConfig: OwnerConfig{Store: sharing{share: 10, lost: []int{3}}, Metrics: NewCorrelateMetrics(prometheus.NewRegistry())}}
	for range 5 { // nothing of it has ended yet
		if _, err := owners.keep(t.Context(), held, 16); err != nil {
			t.Fatal(err)
		}
	}
	var kept []int
	for p := range 16 {
		if !stopped[p] {
			kept = append(kept, p)
		}
	}
	if want := []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(kept, want) {
		t.Errorf("kept are %v, want %v", kept, want)
	}
}

// panicking leases two partitions. The snapshot of the first ends whoever reads it in a panic; when that was is noted, and when which
// partition was given back.
type panicking struct {
	store.Partitions

	mu    sync.Mutex
	held  map[int]bool
	began time.Time
	tried []time.Duration
	freed map[int][]time.Duration
}

func (s *panicking) Acquire(context.Context, string, time.Duration, int, int) ([]store.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.Lease
	for p := range 2 {
		if !s.held[p] {
			s.held[p] = true
			out = append(out, store.Lease{Partition: p, Snapshot: 1 - uint64(p), Applied: 1 - uint64(p)})
		}
	}
	return out, nil
}

func (s *panicking) Release(_ context.Context, p int, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[p] = false
	s.freed[p] = append(s.freed[p], time.Since(s.began))
	return nil
}

func (s *panicking) Cells(context.Context, int, uint64, func(correlate.Cell) error) error {
	s.mu.Lock()
	s.tried = append(s.tried, time.Since(s.began))
	s.mu.Unlock()
	panic("nothing is without a fault")
}

func (*panicking) Renew(context.Context, string, time.Duration, []store.Lease) ([]int, error) {
	return nil, nil
}
func (*panicking) Share(context.Context, int) (int, error)                { return 2, nil }
func (*panicking) States(context.Context) ([]store.PartitionState, error) { return nil, nil }
func (*panicking) Leave(context.Context, string) error                    { return nil }

// quiet are the logs of two partitions, to which nothing comes.
type quiet struct{ ownerStreams }

func (quiet) Partitions() int                             { return 2 }
func (quiet) MatchesIdentity() string                     { return "MATCHES" }
func (quiet) MatchesLast(context.Context) (uint64, error) { return 1, nil }
func (quiet) Partition(context.Context, int, uint64) (stream.PartitionReader, error) {
	return quietReader{}, nil
}

type quietReader struct{}

func (quietReader) Close() {}
func (quietReader) Next(ctx context.Context, _ int) ([]stream.PartitionMsg, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestAPartitionThatPanics stands still for ten seconds with its lease, and is tried again; meanwhile it is not among those that are
// followed, of which none stops. Who is to end does not wait for it.
func TestAPartitionThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sets, err := NewSets(t.Context(), &setsInMemory{}, oneRule(t, "one"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s := &panicking{held: make(map[int]bool), freed: make(map[int][]time.Duration), began: time.Now()}
		owners := &Owners{Name: "me", OwnerConfig: OwnerConfig{
			Store: s, Streams: quiet{}, Sets: sets, Metrics: NewCorrelateMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
		}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- owners.Run(ctx) }()
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if followed := slices.Collect(maps.Keys(owners.Progress())); !slices.Equal(followed, []int{1}) {
			t.Errorf("followed are %v, want 1 alone", followed)
		}
		toEnd := time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if d := time.Since(toEnd); d > 0 {
			t.Errorf("it ends after %s", d)
		}
		// A lease that was given back is asked for with the next renewal.
		again := afterPanic + leaseTTL/5
		if want := []time.Duration{0, again, 2 * again}; len(s.tried) != 3 || s.tried[1] < afterPanic || s.tried[1] > want[1] || s.tried[2]-s.tried[1] < afterPanic || s.tried[2] > want[2] {
			t.Errorf("it was tried at %v, want about %v", s.tried, want)
		}
		if len(s.freed[0]) != 2 || len(s.freed[1]) != 0 {
			t.Errorf("given back were %v", s.freed)
		}
	})
}
