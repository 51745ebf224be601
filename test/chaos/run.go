// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// run is what one run is to be.
type run struct {
	seed     uint64
	replicas int // 0: one process alone, with its own NATS and SQLite
	faults   int
	rate     int
	length   time.Duration
	lateness time.Duration
	away     string // what is away for hours, in place of faults
	programs programs
	keep     bool
}

// verdict says how a run ended.
type verdict int

const (
	right verdict = iota
	wrong
	inconclusive // events came later than the lateness bound: nothing is promised of those
)

// String is the command that repeats the run.
func (r run) String() string {
	text := fmt.Sprintf("go run ./test/chaos --seed %d --replicas %d --faults %d --rate %d --length %v --lateness %v --hooked=%t",
		r.seed, r.replicas, r.faults, r.rate, r.length, r.lateness, r.programs.hooked)
	if r.away != "" {
		text += " --away " + r.away
	}
	return text
}

// do runs, and says what came of it.
func (r run) do() (string, verdict) {
	var log strings.Builder
	fmt.Fprintf(&log, "%s\n", r)
	dir, err := os.MkdirTemp("", fmt.Sprintf("tocsin-chaos-%d-", r.seed))
	if err != nil {
		return err.Error(), wrong
	}
	_ = os.Chmod(dir, 0o755) // PostgreSQL's user has to get in
	verdict, err := r.in(dir, &log)
	if err != nil {
		fmt.Fprintf(&log, "  FAILED (in %s): %v\n", dir, err)
		return log.String(), wrong
	}
	if !r.keep {
		_ = os.RemoveAll(dir)
	}
	return log.String(), verdict
}

func (r run) in(dir string, log *strings.Builder) (verdict, error) {
	rng := rand.New(rand.NewPCG(r.seed, 2))
	roles := [][]string{{"all"}}
	if r.replicas > 0 {
		roles = drawRoles(rng, r.replicas)
	}
	for i, does := range roles {
		fmt.Fprintf(log, "  tocsin-%d: %s\n", i, strings.Join(does, ", "))
	}
	w, err := newWorld(dir, r.programs, r.replicas == 0, roles, r.lateness)
	defer w.close()
	if err != nil {
		return wrong, err
	}
	l := &load{rng: rand.New(rand.NewPCG(r.seed, 1)), rate: r.rate, to: w.ingest, now: w.now, once: r.away != ""} // a copy that is hours late is another event
	sent := make(chan struct{})
	start := time.Now()
	go func() {
		defer close(sent)
		l.run(r.length)
	}()
	c := &closer{rng: rand.New(rand.NewPCG(r.seed, 4)), to: w.api}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var closings sync.WaitGroup
	if r.away == "" {
		closings.Go(func() { c.run(ctx) })
	}
	var faults errgroup.Group
	faults.SetLimit(2) // some come together
	for range r.faults {
		f := draw(rng, w)
		faults.Go(func() error {
			if err := f.do(w); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			return nil
		})
		fmt.Fprintf(log, "  %6.2fs %s\n", time.Since(start).Seconds(), f.name)
		time.Sleep(time.Duration(rng.Int64N(2 * int64(r.length) / int64(r.faults+1))))
	}
	if err := faults.Wait(); err != nil {
		return wrong, err
	}
	if r.away != "" {
		if err := r.outage(w); err != nil {
			return wrong, err
		}
	}
	if err := w.heal(); err != nil {
		return wrong, err
	}
	if err := l.wait(sent); err != nil {
		return wrong, err
	}
	if err := w.drain(); err != nil {
		return wrong, err
	}
	if len(w.edges()) > 0 && r.away == "" {
		l.latest = max(l.latest, time.Since(start)) // what was taken at the edge came to the log by now
	}
	if l.latest+maxJump > r.lateness && r.away == "" {
		fmt.Fprintf(log, "  void: an event was taken %v after its time\n", l.latest)
		return inconclusive, nil
	}
	end := time.Now().Add(r.lateness + 5*time.Second) // by then what waited for something is decided, and may have been closed
	time.Sleep(time.Until(end))
	stop()
	closings.Wait()
	return r.judge(w, l, c, end.Add(time.Duration(w.ahead.Load())), log)
}
