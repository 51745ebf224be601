// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"slices"

	"tocsin/correlate"
)

// lookForNewer says which partitions nobody has and this version cannot take, since their snapshots are of a newer one: to read
// their log without them would throw windows away. The store keeps them for who reads them; until such a process comes they stand
// still.
func (s *Owners) lookForNewer(ctx context.Context, total int) error {
	states, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	var newer []int
	for _, p := range states {
		if p.Owner == "" && p.Format > correlate.SnapshotFormat && p.Partition < total {
			newer = append(newer, p.Partition)
		}
	}
	if len(newer) > 0 && !slices.Equal(newer, s.newer) {
		s.Log.Error("partitions stand still: their snapshots are of a newer version, and wait for a process of that version",
			"partitions", newer, "reads_format", correlate.SnapshotFormat)
	}
	s.notTaken(newer)
	return nil
}

// notTaken notes them.
func (s *Owners) notTaken(newer []int) {
	s.newer = newer
	s.Metrics.Newer.Set(float64(len(newer)))
}
