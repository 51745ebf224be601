// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/event"
	"tocsin/store"
)

// Owners holds leases and runs an owner for each.
type Owners struct {
	OwnerConfig
	// Name is this member's, unique among those that share the store.
	Name string

	turns    turns
	newer    []int // partitions that wait for a newer version, when it last looked
	mu       sync.Mutex
	progress map[int]*Progress
}

// Progress returns how far each owned partition is.
func (s *Owners) Progress() map[int]*Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[int]*Progress, len(s.progress))
	maps.Copy(out, s.progress)
	return out
}

// Progress is how far a partition has been read.
type Progress struct {
	// Seq is the MATCHES sequence up to which everything is decided and committed; Clock the
	// partition's clock.
	Seq   atomic.Uint64
	Clock atomic.Int64
	Cells atomic.Int64
}

// running is an owner at work.
type running struct {
	lease store.Lease
	stop  context.CancelFunc
	done  chan struct{}
}

// leaseTTL is how long a lease holds without being renewed. Whoever dies is missed for so long and a fifth of it, until
// another asks again; whoever is slower than that only has to read its windows again.
const leaseTTL = 2 * time.Second

// afterPanic is how long a partition stands still whose owner ended in a panic. To leave out what it was at would lose a match, so it is tried again
// from what is committed, for as long as no version comes that is without the fault; the other partitions go on.
const afterPanic = 10 * time.Second

// Run takes a fair share of the partitions and runs them until ctx ends. Leases are renewed every fifth of their time. An
// owner whose lease could not be renewed goes on: nobody can have taken its partition without the store, and if somebody
// has, the epoch of its next commit is refused.
func (s *Owners) Run(ctx context.Context) error {
	total := s.Streams.Partitions()
	s.turns = newTurns()
	held := make(map[int]*running)
	ended := make(chan *running, 2*total)
	var wg sync.WaitGroup
	for ctx.Err() == nil {
		leases, err := s.keep(ctx, held, total)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("leases", "err", err)
		}
		for _, l := range leases {
			s.start(ctx, l, held, &wg, ended)
		}
		s.wait(ctx, held, ended)
	}
	stopAll(held)
	wg.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTTL)
	defer cancel()
	if err := s.Store.Leave(ctx, s.Name); err != nil {
		s.Log.Warn("leave", "err", err)
	}
	return nil
}

// wait sleeps until the next renewal, or until an owner ends.
func (s *Owners) wait(ctx context.Context, held map[int]*running, ended <-chan *running) {
	t := time.NewTimer(leaseTTL / 5)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case r := <-ended:
			if held[r.lease.Partition] == r {
				delete(held, r.lease.Partition)
			}
			s.release(ctx, r.lease)
		}
	}
}

// release gives a partition back. What the store did not hear of is free when the lease has run out.
func (s *Owners) release(ctx context.Context, l store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTTL)
	defer cancel()
	if err := s.Store.Release(ctx, l.Partition, l.Epoch); err != nil {
		s.Log.Warn("release", "partition", l.Partition, "err", err)
	}
}

// keep renews what is held, stops what was lost, gives up what is more than a fair share, and returns what it could take. A
// store that does not answer is asked again.
func (s *Owners) keep(ctx context.Context, held map[int]*running, total int) ([]store.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTTL)
	defer cancel()
	leases := make([]store.Lease, 0, len(held))
	partitions := slices.Sorted(maps.Keys(held))
	for _, p := range partitions {
		leases = append(leases, held[p].lease)
	}
	lost, err := s.Store.Renew(ctx, s.Name, leaseTTL, leases)
	if err != nil {
		return nil, err
	}
	for _, p := range lost {
		if r := held[p]; r != nil {
			r.stop()
		}
	}
	share, err := s.Store.Share(ctx, total)
	if err != nil {
		return nil, err
	}
	// Those that are given up are the same each time: one that takes long to end is not followed by another.
	keeping := slices.DeleteFunc(partitions, func(p int) bool { return slices.Contains(lost, p) })
	for _, p := range keeping[min(share, len(keeping)):] {
		held[p].stop()
	}
	var more []store.Lease
	if len(keeping) < share {
		if more, err = s.Store.Acquire(ctx, s.Name, leaseTTL, 0, total); err != nil {
			return nil, err
		}
	}
	if len(keeping)+len(more) >= min(share, total) {
		s.notTaken(nil)
		return more, nil
	}
	return more, s.lookForNewer(ctx, total)
}

func (s *Owners) start(ctx context.Context, l store.Lease, held map[int]*running, wg *sync.WaitGroup, ended chan<- *running) {
	octx, stop := context.WithCancel(ctx)
	r := &running{lease: l, stop: stop, done: make(chan struct{})}
	held[l.Partition] = r
	place := &Progress{}
	place.Seq.Store(l.Applied)
	place.Clock.Store(l.Clock)
	s.mu.Lock()
	if s.progress == nil {
		s.progress = make(map[int]*Progress)
	}
	s.progress[l.Partition] = place
	s.mu.Unlock()
	wg.Go(func() {
		defer close(r.done)
		defer stop()
		o := &owner{OwnerConfig: s.OwnerConfig, lease: l, turns: s.turns, place: place}
		err := o.guarded(octx)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errLost) || octx.Err() != nil:
			s.Log.Warn("partition handed over", "partition", l.Partition, "err", err)
		default:
			log := s.Log
			if bug, ok := errors.AsType[*event.Panic](err); ok {
				log = log.With("stack", string(bug.Stack))
			}
			log.Error("partition stopped", "partition", l.Partition, "err", err)
		}
		s.mu.Lock()
		if s.progress[l.Partition] == place {
			delete(s.progress, l.Partition)
		}
		s.mu.Unlock()
		if _, bug := errors.AsType[*event.Panic](err); bug {
			pause(octx, afterPanic) // with the lease: whoever took it would only come to the same
		}
		ended <- r
	})
}

func stopAll(held map[int]*running) {
	for _, r := range held {
		r.stop()
	}
	for _, r := range held {
		<-r.done
	}
}
