// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/rules"
)

// TestStateIsBoundedInMidRun: a key whose events never cease keeps what its condition needs and what is young, and no more as
// time goes on (B1). What the engine would keep is what it snapshots.
func TestStateIsBoundedInMidRun(t *testing.T) {
	t.Parallel()
	is := func(p int) rules.Cond { return rules.Is{Pattern: p} }
	count := func(n int64) rules.Cond { return rules.Count{Op: rules.GE, N: n} }
	steps := rules.Sequence{Steps: []rules.Step{{Pattern: 0, Times: 1}, {Pattern: 2, Not: true}, {Pattern: 1, Times: 1}}}
	for name, r := range map[string]*drawn{
		"never fires":                plainRule("top", "own", 10, count(20)),
		"fires all the time":         plainRule("top", "own", 10, count(3)),
		"each event alone":           plainRule("top", "own", 0, is(0)),
		"waits for absences":         plainRule("top", "own", 3, rules.And{X: []rules.Cond{is(0), rules.Not{X: is(2)}}}),
		"a sequence with an absence": plainRule("top", "own", 4, steps),
		"distinct values":            plainRule("top", "own", 10, rules.Distinct{Values: []int{0}, Op: rules.GE, N: 4}),
		"values seen first":          plainRule("top", "own", 10, rules.FirstSeen{Values: []int{0}, Learn: 40}).learning(40),
		"over another rule":          plainRule("top", "own", 10, is(2)).over(plainRule("below", "own", 4, is(0))),
	} {
		set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(r.text())}})
		if err != nil {
			t.Fatal(err)
		}
		for _, pause := range []int64{0, 20} {
			t.Run(fmt.Sprint(name, ", pauses of ", pause), func(t *testing.T) {
				t.Parallel()
				young, old := grows(t, set, pause)
				if young == 0 || old > young+young/10 {
					t.Errorf("up to %d bytes at first, %d later: what is kept grows", young, old)
				}
			})
		}
	}
}

// grows plays 2,400 s of one key, with an event a second but for the pauses in each minute, in which runs and incidents end.
// One in four events is late. It returns the most that was kept in the first half, by when the evidence
// of what never ends is full, and after it.
func grows(t *testing.T, set *rules.Set, pause int64) (young, old int) {
	t.Helper()
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(set))
	stored, size := make(map[string]int), 0
	const lasts = 2400
	for i := range int64(lasts) {
		now := 1000 + i
		log := []correlate.Entry{{Tick: &correlate.Tick{Clock: (zero + now) * int64(time.Second), Set: set.Hash, Floor: uint64(i)}}}
		if i%60 >= pause {
			x := at(fmt.Sprint(i), now-(i%4/3)*(lateness+1), now, "ab"[i%2:i%2+1], "")
			if i%10 == 9 {
				x.labels["own"] = []string{"c"}
			}
			x.v = fmt.Sprint(i % 7)
			var found rules.Result
			set.Match(x.event(), &found)
			log = append(log, correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Seq: uint64(i + 1), Matches: found.Matches}})
		}
		for _, x := range log {
			check(t, e.Step(x))
		}
		e.Changes()
		if i%5 != 0 {
			continue
		}
		for _, c := range e.Snapshot() {
			size += len(c.State) - stored[c.ID]
			stored[c.ID] = len(c.State)
		}
		if i < lasts/2 {
			young = max(young, size)
		} else {
			old = max(old, size)
		}
	}
	return young, old
}
