// SPDX-License-Identifier: Apache-2.0

// Command chaos runs Tocsin as real processes, does bad things to them and to what they depend on, and compares what was
// found with what replay finds in the same events. A run is drawn from its seed.
//
//	go run ./test/chaos --seeds 50 --faults 10 --replicas 1,3,5
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tocsin/rules"
	"tocsin/test/judge"
)

// run is what one run is to be.
type run struct {
	seed     uint64
	replicas int // 0: one process alone, with its own NATS and SQLite
	faults   int
	rate     int
	length   time.Duration
	lateness time.Duration
	programs programs
	keep     bool
}

func main() {
	if text := os.Getenv(natsEnv); text != "" {
		if err := serveNATS(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var (
		r        run
		first    = flag.Uint64("seed", 1, "the first seed")
		seeds    = flag.Int("seeds", 1, "how many runs")
		replicas = flag.String("replicas", "0,1,3,5", "how many replicas, run by run; 0 is one process alone with SQLite")
		parallel = flag.Int("parallel", 1, "how many runs at once")
		hooked   = flag.Bool("hooked", true, "let clocks jump and power fail: everything is built anew for it, standard library and all")
	)
	flag.IntVar(&r.faults, "faults", 10, "faults in a run")
	flag.IntVar(&r.rate, "rate", 200, "events a second")
	flag.DurationVar(&r.length, "length", 15*time.Second, "how long events are sent for")
	flag.DurationVar(&r.lateness, "lateness", 30*time.Second, "the lateness bound")
	flag.BoolVar(&r.keep, "keep", false, "keep the directories of runs that went well")
	flag.Parse()
	var kinds []int
	for f := range strings.SplitSeq(*replicas, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			fmt.Fprintln(os.Stderr, "chaos: --replicas wants numbers, such as 0,1,3")
			os.Exit(2)
		}
		kinds = append(kinds, n)
	}
	var err error
	if r.programs, err = build(*hooked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer os.RemoveAll(r.programs.dir)
	var wg sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, *parallel)
	differ, void, suffered := 0, 0, 0
	for i := range *seeds {
		r := r
		r.seed, r.replicas = *first+uint64(i), kinds[i%len(kinds)]
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			text, verdict := r.do()
			mu.Lock()
			defer mu.Unlock()
			fmt.Print(text)
			switch verdict {
			case wrong:
				differ++
			case inconclusive:
				void++
			}
			suffered += r.faults
		})
	}
	wg.Wait()
	fmt.Printf("%d runs, %d faults, %d differ, %d void\n", *seeds, suffered, differ, void)
	if differ > 0 {
		os.Exit(1)
	}
}

// programs are what the processes run.
type programs struct {
	dir, tocsin, nats string
	hooked            bool // their clocks can be set wrong, their power can fail
}

// build builds tocsin, and this program as a NATS server.
func build(hooked bool) (programs, error) {
	dir, err := os.MkdirTemp("", "tocsin-chaos-bin")
	if err != nil {
		return programs{}, err
	}
	p := programs{dir, filepath.Join(dir, "tocsin"), filepath.Join(dir, "nats"), hooked}
	args := []string{"build"}
	if hooked {
		name, err := overlay(dir, "cmd/tocsin", "test/chaos")
		if err != nil {
			return p, err
		}
		args = append(args, "-overlay", name)
	}
	for name, of := range map[string]string{p.tocsin: "tocsin/cmd/tocsin", p.nats: "tocsin/test/chaos"} {
		if out, err := exec.Command("go", append(args, "-o", name, of)...).CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w\n%s", of, err, out)
		}
	}
	return p, nil
}

// verdict says how a run ended.
type verdict int

const (
	right verdict = iota
	wrong
	inconclusive // events came later than the lateness bound: nothing is promised of those
)

// do runs, and says what came of it.
func (r run) do() (string, verdict) {
	var log strings.Builder
	fmt.Fprintf(&log, "seed %d: %d replicas\n", r.seed, r.replicas)
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
	w, err := newWorld(dir, r.programs, r.replicas == 0, max(r.replicas, 1), r.lateness)
	defer w.close()
	if err != nil {
		return wrong, err
	}
	l := &load{rng: rand.New(rand.NewPCG(r.seed, 1)), rate: r.rate, to: w.ingest}
	sent := make(chan struct{})
	start := time.Now()
	go func() {
		defer close(sent)
		l.run(r.length)
	}()
	rng := rand.New(rand.NewPCG(r.seed, 2))
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
	if err := w.heal(); err != nil {
		return wrong, err
	}
	if err := l.wait(sent); err != nil {
		return wrong, err
	}
	if l.latest+maxJump > r.lateness {
		fmt.Fprintf(log, "  void: an event was taken %v after its time\n", l.latest)
		return inconclusive, nil
	}
	return r.judge(w, l, log)
}

// judge compares, now and after a graceful end.
func (r run) judge(w *world, l *load, log *strings.Builder) (verdict, error) {
	set, err := rules.Compile([]rules.File{{Name: "rules.yml", Data: rulesText}})
	if err != nil {
		return wrong, err
	}
	want, err := judge.Replayed(set, "vector", l.records, r.lateness)
	if err != nil {
		return wrong, err
	}
	healed := time.Now()
	compare := func() error {
		ctx, cancel := timeout(time.Minute) // SQLite with the race detector takes seconds
		defer cancel()
		got, known, err := judge.Stored(ctx, w.storeURL(w.pgAt))
		if err != nil {
			return err
		}
		if d := cmp.Diff(want, judge.Lines(got)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, v := range got {
			if w.told[v.ID] == 0 {
				return fmt.Errorf("nobody was told of incident %s of %s", v.ID, v.Rule.ID)
			}
		}
		for id := range w.told {
			if !known[id] {
				return fmt.Errorf("somebody was told of %s, which is no incident", id)
			}
		}
		return nil
	}
	if err := until(3*r.lateness+90*time.Second, compare); err != nil {
		return wrong, err
	}
	for _, p := range w.replicas {
		if n := p.crashed(); n > 0 {
			return wrong, fmt.Errorf("%s ended by itself %d times: its log says why", p.name, n)
		}
	}
	took := time.Since(healed)
	for _, p := range w.replicas {
		p.stop(syscall.SIGTERM)
	}
	if err := compare(); err != nil {
		return wrong, fmt.Errorf("after the end: %w", err)
	}
	fmt.Fprintf(log, "  as replay: %d events, %d incidents, %v after the last fault\n", len(l.records), len(want), took.Round(100*time.Millisecond))
	return right, nil
}
