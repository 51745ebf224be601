// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

func fencing(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	if err := s.Release(t.Context(), 0, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	taken, err := s.Acquire(t.Context(), "b", longLease, 0, onePart)
	if err != nil || len(taken) != 1 || taken[0].Epoch <= s.lease.Epoch || taken[0].Applied != 1 || taken[0].Stream != streamName {
		t.Fatalf("b's lease = %+v, %v after %+v", taken, err, s.lease)
	}

	changed := in
	changed.Revision, changed.Title = 2, "zombie"
	e := evidenceOf(1, 1, "s")
	c := s.next(correlate.Changes{
		Incidents: []incident.Incident{changed, anOpen(in.Rule, 2)}, Detections: []correlate.DetectionChange{aDetectionOf(in, 1, e)},
		Stats: []correlate.Stats{{Rule: "r", Matched: 1}},
	}, freeze(in.ID, e)...)
	c.Outbox = []store.OutboxItem{{Incident: in.ID, Revision: 2, Receiver: "hook", Kind: "updated"}}
	c.Snapshot = &store.Snapshot{Seq: 2, Cells: []correlate.Cell{{ID: "x", State: []byte("zombie")}}}
	if err := s.Commit(t.Context(), c); !is(err, store.ErrFenced) {
		t.Fatalf("a zombie's commit: %v, want ErrFenced", err)
	}
	if got := s.list(incident.Filter{}); len(got) != 1 || s.incident(in.ID).Title == "zombie" || len(s.incident(in.ID).Detections) != 0 {
		t.Errorf("the zombie wrote: %v", got)
	}
	stats, err := s.OutboxStats(t.Context())
	if err != nil || stats.Pending != 0 {
		t.Errorf("the zombie's alert is there: %+v, %v", stats, err)
	}
	err = s.Cells(t.Context(), 0, 2, func(x correlate.Cell) error { return fmt.Errorf("the zombie's cell %q is there", x.ID) })
	if err != nil {
		t.Error(err)
	}
	states, err := s.States(t.Context())
	if err != nil || states[0].Applied != 1 || states[0].Owner != "b" || states[0].Snapshot != 0 {
		t.Errorf("States = %+v, %v", states, err)
	}
	c.Partition = 7
	if err := s.Commit(t.Context(), c); !is(err, store.ErrFenced) {
		t.Errorf("a commit to no partition: %v, want ErrFenced", err)
	}
	if err := s.Release(t.Context(), 0, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	if lost, err := s.Renew(t.Context(), "b", longLease, taken); err != nil || len(lost) != 0 {
		t.Errorf("a zombie's release took b's lease: lost %v, %v", lost, err)
	}
}

// zombies lets owners take a partition from each other while all of them go on committing. The outbox numbers the
// commits that went through: their epochs must never go down.
func zombies(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	if err := s.Release(t.Context(), 0, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	leases := []store.Lease{s.lease}
	var wg sync.WaitGroup
	var fenced int
	for g := range 4 {
		wg.Go(func() {
			for i := range 30 {
				if i%5 == g {
					ls, err := s.Acquire(t.Context(), fmt.Sprint("owner", g), noLease, 0, onePart)
					if err != nil {
						t.Errorf("Acquire: %v", err)
						return
					}
					mu.Lock()
					leases = append(leases, ls...)
					mu.Unlock()
				}
				mu.Lock()
				l := leases[max(0, len(leases)-1-i%3)]
				mu.Unlock()
				err := s.Commit(t.Context(), store.Commit{
					Partition: 0, Epoch: l.Epoch, Stream: streamName, Applied: 1,
					Outbox: []store.OutboxItem{{Incident: in.ID, Revision: int64(g*1000 + i), Receiver: "hook", Kind: fmt.Sprint(l.Epoch)}},
				})
				switch {
				case is(err, store.ErrFenced):
					mu.Lock()
					fenced++
					mu.Unlock()
				case err != nil:
					t.Errorf("Commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	rows, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{Limit: 500})
	if err != nil || len(rows)+fenced != 120 || fenced == 0 || len(rows) == 0 {
		t.Fatalf("%d commits went through and %d were fenced of 120 (%v)", len(rows), fenced, err)
	}
	for i := 1; i < len(rows); i++ {
		newer, err1 := strconv.Atoi(rows[i-1].Kind)
		older, err2 := strconv.Atoi(rows[i].Kind)
		if err1 != nil || err2 != nil || older > newer {
			t.Errorf("alert %d of epoch %s came after one of epoch %s", rows[i-1].ID, rows[i-1].Kind, rows[i].Kind)
		}
	}
}

func behind(t *testing.T, k Kind) {
	s := own(t, k)
	c := s.next(correlate.Changes{})
	c.Applied = 10
	s.commit(c)
	c.Applied = 9
	if err := s.Commit(t.Context(), c); !is(err, store.ErrBehind) || is(err, store.ErrFenced) {
		t.Errorf("a commit that goes back: %v, want ErrBehind", err)
	}
	c.Stream = otherStream
	s.commit(c) // another stream counts anew
	states, err := s.States(t.Context())
	if err != nil || states[0].Applied != 9 || states[0].Stream != otherStream || states[0].Clock != c.Clock {
		t.Errorf("States = %+v, %v", states, err)
	}
}

func leases(t *testing.T, k Kind) {
	s := k.Open(t)
	ctx := t.Context()
	a, err := s.Acquire(ctx, "a", longLease, 2, 4)
	if err != nil || len(a) != 2 {
		t.Fatalf("a wants 2: %v, %v", a, err)
	}
	if more, err := s.Acquire(ctx, "a", longLease, 2, 4); err != nil || len(more) != 0 {
		t.Errorf("a has 2 and wants 2, and gets %v, %v", more, err)
	}
	// b's leases run out at once.
	b, err := s.Acquire(ctx, "b", time.Millisecond, 0, 4)
	if err != nil || len(b) != 2 {
		t.Fatalf("b = %v, %v", b, err)
	}
	var c []store.Lease
	for deadline := time.Now().Add(10 * time.Second); len(c) < 2; {
		got, err := s.Acquire(ctx, "c", longLease, 0, 4)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("c waits for leases that ran out: has %v, %v", c, err)
		}
		c = append(c, got...)
	}
	for _, l := range c {
		if l.Epoch != 2 {
			t.Errorf("c's lease %+v, want epoch 2", l)
		}
	}
	lost, err := s.Renew(ctx, "b", longLease, b)
	slices.Sort(lost)
	if err != nil || !slices.Equal(lost, []int{b[0].Partition, b[1].Partition}) {
		t.Errorf("b lost %v, %v; want both", lost, err)
	}
	if lost, err := s.Renew(ctx, "a", longLease, append(a, b...)); err != nil || len(lost) != 2 {
		t.Errorf("a, which claims to hold all: lost %v, %v", lost, err)
	}
	// An owner of the same name with an old epoch is not the owner.
	old := c[0]
	old.Epoch--
	if lost, err := s.Renew(ctx, "c", longLease, []store.Lease{old}); err != nil || len(lost) != 1 {
		t.Errorf("Renew with an old epoch: lost %v, %v", lost, err)
	}
	if err := s.Leave(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	states, err := s.States(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var owners []string
	for _, p := range states {
		owners = append(owners, p.Owner)
	}
	if diff := cmp.Diff([]string{"a", "a", "", ""}, owners); diff != "" {
		t.Errorf("owners after c left (-want +got):\n%s", diff)
	}
	if err := s.ClearLeases(ctx); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Acquire(ctx, "d", longLease, 0, 4); err != nil || len(d) != 4 {
		t.Errorf("after ClearLeases d gets %v, %v; want all", d, err)
	}
}

func committed(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	taken := func(who string) int {
		t.Helper()
		ls, err := s.Acquire(ctx, who, longLease, 0, onePart)
		if err != nil {
			t.Fatal(err)
		}
		return len(ls)
	}
	renew := func(ttl time.Duration) {
		t.Helper()
		if lost, err := s.Renew(ctx, ownerA, ttl, []store.Lease{s.lease}); err != nil || len(lost) != 0 {
			t.Fatalf("lost %v, %v", lost, err)
		}
	}
	renew(-time.Hour) // it has run out, and a is no member that counts
	c := s.next(correlate.Changes{})
	c.Lease = longLease
	s.commit(c)
	if n := taken("b"); n != 0 {
		t.Error("the lease of who has just committed was taken")
	}
	renew(-time.Hour)
	s.commit(s.next(correlate.Changes{}))
	if n := taken("b"); n != 1 {
		t.Error("a commit that says nothing of the lease keeps it")
	}
	states, err := s.States(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// What was given back stays free, however late a commit comes.
	s.lease = states[0].Lease
	if err := s.Release(ctx, s.lease.Partition, s.lease.Epoch); err != nil {
		t.Fatal(err)
	}
	c = s.next(correlate.Changes{})
	c.Lease = longLease
	s.commit(c)
	if n := taken("b"); n != 1 {
		t.Error("a lease that was given back is kept by a commit")
	}
}

func fairShare(t *testing.T, k Kind) {
	s := k.Open(t)
	ctx := t.Context()
	const total = 16
	held := map[string][]store.Lease{}
	// Each round every member takes its share and gives back what is above it.
	round := func(members ...string) {
		for _, m := range members {
			got, err := s.Acquire(ctx, m, longLease, 0, total)
			if err != nil {
				t.Fatal(err)
			}
			held[m] = append(held[m], got...)
			share, err := s.Share(ctx, total)
			if err != nil {
				t.Fatal(err)
			}
			for len(held[m]) > share {
				l := held[m][0]
				if err := s.Release(ctx, l.Partition, l.Epoch); err != nil {
					t.Fatal(err)
				}
				held[m] = held[m][1:]
			}
		}
	}
	round("a")
	if len(held["a"]) != total {
		t.Fatalf("one member holds %d", len(held["a"]))
	}
	for range 3 {
		round("a", "b", "c")
	}
	seen := map[int]string{}
	var sizes []string
	for _, m := range []string{"a", "b", "c"} {
		for _, l := range held[m] {
			if by := seen[l.Partition]; by != "" {
				t.Errorf("partition %d is held by %s and %s", l.Partition, by, m)
			}
			seen[l.Partition] = m
		}
		sizes = append(sizes, fmt.Sprint(len(held[m])))
	}
	if len(seen) != total || strings.Join(sizes, " ") != "6 6 4" {
		t.Errorf("shares %v over %d partitions, want 6 6 4 over 16", sizes, len(seen))
	}
	if err := s.Leave(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	held["b"] = nil
	for range 2 {
		round("a", "c")
	}
	if len(held["a"]) != 8 || len(held["c"]) != 8 {
		t.Errorf("after b left: %d and %d, want 8 and 8", len(held["a"]), len(held["c"]))
	}
}
