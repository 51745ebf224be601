// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"tocsin/store"
)

// running is an owner at work.
type running struct {
	lease store.Lease
	stop  context.CancelFunc
	done  chan struct{}
}

// Run takes a fair share of the partitions and runs them until ctx ends. Leases are renewed at a
// third of their time; an owner that could not renew for two thirds of it stops by itself, before
// the store gives its partition to another.
func (s *Owners) Run(ctx context.Context) error {
	total := s.Streams.Partitions()
	held := make(map[int]*running)
	ended := make(chan *running, 2*total)
	var wg sync.WaitGroup
	renewed := time.Now()
	for ctx.Err() == nil {
		start := time.Now()
		if err := s.keep(ctx, held, total); err != nil {
			s.Log.Error("leases", "err", err)
			if time.Since(renewed) > s.TTL*2/3 {
				stopAll(held)
			}
		} else {
			renewed = start
		}
		leases, err := s.Store.Acquire(ctx, s.Name, s.TTL, 0, total)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("acquire partitions", "err", err)
		}
		for _, l := range leases {
			s.start(ctx, l, held, &wg, ended)
		}
		s.wait(ctx, held, ended)
	}
	stopAll(held)
	wg.Wait()
	if err := s.Store.Leave(context.WithoutCancel(ctx), s.Name); err != nil {
		s.Log.Warn("leave", "err", err)
	}
	return nil
}

// wait sleeps until the next renewal, or until an owner ends.
func (s *Owners) wait(ctx context.Context, held map[int]*running, ended <-chan *running) {
	t := time.NewTimer(s.TTL / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case r := <-ended:
			p := r.lease.Partition
			if held[p] == r {
				delete(held, p)
			}
			if err := s.Store.Release(context.WithoutCancel(ctx), p, r.lease.Epoch); err != nil {
				s.Log.Warn("release", "partition", p, "err", err)
			}
		}
	}
}

// keep renews what is held, stops what was lost, and gives up what is more than a fair share.
func (s *Owners) keep(ctx context.Context, held map[int]*running, total int) error {
	leases := make([]store.Lease, 0, len(held))
	for _, r := range held {
		leases = append(leases, r.lease)
	}
	lost, err := s.Store.Renew(ctx, s.Name, s.TTL, leases)
	if err != nil {
		return err
	}
	for _, p := range lost {
		if r := held[p]; r != nil {
			r.stop()
		}
	}
	share, err := s.Store.Share(ctx, total)
	if err != nil {
		return err
	}
	over := len(held) - len(lost) - share
	for _, r := range held {
		if over <= 0 {
			break
		}
		r.stop()
		over--
	}
	return nil
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
		o := &owner{OwnerConfig: s.OwnerConfig, lease: l, place: place}
		if err := o.run(octx); err != nil && ctx.Err() == nil {
			if errors.Is(err, errLost) {
				s.Log.Warn("partition handed over", "partition", l.Partition, "err", err)
			} else {
				s.Log.Error("partition stopped", "partition", l.Partition, "err", err)
			}
		}
		s.mu.Lock()
		if s.progress[l.Partition] == place {
			delete(s.progress, l.Partition)
		}
		s.mu.Unlock()
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
