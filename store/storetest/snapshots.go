// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/store"
)

func (o *owned) cells() map[string]string {
	o.t.Helper()
	out := map[string]string{}
	err := o.Cells(o.t.Context(), o.lease.Partition, func(c correlate.Cell) error {
		if _, twice := out[c.ID]; twice {
			o.t.Errorf("cell %q comes twice", c.ID)
		}
		if c.ID == "" && len(out) > 0 {
			o.t.Error("the cell of the empty id does not come first")
		}
		out[c.ID] = string(c.State)
		return nil
	})
	if err != nil {
		o.t.Fatalf("Cells: %v", err)
	}
	return out
}

func (o *owned) snap(seq uint64, full bool, cells ...correlate.Cell) {
	o.t.Helper()
	c := o.next(correlate.Changes{})
	c.Snapshot = &store.Snapshot{Seq: seq, Format: 3, Full: full, Cells: cells}
	o.commit(c)
}

func cellOf(id, state string) correlate.Cell { return correlate.Cell{ID: id, State: []byte(state)} }

func snapshots(t *testing.T, k Kind) {
	s := own(t, k)
	if got := s.cells(); len(got) != 0 {
		t.Errorf("a new partition has %v", got)
	}
	s.snap(1, false, cellOf("a", "1"), cellOf("b\x00\xff", "2"), cellOf("empty", ""), cellOf("", "engine"))
	want := map[string]string{"": "engine", "a": "1", "b\x00\xff": "2", "empty": ""}
	if diff := cmp.Diff(want, s.cells()); diff != "" {
		t.Errorf("first snapshot (-want +got):\n%s", diff)
	}
	// Only what changed comes; a cell without state goes; of a cell that comes twice the last counts.
	s.snap(2, false, cellOf("a", "3"), correlate.Cell{ID: "b\x00\xff"}, cellOf("c", "x"), cellOf("c", "4"), correlate.Cell{ID: "none"})
	want = map[string]string{"": "engine", "a": "3", "c": "4", "empty": ""}
	if diff := cmp.Diff(want, s.cells()); diff != "" {
		t.Errorf("second snapshot (-want +got):\n%s", diff)
	}
	if err := s.Release(t.Context(), 0, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	ls, err := s.Acquire(t.Context(), "b", longLease, 0, onePart)
	if err != nil || len(ls) != 1 {
		t.Fatalf("Acquire = %v, %v", ls, err)
	}
	wantLease := store.Lease{Partition: 0, Epoch: 2, Stream: streamName, Applied: 2, Snapshot: 2, Format: 3, Clock: base + 2}
	if diff := cmp.Diff(wantLease, ls[0]); diff != "" {
		t.Errorf("lease (-want +got):\n%s", diff)
	}
	s.lease = ls[0]
	s.commit(s.next(correlate.Changes{})) // no snapshot: the last one stays
	if diff := cmp.Diff(want, s.cells()); diff != "" {
		t.Errorf("after a commit without a snapshot (-want +got):\n%s", diff)
	}
	s.snap(4, true, cellOf("d", "5"))
	if diff := cmp.Diff(map[string]string{"d": "5"}, s.cells()); diff != "" {
		t.Errorf("a full snapshot (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	if err := s.Cells(t.Context(), 0, func(correlate.Cell) error { return stop }); !is(err, stop) {
		t.Errorf("Cells with a failing reader: %v", err)
	}
}

func damaged(t *testing.T, k Kind) {
	for name, damage := range map[string]string{
		"checksum":       "UPDATE snapshot_cells SET checksum = cell_hash",
		"state":          "UPDATE snapshot_cells SET state = checksum",
		"another cell":   "UPDATE snapshot_cells SET cell = checksum",
		"cut to nothing": "UPDATE snapshot_cells SET state = cell",
	} {
		s := own(t, k)
		s.snap(1, false, cellOf("", "engine"))
		if got := s.cells()[""]; got != "engine" {
			t.Fatalf("before the damage: %q", got)
		}
		k.Exec(t, s.Store, damage)
		err := s.Cells(t.Context(), 0, func(correlate.Cell) error { return nil })
		if !is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
