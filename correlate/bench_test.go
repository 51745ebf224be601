// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// BenchmarkCorrelate takes in matches of one rule, in order, as a partition's owner does: 100 an entry, a tick a second.
func BenchmarkCorrelate(b *testing.B) {
	for _, bc := range []struct {
		name, when string
		keys       int
	}{
		{"count", "count(a) >= 5", 100},
		{"count of one key", "count(a) >= 500", 1},
		{"count that never holds", "count(a) >= 1000000", 10},
		{"count that settles", "count(a) == 3", 100},
		{"distinct", "distinct(a, user.name) >= 50", 100},
		{"sequence", "sequence(repeat(a, 3), c)", 100},
		{"absence", "a and not c", 100},
		{"sum", "sum(a, source.port) >= 3000000", 100},
		{"sum that never holds", "sum(a, source.port) >= 1e18", 10},
		{"score", "score >= 3\nweights: {a: 1, c: 2}", 100},
		{"first seen", "first_seen(a, user.name)\nlearn: 1m", 100},
		{"first seen of one key", "first_seen(a, source.port)\nlearn: 1m", 1},
		{"usual", "rate(a) > 4 * usual(a)", 100},
		{"silence", "silent(a)", 100},
		{"percentile", "percentile(a, source.port, 95) > 60000", 100},
	} {
		b.Run(bc.name, func(b *testing.B) { correlated(b, bc.when, bc.keys, 1) })
	}
}

// BenchmarkBacklog asks what changed after so many entries, as an owner does that is behind. A match is to take no longer for
// what came before it.
func BenchmarkBacklog(b *testing.B) {
	for _, entries := range []int{1, 20, 200} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) { correlated(b, "count(a) >= 1000000", 100, entries) })
	}
}

func correlated(b *testing.B, when string, keys, entries int) {
	b.Helper()
	set, err := rules.Compile([]rules.File{{Name: "bench.yml", Data: []byte(
		"rule: r\ntitle: r\nseverity: low\nmatch: {a: exists(user.name), c: user.name == \"-\"}\nby: [host.name]\nwithin: 1m\nwhen: " + when)}})
	if err != nil {
		b.Fatal(err)
	}
	e := correlate.New(int64(5*time.Second), correlate.Limits{})
	if err := e.Use(set); err != nil {
		b.Fatal(err)
	}
	const batch = 100
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	step := int64(10 * time.Millisecond)
	var found rules.Result
	b.ReportAllocs()
	for n := 0; n < b.N; n += batch {
		b.StopTimer()
		found.Reset()
		for i := n; i < n+batch; i++ {
			x := &event.Event{ID: event.NewID("bench", fmt.Sprint(i), 0), EventID: "x", Time: start + int64(i)*step, Arrival: start + int64(i)*step}
			x.Set(event.HostName, fmt.Sprint("host-", i*7919%keys))
			x.Set(event.UserName, fmt.Sprint("user-", i%1000))
			x.Set(event.SourcePort, int64(i%50_000))
			set.Match(x, &found)
		}
		b.StartTimer()
		if err := e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}}); err != nil {
			b.Fatal(err)
		}
		last := n/batch%entries == entries-1
		if last {
			e.Changes()
		}
		if err := e.Step(correlate.Entry{Tick: &correlate.Tick{Clock: start + int64(n+batch)*step, Set: set.Hash}}); err != nil {
			b.Fatal(err)
		}
		if last {
			e.Changes()
		}
	}
}
