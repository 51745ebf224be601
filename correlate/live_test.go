// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// BenchmarkManyKeys takes in matches of a count over 100,000 keys with L = 10 s, so many a second of the stream, 100 an entry.
func BenchmarkManyKeys(b *testing.B) {
	for _, rate := range []int{3_000, 30_000, 300_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) { manyKeys(b, 100_000, rate) })
	}
}

func manyKeys(b *testing.B, keys, rate int) {
	set, err := rules.Compile([]rules.File{{Name: "bench.yml", Data: []byte(
		"rule: r\ntitle: r\nseverity: low\nmatch: {a: exists(user.name)}\nby: user.name\nwithin: 1m\nwhen: count(a) >= 5\n")}})
	if err != nil {
		b.Fatal(err)
	}
	e := correlate.New(int64(10*time.Second), correlate.Limits{})
	if err := e.Use(set); err != nil {
		b.Fatal(err)
	}
	x := &event.Event{EventID: "x"}
	x.Set(event.UserName, "u")
	var one rules.Result
	set.Match(x, &one)
	key := make([]rules.Key, keys)
	for i := range key {
		key[i] = rules.MakeKey(fmt.Sprint("user-", i))
	}
	const batch = 100
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	step := int64(time.Second) / int64(rate)
	ms := make([]rules.Match, batch)
	var ticked int64
	var incidents int
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		b.StopTimer()
		for i := range ms {
			m := one.Matches[0]
			k := key[(n+i)*7919%keys]
			m.Key, m.Group = k, k
			m.Event.ID = event.NewID("bench", fmt.Sprint(n+i), 0)
			m.Event.Time = start + int64(n+i)*step
			m.Event.Arrival = m.Event.Time
			ms[i] = m
		}
		b.StartTimer()
		if err := e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: ms}}); err != nil {
			b.Fatal(err)
		}
		incidents += len(e.Changes().Incidents)
		if now := start + int64(n+batch)*step; now-ticked >= int64(time.Second) {
			ticked = now
			if err := e.Step(correlate.Entry{Tick: &correlate.Tick{Clock: now, Set: set.Hash}}); err != nil {
				b.Fatal(err)
			}
			incidents += len(e.Changes().Incidents)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
	var st runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&st)
	b.ReportMetric(float64(st.HeapAlloc)/(1<<20), "MiB")
	b.ReportMetric(float64(e.Cells()), "cells")
	b.ReportMetric(float64(incidents), "incidents")
}
