// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/store"
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
