// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/store"
)

// cells returns those of the snapshot of a sequence.
func (o *owned) cells(seq uint64) map[string]string {
	o.t.Helper()
	out := map[string]string{}
	err := o.Cells(o.t.Context(), o.lease.Partition, seq, func(c correlate.Cell) error {
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

// snap saves cells that changed since before; of 0 they are all that there is.
func (o *owned) snap(before, seq uint64, cells ...correlate.Cell) {
	o.t.Helper()
	c := o.next(correlate.Changes{})
	c.Snapshot = &store.Snapshot{Seq: seq, Before: before, Format: 3, Full: before == 0, Cells: cells}
	o.commit(c)
	o.commit(c) // done twice is done once
}

// has wants the snapshots of some sequences to have these cells.
func (o *owned) has(what string, want map[uint64]map[string]string) {
	o.t.Helper()
	for seq, cells := range want {
		if diff := cmp.Diff(cells, o.cells(seq)); diff != "" {
			o.t.Errorf("%s, the snapshot of %d (-want +got):\n%s", what, seq, diff)
		}
	}
}

func cellOf(id, state string) correlate.Cell { return correlate.Cell{ID: id, State: []byte(state)} }

func snapshots(t *testing.T, k Kind) {
	s := own(t, k)
	s.has("a new partition", map[uint64]map[string]string{0: {}})
	s.snap(0, 1, cellOf("a", "1"), cellOf("b\x00\xff", "2"), cellOf("empty", ""), cellOf("", "engine"))
	first := map[string]string{"": "engine", "a": "1", "b\x00\xff": "2", "empty": ""}
	s.has("the first", map[uint64]map[string]string{1: first})
	// Only what changed comes; a cell without state goes; of a cell that comes twice the last counts.
	s.snap(1, 2, cellOf("a", "3"), correlate.Cell{ID: "b\x00\xff"}, cellOf("c", "x"), cellOf("c", "4"), correlate.Cell{ID: "none"})
	second := map[string]string{"": "engine", "a": "3", "c": "4", "empty": ""}
	s.has("the second", map[uint64]map[string]string{1: first, 2: second})
	if err := s.Release(t.Context(), 0, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	ls, err := s.Acquire(t.Context(), "b", longLease, 0, onePart)
	if err != nil || len(ls) != 1 {
		t.Fatalf("Acquire = %v, %v", ls, err)
	}
	wantLease := store.Lease{Partition: 0, Epoch: 2, Stream: streamName, Applied: 2, Snapshot: 2, Before: 1, Format: 3, Clock: base + 2}
	if diff := cmp.Diff(wantLease, ls[0]); diff != "" {
		t.Errorf("lease (-want +got):\n%s", diff)
	}
	s.lease = ls[0]
	s.commit(s.next(correlate.Changes{}))
	s.has("after a commit without a snapshot", map[uint64]map[string]string{1: first, 2: second})
	// What had gone comes again, what came goes, and nothing is kept of the first one.
	s.snap(2, 4, cellOf("b\x00\xff", "5"), correlate.Cell{ID: "c"}, correlate.Cell{ID: "a"}, cellOf("", "engine 4"))
	third := map[string]string{"": "engine 4", "b\x00\xff": "5", "empty": ""}
	s.has("the third", map[uint64]map[string]string{2: second, 4: third})
	s.snap(4, 4, cellOf("", "engine 4"))
	s.has("one without news", map[uint64]map[string]string{4: third})
	s.state(4, 4)
	late := s.next(correlate.Changes{})
	late.Snapshot = &store.Snapshot{Seq: 4, Before: 2, Format: 3, Cells: []correlate.Cell{cellOf("b\x00\xff", "5"), {ID: "c"}, {ID: "a"}, cellOf("", "engine 4")}}
	s.commit(late)
	s.has("one that comes again later", map[uint64]map[string]string{4: third})
	s.state(4, 4)
	s.snap(4, 5, cellOf("empty", "no more"), correlate.Cell{ID: "b\x00\xff"})
	s.has("the one after it, in which goes what went before", map[uint64]map[string]string{4: third, 5: {"": "engine 4", "empty": "no more"}})
	s.snap(0, 3, cellOf("d", "5"))
	s.has("a full one, of another log", map[uint64]map[string]string{3: {"d": "5"}})
	s.state(3, 0)
	stop := errors.New("stop")
	if err := s.Cells(t.Context(), 0, 3, func(correlate.Cell) error { return stop }); !is(err, stop) {
		t.Errorf("Cells with a failing reader: %v", err)
	}
}

// state wants the partition's two snapshots to be of these sequences.
func (o *owned) state(last, before uint64) {
	o.t.Helper()
	states, err := o.States(o.t.Context())
	if err != nil || states[0].Snapshot != last || states[0].Before != before {
		o.t.Errorf("States = %+v, %v; want snapshots of %d and %d", states, err, last, before)
	}
}

// undone: on a snapshot that cannot be read the next one is made of the one before, which stays.
func undone(t *testing.T, k Kind) {
	for _, seq := range []uint64{2, 3} { // nothing new has come, or something
		s := own(t, k)
		first := map[string]string{"": "engine", "kept": "1", "changed": "1", "gone": "1"}
		s.snap(0, 1, cellOf("", "engine"), cellOf("kept", "1"), cellOf("changed", "1"), cellOf("gone", "1"))
		s.snap(1, 2, cellOf("", "engine 2"), cellOf("changed", "2"), cellOf("new", "2"), correlate.Cell{ID: "gone"})
		c := s.next(correlate.Changes{})
		c.Snapshot = &store.Snapshot{
			Seq: seq, Before: 1, Undo: true, Format: 3, Cells: []correlate.Cell{cellOf("", "engine 3"), {ID: "kept"}, cellOf("newer", "3")},
		}
		for range 2 {
			s.commit(c)
			s.has("made of the first", map[uint64]map[string]string{1: first, seq: {"": "engine 3", "changed": "1", "gone": "1", "newer": "3"}})
		}
		s.state(seq, 1)
	}
}

// earlierVersion: a version that keeps one snapshot goes on writing while others keep two. What it writes is the last one, and none
// before it is taken for what it is not.
func earlierVersion(t *testing.T, k Kind) {
	s := own(t, k)
	s.snap(0, 1, cellOf("", "engine"), cellOf("a", "1"))
	s.snap(1, 2, cellOf("", "engine 2"), cellOf("a", "2"), cellOf("b", "2"))
	k.Exec(t, s.Store, "UPDATE partitions SET snapshot_seq = 3")
	k.Exec(t, s.Store, "DELETE FROM snapshot_cells WHERE prev_state IS NULL") // b
	s.state(3, 0)
	s.snap(3, 4, cellOf("a", "4"))
	s.has("the next one", map[uint64]map[string]string{3: {"": "engine 2", "a": "2"}, 4: {"": "engine 2", "a": "4"}})
	s.state(4, 3)
}

func damaged(t *testing.T, k Kind) {
	for name, damage := range map[string]string{
		"checksum":       "checksum = cell_hash",
		"state":          "state = checksum",
		"another cell":   "cell = checksum",
		"cut to nothing": "state = cell",
	} {
		s := own(t, k)
		s.snap(0, 1, cellOf("", "engine"), cellOf("gone", "1"))
		s.snap(1, 2, cellOf("", "engine 2"), correlate.Cell{ID: "gone"})
		s.has("before the damage", map[uint64]map[string]string{1: {"": "engine", "gone": "1"}, 2: {"": "engine 2"}})
		refused := func(seq uint64) bool {
			err := s.Cells(t.Context(), 0, seq, func(correlate.Cell) error { return nil })
			if err != nil && !is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrCorrupt", name, err)
			}
			return err != nil
		}
		k.Exec(t, s.Store, "UPDATE snapshot_cells SET "+damage)
		if !refused(2) {
			t.Errorf("%s: the last snapshot is read", name)
		}
		if name != "another cell" { // both snapshots have the cell's one name
			s.has(name+" of the last one", map[uint64]map[string]string{1: {"": "engine", "gone": "1"}})
		}
		s.snap(0, 3, cellOf("", "engine"), cellOf("gone", "1"))
		s.snap(3, 4, cellOf("", "engine 2"), correlate.Cell{ID: "gone"})
		k.Exec(t, s.Store, "UPDATE snapshot_gone SET "+damage)
		if !refused(3) || refused(4) {
			t.Errorf("%s of a cell that went: it is of the one before, and of no other", name)
		}
		k.Exec(t, s.Store, "DELETE FROM snapshot_gone")
		k.Exec(t, s.Store, "UPDATE snapshot_cells SET "+strings.NewReplacer("state =", "prev_state =", "checksum =", "prev_checksum =").Replace(damage))
		if !refused(3) || refused(4) && name != "another cell" {
			t.Errorf("%s of a state before: it is of the one before, and of no other", name)
		}
	}
}
