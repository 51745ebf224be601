// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// BenchmarkDenseKey is the most that one key may hold: 20,000 matches within T, one at a time with a tick after each, and
// then ticks until all is decided. In order they come a millisecond apart; even ones all have one time; out of order 5,000
// come in any order, on time still.
func BenchmarkDenseKey(b *testing.B) {
	const n = 20_000
	for _, bc := range []struct {
		name, when string
		// other says which events are b and not a.
		other func(i int) bool
	}{
		{"count", "count(a) >= 5", none},
		{"sequence", "sequence(repeat(a, 5), a)", none},
		{"absence", "a and not b", none},
		{"absence of many", "a and not b", second},
		{"absence after", "sequence(a, not b)", none},
		{"absence after many", "sequence(a, not b)", second},
		{"absence between", "sequence(a, not b, a)", tenth},
		{"few", "count(a) < 3", none},
		{"so many", "count(a) == 3", none},
		{"silence", "silent(a)", none},
		{"not many users", "a and not (distinct(b, user.name) >= 50)", second},
		{"average", "avg(a, source.port) > 40000", none},
	} {
		for _, order := range []string{"in order", "even", "out of order"} {
			b.Run(bc.name+"/"+order, func(b *testing.B) {
				for range b.N {
					if order == "out of order" {
						dense(b, bc.when, bc.other, order, n/4)
					} else {
						dense(b, bc.when, bc.other, order, n)
					}
				}
			})
		}
	}
}

func none(int) bool     { return false }
func second(i int) bool { return i%2 == 1 }
func tenth(i int) bool  { return i%10 == 9 }

func dense(b *testing.B, when string, other func(int) bool, order string, n int) {
	b.Helper()
	b.StopTimer()
	set, err := rules.Compile([]rules.File{{Name: "bench.yml", Data: []byte(
		"rule: r\ntitle: r\nseverity: low\nmatch: {a: event.action == \"a\", b: event.action == \"b\"}\nby: [host.name]\nwithin: 10m\nwhen: " + when)}})
	if err != nil {
		b.Fatal(err)
	}
	e := correlate.New(int64(5*time.Minute), correlate.Limits{})
	if err := e.Use(set); err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	times := make([]int64, n)
	for i := range times {
		if times[i] = start; order != "even" {
			times[i] += int64(i) * int64(time.Millisecond)
		}
	}
	arrivals := slices.Clone(times)
	if order == "out of order" {
		rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { times[i], times[j] = times[j], times[i] })
	}
	b.StartTimer()
	for i, t := range times {
		x := &event.Event{ID: event.NewID("bench", fmt.Sprint(i), 0), EventID: "x", Time: t, Arrival: arrivals[i]}
		x.Set(event.HostName, "h")
		x.Set(event.EventAction, "a")
		if other(i) {
			x.Set(event.EventAction, "b")
		}
		x.Set(event.UserName, fmt.Sprint("user-", i%10))
		x.Set(event.SourcePort, int64(i%50_000))
		var found rules.Result
		set.Match(x, &found)
		steps(b, e, correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}},
			correlate.Entry{Tick: &correlate.Tick{Clock: arrivals[i], Set: set.Hash}})
	}
	for i := range n { // the clock goes on as it came
		steps(b, e, correlate.Entry{Tick: &correlate.Tick{Clock: arrivals[i] + int64(16*time.Minute), Set: set.Hash}})
	}
}

func steps(b *testing.B, e *correlate.Engine, entries ...correlate.Entry) {
	b.Helper()
	for _, x := range entries {
		if err := e.Step(x); err != nil {
			b.Fatal(err)
		}
		e.Changes()
	}
}
