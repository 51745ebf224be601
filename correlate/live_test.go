// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// BenchmarkManyKeys takes in matches of `count(a) >= 5` within 1 m over 100,000 keys, L being 10 s, in order, 100 an entry, a tick a
// second. A key gets so many a minute that the condition never holds, now and then, or always.
func BenchmarkManyKeys(b *testing.B) {
	for _, perMinute := range []int{2, 4, 20} {
		b.Run(fmt.Sprintf("perminute=%d", perMinute), func(b *testing.B) {
			l := newLoad(b, 100_000, 100_000*perMinute/60)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(l.batch) {
				b.StopTimer()
				l.draw()
				b.StartTimer()
				l.step(b)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
			b.ReportMetric(float64(l.incidents), "incidents")
		})
	}
}

// BenchmarkOneGroup is the same where all keys share their incidents: 10,000 windows in one cell.
func BenchmarkOneGroup(b *testing.B) {
	l := newLoad(b, 10_000, 10_000*2/60, "incident: {group_by: []}\n")
	b.ResetTimer()
	for n := 0; n < b.N; n += len(l.batch) {
		b.StopTimer()
		l.draw()
		b.StartTimer()
		l.step(b)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
}

// BenchmarkLiveKeys is what a million live keys of `count(a) >= 5` take, each with one event in its window, as they come from
// the log: the memory that is in use after a collection, beside what the benchmark itself needs.
func BenchmarkLiveKeys(b *testing.B) {
	for range b.N {
		l := newLoad(b, 1_000_000, 1_000_000)
		before := inUse()
		for range 1_000_000 / len(l.batch) {
			l.draw()
			l.step(b)
		}
		b.ReportMetric(float64(inUse()-before)/(1<<20), "MiB")
		if got := l.engine.Cells(); got != 1_000_000 {
			b.Fatalf("%d keys are live", got)
		}
	}
}

func inUse() int64 {
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return int64(st.HeapAlloc)
}

// load is a log of matches of one rule.
type load struct {
	engine    *correlate.Engine
	set       *rules.Set
	event     event.Event
	found     rules.Result
	batch     []rules.Match
	keys      int
	apart     int64 // ns between events
	n         int
	ticked    int64
	data      []byte
	incidents int
}

func newLoad(b *testing.B, keys, rate int, more ...string) *load {
	b.Helper()
	set, err := rules.Compile([]rules.File{{Name: "bench.yml", Data: []byte(
		"rule: r\ntitle: r\nseverity: low\nmatch: {a: exists(user.name)}\nby: user.name\nwithin: 1m\nwhen: count(a) >= 5\n" + strings.Join(more, ""))}})
	if err != nil {
		b.Fatal(err)
	}
	limits := correlate.DefaultLimits
	limits.Keys = keys
	e := correlate.New(int64(10*time.Second), limits)
	if err := e.Use(set); err != nil {
		b.Fatal(err)
	}
	return &load{engine: e, set: set, batch: make([]rules.Match, 100), keys: keys, apart: int64(time.Second) / int64(rate)}
}

// draw makes the next entry of the log.
func (l *load) draw() {
	l.found.Reset()
	for range l.batch {
		x := &l.event
		x.Time = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano() + int64(l.n)*l.apart
		x.Arrival, x.Source = x.Time, "vector"
		x.ID = event.NewID("bench", fmt.Sprint(l.n), 0)
		x.EventID = x.ID.String()
		x.Set(event.UserName, fmt.Sprint("user-", l.n*7919%l.keys))
		x.Set(event.HostName, "node-a")
		x.Set(event.SourceIP, "203.0.113.9")
		l.set.Match(x, &l.found)
		l.n++
	}
	l.data = correlate.EncodeEntries([]correlate.Entry{{Matches: &correlate.Matches{Set: l.set.Hash, Matches: l.found.Matches}}})
}

// step is what an owner does with it.
func (l *load) step(b *testing.B) {
	entries, err := correlate.DecodeEntries(l.data, 0)
	if err != nil {
		b.Fatal(err)
	}
	if now := l.event.Arrival; now-l.ticked >= int64(time.Second) {
		l.ticked = now
		entries = append(entries, correlate.Entry{Tick: &correlate.Tick{Clock: now, Set: l.set.Hash}})
	}
	for _, x := range entries {
		if err := l.engine.Step(x); err != nil {
			b.Fatal(err)
		}
		l.incidents += len(l.engine.Changes().Incidents)
	}
}
