// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// Bounds of backtests: one runs at a time, so many wait, and the last so many that ended are remembered, each for an hour.
const (
	maxWaiting    = 4
	maxRemembered = 20
	rememberedFor = time.Hour
)

// States of a backtest.
const (
	BacktestWaiting   = "waiting"
	BacktestRunning   = "running"
	BacktestDone      = "done"
	BacktestFailed    = "failed"
	BacktestCancelled = "cancelled"
)

// BacktestJob is a backtest as it is now.
type BacktestJob struct {
	ID, State string
	Set       *rules.Set
	// Done of Of messages have been read; Searched and Matched count events.
	Done, Of, Searched, Matched int64
	// Err is why it failed, Result is there when it is done.
	Err    error
	Result *BacktestResult
}

// Backtests runs rules over what is kept, one job at a time, in the memory of this process.
type Backtests struct {
	streams  searchStreams
	parser   Parser
	lateness time.Duration
	// more says that a job waits.
	more chan struct{}

	mu   sync.Mutex
	jobs []*job // the oldest first
}

type job struct {
	BacktestJob
	test   *backtest
	ctx    context.Context //nolint:containedctx // it is cancelled by another request than the one that began it
	cancel context.CancelFunc
	ended  time.Time
}

// NewBacktests returns one that runs nothing until Run.
func NewBacktests(streams searchStreams, parser Parser, lateness time.Duration) *Backtests {
	return &Backtests{streams: streams, parser: parser, lateness: lateness, more: make(chan struct{}, 1)}
}

// Start has the rules of a Set run over what arrived between two times (Unix nanoseconds, 0 is no bound); base, if it is not nil, are the
// rules that they are compared with. The error is ErrBusy if too many wait.
func (b *Backtests) Start(set, base *rules.Set, since, until int64) (BacktestJob, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget()
	waiting := 0
	for _, j := range b.jobs {
		if j.State == BacktestWaiting {
			waiting++
		}
	}
	if waiting >= maxWaiting {
		return BacktestJob{}, ErrBusy
	}
	j := &job{BacktestJob: BacktestJob{ID: rand.Text(), State: BacktestWaiting, Set: set}}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	j.test = &backtest{set: set, base: base, lateness: b.lateness, since: since, until: until, told: func(done, of, searched, matched int64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		j.Done, j.Of, j.Searched, j.Matched = done, of, searched, matched
	}}
	b.jobs = append(b.jobs, j)
	select {
	case b.more <- struct{}{}:
	default:
	}
	return j.BacktestJob, nil
}

// forget lets go of what ended long ago, and of the oldest that ended if they are many.
func (b *Backtests) forget() {
	ended := 0
	var kept []*job
	for _, j := range slices.Backward(b.jobs) {
		if !j.ended.IsZero() {
			if ended++; ended > maxRemembered || time.Since(j.ended) > rememberedFor {
				continue
			}
		}
		kept = append(kept, j)
	}
	slices.Reverse(kept)
	b.jobs = kept
}

// Job returns a job; [incident.ErrNotFound] if there is none, or none any more.
func (b *Backtests) Job(id string) (BacktestJob, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget()
	for _, j := range b.jobs {
		if j.ID == id {
			return j.BacktestJob, nil
		}
	}
	return BacktestJob{}, incident.ErrNotFound
}

// Cancel ends a job that waits or runs, and leaves one that has ended as it is. The place of one that waited is free at once.
func (b *Backtests) Cancel(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.ID != id {
			continue
		}
		j.cancel()
		if j.State == BacktestWaiting {
			j.State, j.ended, j.test = BacktestCancelled, time.Now(), nil
		}
		return nil
	}
	return incident.ErrNotFound
}

// Run runs jobs until ctx ends.
func (b *Backtests) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.more:
		}
		for j := b.next(); j != nil && ctx.Err() == nil; j = b.next() {
			b.run(ctx, j)
		}
	}
}

// next returns the job that has waited longest, which runs from now on; nil if none waits.
func (b *Backtests) next() *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.State == BacktestWaiting {
			j.State = BacktestRunning
			return j
		}
	}
	return nil
}

func (b *Backtests) run(ctx context.Context, j *job) {
	defer j.cancel()
	defer context.AfterFunc(ctx, j.cancel)()
	var res BacktestResult
	var err error
	// What is run is nobody's rule yet: where it ends the engine in a panic this is no reason for others to stop.
	if bug := event.Guard(func() { res, err = j.test.run(j.ctx, b.streams, b.parser) }); bug != nil {
		err = bug
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	j.ended, j.test = time.Now(), nil
	switch {
	case err == nil:
		j.State, j.Result = BacktestDone, res.brief()
	case errors.Is(err, context.Canceled):
		j.State = BacktestCancelled
	default:
		j.State, j.Err = BacktestFailed, err
	}
}
