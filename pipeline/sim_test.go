// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	simPairs    = flag.Int("sim.pairs", 300, "schedules with two faults, in each scenario; -1 is all there are")
	simSeeds    = flag.Int("sim.seeds", 200, "schedules with up to eight faults, drawn from so many seeds, in each scenario")
	simFirst    = flag.Uint64("sim.first", 1, "the first seed")
	simSchedule = flag.String("sim.schedule", "", "a scenario and its schedule, as a failure names them: only this one, and told")
)

// newWorld has the processes of a scenario started, and nothing served yet.
func newWorld(s scenario, c *choices) *world {
	w := &world{scenario: s, choices: c, inPlace: make([]*process, s.replicas), arrived: make(chan struct{}, 1)}
	w.streams = &streamServer{
		partitions: s.partitions, first: firstSeq, dedupes: !s.forgets, known: make(map[string]bool), clocks: make([]uint64, s.partitions), out: make(map[uint64]*delivery),
		now: func() int64 { return s.script[max(w.fed, 1)-1].time() },
	}
	w.store = newStoreServer(s.partitions)
	w.store.watch = newWatch(w)
	if s.seen != nil {
		s.seen(w)
	}
	for place := range w.inPlace {
		w.start(place)
	}
	if s.closes {
		w.after(time.Second, "somebody wants an incident closed", w.closing)
	}
	at := time.Duration(0)
	for i, m := range s.script {
		at += m.after
		w.after(at, fmt.Sprintf("event message %d", i+1), func() {
			if w.fed == i {
				w.feed()
			}
		})
	}
	return w
}

// play runs one schedule.
func (s scenario) play(t *testing.T, c *choices) (failure error) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(s, c)
		w.run()
		failure = w.end()
	})
	return failure
}

// end says what is wrong with what there is, and leaves nothing running.
func (w *world) end() error {
	synctest.Wait() // a failure is seen while who asked goes on
	if w.failure == nil {
		w.store.watch.end()
	}
	for _, p := range w.procs {
		p.crash()
	}
	synctest.Wait()
	return w.failure
}

// scenarios of the simulation.
func scenarios() []scenario {
	return []scenario{
		{name: "plain"},
		{name: "torn", torn: true, piecemeal: true},
		{name: "trims", trims: true},
		{name: "torn and trimmed", torn: true, trims: true, piecemeal: true},
		{name: "closes", closes: true, forgets: true},
	}
}

// TestEverySchedule runs the loops of two replicas on simulated streams and a simulated store, and lets happen at each point at
// which they deal with those whatever can: processes die, freeze and wake, requests and answers are lost, come late and overtake
// each other, snapshots are damaged. All schedules with one such fault are tried, some with two, and some with many. After every
// commit the store has to have what an undisturbed engine says of the same log; in the end everything is decided, and it is what
// replay finds.
func TestEverySchedule(t *testing.T) {
	if *simSchedule != "" {
		tellSchedule(t, *simSchedule)
		return
	}
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			e := &explorer{t: t, scenario: s.prepare(t)}
			e.explore()
		})
	}
}

// explorer tries the schedules of a scenario.
type explorer struct {
	t        *testing.T
	scenario scenario
}

func (e *explorer) explore() {
	start := time.Now()
	first, second := e.try(&choices{}), e.try(&choices{tell: true})
	if !slices.Equal(first.made, second.made) {
		e.t.Fatalf("the same schedule is another the second time: %d choices, then %d", len(first.made), len(second.made))
	}
	var ones, twos []schedule
	for i, s := range each(nil, first.made) {
		if i%simShare == 0 {
			ones = append(ones, s)
			twos = append(twos, each(s, e.try(&choices{plan: s.plan()}).made)...)
		}
	}
	all := len(twos)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(all, func(i, j int) { twos[i], twos[j] = twos[j], twos[i] })
	if n := *simPairs; n >= 0 {
		twos = twos[:min(n/simShare, all)]
	}
	for _, s := range twos {
		e.try(&choices{plan: s.plan()})
	}
	for i := range *simSeeds / simShare {
		seed := *simFirst + uint64(i)
		rng := rand.New(rand.NewPCG(seed, seed))
		e.try(&choices{random: rng, rate: 0.01 + 0.1*rng.Float64(), left: 8})
	}
	e.t.Logf("%d schedules with one fault, %d of %d with two, %d with many: %s",
		len(ones), len(twos), all, *simSeeds/simShare, time.Since(start).Round(time.Second))
}

// each returns the schedules that have one fault more, after the last.
func each(s schedule, made []choice) []schedule {
	from := 0
	if len(s) > 0 {
		from = s[len(s)-1].at + 1
	}
	var out []schedule
	for i := from; i < len(made); i++ {
		for take := 1; take < made[i].of; take++ {
			out = append(out, append(slices.Clip(s), step{i, take}))
		}
	}
	return out
}

// try runs a schedule. The first that fails ends the test.
func (e *explorer) try(c *choices) *choices {
	if err := e.scenario.play(e.t, c); err != nil {
		e.report(c.schedule(), err)
		e.t.FailNow()
	}
	return c
}

// report leaves out of a schedule that fails what it fails without, and says how to run it again.
func (e *explorer) report(s schedule, err error) {
	for i := 0; i < len(s); {
		if again := e.scenario.play(e.t, &choices{plan: s.without(i).plan()}); again != nil {
			s, err, i = s.without(i), again, 0
		} else {
			i++
		}
	}
	c := &choices{plan: s.plan(), tell: true}
	if again := e.scenario.play(e.t, c); again == nil || again.Error() != err.Error() {
		e.t.Errorf("the schedule is not the same twice: %v, then %v", err, again)
	}
	var faults []string
	for _, line := range c.told {
		if strings.ToLower(line) != line {
			faults = append(faults, line)
		}
	}
	e.t.Errorf("%v\n\nthe faults were:\n%s\n\nto have it told: go test ./pipeline -run TestEverySchedule -v -sim.schedule '%s %s'",
		err, strings.Join(faults, "\n"), e.scenario.name, s)
}

// tellSchedule runs one schedule and tells all of it.
func tellSchedule(t *testing.T, text string) {
	cut := strings.LastIndex(text, " ")
	name, rest := text[:max(cut, 0)], text[cut+1:]
	s, err := parseSchedule(rest)
	for _, x := range scenarios() {
		if x.name == name && err == nil {
			c := &choices{plan: s.plan(), tell: true}
			err := x.prepare(t).play(t, c)
			t.Log(strings.Join(c.told, "\n"))
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Fatal(errors.Join(fmt.Errorf("no scenario %q", name), err))
}
