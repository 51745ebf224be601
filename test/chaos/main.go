// SPDX-License-Identifier: Apache-2.0

// Command chaos runs Tocsin as real processes, does bad things to them and to what they depend on, and compares what was
// found with what replay finds in the same events. A run is drawn from its seed.
//
//	go run ./test/chaos --seeds 50 --faults 10 --replicas 1,3,5
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

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
	flag.StringVar(&r.away, "away", "", "in place of faults, have the hub, the store or the receiver of alerts away for five hours by all clocks")
	flag.Parse()
	if r.away != "" {
		if r.faults = 0; !*hooked || strings.Contains(","+*replicas, ",0") {
			fmt.Fprintln(os.Stderr, "chaos: --away wants --hooked, and --replicas of processes that share a PostgreSQL, such as 1,3")
			os.Exit(2)
		}
	}
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
				return
			}
			suffered += r.faults
		})
	}
	wg.Wait()
	fmt.Printf("%d runs, of which %d void; %d faults in the others, of which %d differ\n", *seeds, void, suffered, differ)
	if differ > 0 {
		os.Exit(1)
	}
}
