// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
	"tocsin/store/open"
)

// heard is what the simulated store was asked: a lease that it gave, or a commit and what it said.
type heard struct {
	lease  *store.Lease
	commit store.Commit
	said   error
}

// hear notes a commit as it is now: the engine goes on.
func (s *storeServer) hear(c store.Commit, said error) {
	if s.listens == nil {
		return
	}
	c.Changes.Incidents = slices.Clone(c.Changes.Incidents)
	for i := range c.Changes.Incidents {
		in := &c.Changes.Incidents[i]
		in.Sources, in.Entities = slices.Clone(in.Sources), slices.Clone(in.Entities)
	}
	c.Changes.Detections = slices.Clone(c.Changes.Detections)
	for i := range c.Changes.Detections {
		d := &c.Changes.Detections[i]
		d.Detection.Steps, d.Added, d.Removed = maps.Clone(d.Detection.Steps), slices.Clone(d.Added), slices.Clone(d.Removed)
	}
	s.listens(heard{commit: c, said: said})
}

// TestTheSimulatedStoreIsAStore has a real store asked what the simulated one was asked, in schedules with many faults: it gives
// the same leases, takes and refuses the same commits, and has the same in the end.
func TestTheSimulatedStoreIsAStore(t *testing.T) {
	t.Parallel()
	s := scenario{name: "closes", closes: true, piecemeal: true, torn: true, trims: true}.prepare(t)
	refused, undone := 0, 0
	for seed := range uint64(6) {
		var all []heard
		var simulated *storeServer
		s.seen = func(w *world) {
			simulated = w.store
			w.store.listens = func(h heard) {
				all = append(all, h)
				if h.said == nil && h.commit.Snapshot != nil && h.commit.Snapshot.Undo {
					undone++
				}
			}
		}
		c := &choices{random: rand.New(rand.NewPCG(seed, 7)), rate: 0.08, left: 12, wishes: slices.Repeat([]wish{{", snapshot", crashAfter}, {"restores", torn}, {"restores", torn}}, 4)}
		if err := s.play(t, c); err != nil {
			t.Fatal(err)
		}
		refused += retell(t, s, all, simulated)
	}
	if refused == 0 || undone == 0 {
		t.Errorf("%d commits were refused, and %d snapshots undone: the comparison says little", refused, undone)
	}
}

// retell asks a real store the same, and returns how many commits were refused.
func retell(t *testing.T, s scenario, all []heard, simulated *storeServer) (refused int) {
	t.Helper()
	ctx := t.Context()
	actual, err := open.Store(ctx, "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer actual.Close()
	if err := actual.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	leases, err := actual.Acquire(ctx, "x", time.Hour, 0, s.partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if l := h.lease; l != nil {
			if l.Epoch > 1 {
				if err := actual.Release(ctx, l.Partition, leases[l.Partition].Epoch); err != nil {
					t.Fatal(err)
				}
				next, err := actual.Acquire(ctx, "x", time.Hour, 0, s.partitions)
				if err != nil || len(next) != 1 {
					t.Fatalf("the lease %+v: the store gives %+v, %v", l, next, err)
				}
				leases[l.Partition] = next[0]
			}
			if d := gocmp.Diff(*l, leases[l.Partition]); d != "" {
				t.Fatalf("lease (-simulated +real):\n%s", d)
			}
			continue
		}
		err := actual.Commit(ctx, h.commit)
		if h.said != nil {
			refused++
		}
		if (err == nil) != (h.said == nil) || h.said != nil && !errors.Is(err, h.said) {
			t.Fatalf("a commit up to %d in epoch %d: the simulated store says %v, the real one %v", h.commit.Applied, h.commit.Epoch, h.said, err)
		}
	}
	compareStores(t, simulated, actual)
	return refused
}

func compareStores(t *testing.T, simulated *storeServer, actual store.Store) {
	t.Helper()
	ctx := t.Context()
	for id := range simulated.book.incidents {
		got, err := actual.Incident(ctx, id)
		got.Version = "" // it counts what people did, too, which is none of a pipeline's
		if d := gocmp.Diff(simulated.book.view(id), got); d != "" || err != nil {
			t.Errorf("incident (-simulated +real): %v\n%s", err, d)
		}
	}
	page, _, err := actual.Incidents(ctx, incident.Filter{Limit: 200})
	if listed := len(page); err != nil || listed > len(simulated.book.incidents) {
		t.Errorf("the store has %d incidents, want %d: %v", listed, len(simulated.book.incidents), err)
	}
	rows, _, err := actual.ListOutbox(ctx, store.OutboxFilter{Limit: 500})
	if err != nil {
		t.Error(err)
	}
	slices.Reverse(rows)
	var got, want []store.OutboxItem
	for _, r := range rows {
		got = append(got, store.OutboxItem{Incident: r.Incident, Revision: r.Revision, Receiver: r.Receiver, Detection: r.Detection, Kind: r.Kind})
	}
	for _, r := range simulated.book.outbox {
		want = append(want, r.item)
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("outbox (-simulated +real):\n%s", d)
	}
	for p := range simulated.parts {
		for seq := range simulated.parts[p].snapshots {
			var cells []correlate.Cell
			if err := actual.Cells(ctx, p, seq, func(c correlate.Cell) error { cells = append(cells, c); return nil }); err != nil {
				t.Error(err)
			}
			slices.SortFunc(cells, func(a, b correlate.Cell) int { return cmp.Compare(a.ID, b.ID) })
			simCells, damaged := simulated.cells(p, seq)
			if d := gocmp.Diff(simCells, cells); d != "" && damaged == nil && seq > 0 {
				t.Errorf("snapshot of %d up to %d (-simulated +real):\n%s", p, seq, d)
			}
		}
	}
}

// view is an incident as a store shows it: with all its detections and what evidence has rows of its own.
func (b *book) view(id string) incident.View {
	var ds []incident.Detection
	for _, row := range b.detections {
		if row.incident == id {
			row.detection.Evidence = b.evidenceOf(row.detection.ID)
			ds = append(ds, row.detection)
		}
	}
	slices.SortFunc(ds, func(a, b incident.Detection) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	return b.incidents[id].incident.View(ds)
}

// evidenceOf lists the evidence of a detection, by time, id and step.
func (b *book) evidenceOf(detection string) []incident.Evidence {
	var out []incident.Evidence
	for k, e := range b.evidence {
		if k.detection == detection {
			out = append(out, incident.Evidence{Detection: detection, Step: e.Step, Event: e.Ref})
		}
	}
	slices.SortFunc(out, func(a, b incident.Evidence) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), bytes.Compare(a.Event.ID[:], b.Event.ID[:]), cmp.Compare(a.Step, b.Step))
	})
	return out
}
