// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"

	"tocsin/correlate"
)

// newerSnapshots: a partition whose snapshot is of a newer format is left to members that read it, and these have room for it.
func newerSnapshots(t *testing.T, k Kind) {
	s := k.Open(t)
	ctx := t.Context()
	const total = 8
	first, err := s.Acquire(ctx, "a", noLease, 0, total) // makes the partitions, and runs out
	if err != nil || len(first) != total {
		t.Fatalf("Acquire = %v, %v", first, err)
	}
	k.Exec(t, s, fmt.Sprint("UPDATE partitions SET snapshot_format = ", correlate.SnapshotFormat, " - id % 2"))
	k.Exec(t, s, fmt.Sprint("UPDATE partitions SET snapshot_format = ", correlate.SnapshotFormat+1, " WHERE id < 2"))
	got, err := s.Acquire(ctx, "a", longLease, 0, total)
	if err != nil || len(got) != total-2 || got[0].Partition != 2 {
		t.Errorf("Acquire = %v, %v; want all but the two that are newer", got, err)
	}
	if err := s.Leave(ctx, "a"); err != nil {
		t.Fatal(err)
	}

	k.Exec(t, s, "UPDATE members SET alive_until = 0")
	member := func(name string, reads int) {
		k.Exec(t, s, fmt.Sprintf("INSERT INTO members (owner, alive_until, correlates, reads) VALUES ('%s', %d, TRUE, %d)", name, int64(1)<<62, reads))
	}
	share := func(what string, want int) {
		t.Helper()
		if got, err := s.Share(ctx, total); err != nil || got != want {
			t.Errorf("%s: a share of %d, %v; want %d", what, got, err, want)
		}
	}
	for range 2 {
		if _, err := s.Acquire(ctx, "a", longLease, 0, total); err != nil {
			t.Fatal(err)
		}
		k.Exec(t, s, "UPDATE members SET reads = 0 WHERE owner = 'a'") // as an earlier process of its name
	}
	if _, err := s.Renew(ctx, "a", longLease, nil); err != nil {
		t.Fatal(err)
	}
	member("older 1", correlate.SnapshotFormat-1)
	member("older 2", correlate.SnapshotFormat-1)
	member("older 3", correlate.SnapshotFormat-1)
	share("five that only this one and newer ones read, of eight", 5)
	member("newer", correlate.SnapshotFormat+1)
	share("with somebody else who reads them", 3)
	k.Exec(t, s, fmt.Sprint("UPDATE partitions SET snapshot_format = ", correlate.SnapshotFormat+1))
	share("what this one cannot read is no share of its own", 2)
}
