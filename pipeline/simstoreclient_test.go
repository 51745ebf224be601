// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// storeClient is how one process sees the store.
type storeClient struct{ c client }

func (p *process) store() storeClient { return storeClient{client{p, theStore}} }

func (s storeClient) server() *storeServer { return s.c.p.w.store }

// Acquire wants no less than the fair share.
func (s storeClient) Acquire(ctx context.Context, owner string, ttl time.Duration, _, total int) ([]store.Lease, error) {
	return asks(ctx, s.c, &request{label: "acquires", kind: aGrant}, func(bool) ([]store.Lease, error) {
		return s.server().acquire(owner, ttl, total), nil
	})
}

func (s storeClient) Renew(ctx context.Context, owner string, ttl time.Duration, held []store.Lease) ([]int, error) {
	return asks(ctx, s.c, &request{label: "renews", kind: aBeat}, func(bool) ([]int, error) {
		return s.server().renew(owner, ttl, held), nil
	})
}

// Attend is not asked for: all processes own partitions.
func (storeClient) Attend(context.Context, string, time.Duration) error { return errAway }

func (s storeClient) Share(ctx context.Context, total int) (int, error) {
	return asks(ctx, s.c, &request{label: "asks for its share", kind: aBeat}, func(bool) (int, error) {
		return s.server().share(total), nil
	})
}

func (s storeClient) Release(ctx context.Context, partition int, epoch int64) error {
	return s.c.ask(ctx, &request{label: fmt.Sprintf("releases %d of epoch %d", partition, epoch), kind: aWrite, do: func(bool) error {
		s.server().release(partition, epoch)
		return nil
	}})
}

func (s storeClient) Leave(ctx context.Context, owner string) error {
	return s.c.ask(ctx, &request{label: "leaves", kind: aWrite, do: func(bool) error {
		s.server().leave(owner)
		return nil
	}})
}

// ClearLeases is not asked for: no process is the only one.
func (storeClient) ClearLeases(context.Context) error { return errAway }

func (s storeClient) Commit(ctx context.Context, x store.Commit) error {
	label := fmt.Sprintf("commits %d up to %d in epoch %d", x.Partition, x.Applied, x.Epoch)
	if x.Snapshot != nil {
		label += ", snapshot"
	}
	err := s.c.ask(ctx, &request{label: label, kind: aWrite, do: func(bool) error { return s.server().commit(x) }})
	if errors.Is(err, store.ErrBehind) { // the store says that it is no race
		s.c.p.w.mu.Lock()
		s.c.p.w.complaint = fmt.Errorf("%s: %w", label, err)
		s.c.p.w.mu.Unlock()
	}
	return err
}

func (s storeClient) Cells(ctx context.Context, partition int, seq uint64, fn func(correlate.Cell) error) error {
	type snapshot struct {
		cells   []correlate.Cell
		damaged error
	}
	q := &request{label: fmt.Sprintf("restores %d as of %d", partition, seq), kind: aRestore, partition: partition, seq: seq}
	snap, err := asks(ctx, s.c, q, func(bool) (snapshot, error) {
		cells, damaged := s.server().cells(partition, seq)
		return snapshot{cells, damaged}, nil
	})
	if err != nil {
		return err
	}
	for _, x := range snap.cells {
		if err := fn(x); err != nil {
			return err
		}
	}
	return snap.damaged
}

func (s storeClient) States(ctx context.Context) ([]store.PartitionState, error) {
	return asks(ctx, s.c, &request{label: "asks for the snapshots", kind: aRead}, func(bool) ([]store.PartitionState, error) {
		var out []store.PartitionState
		for _, p := range s.server().parts {
			out = append(out, store.PartitionState{Lease: p.Lease, Owner: p.owner})
		}
		return out, nil
	})
}

// Place and Incident are for those who close incidents.
func (s storeClient) Place(ctx context.Context, id string) (store.Place, error) {
	return asks(ctx, s.c, &request{label: "looks where an incident is", kind: aRead}, func(bool) (store.Place, error) {
		return s.server().book.placeOf(id)
	})
}

func (s storeClient) Incident(ctx context.Context, id string) (incident.View, error) {
	return asks(ctx, s.c, &request{label: "looks at an incident", kind: aBeat}, func(bool) (incident.View, error) {
		row, ok := s.server().book.incidents[id]
		if !ok {
			return incident.View{}, incident.ErrNotFound
		}
		return row.incident.View(nil), nil
	})
}
