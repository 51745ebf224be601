// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules/pred"
)

// attacks returns the recorded events of the corpus, one JSON object each.
func attacks(t testing.TB) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus(t), "..", "otrf", "events.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	in := bufio.NewScanner(z)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		out = append(out, slices.Clone(in.Bytes()))
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return out
}

// TestIndexFindsTheSame: over recorded attacks every rule that loads matches the same events with the index and without
// it, and those that a plain reference matcher finds: all of them, or a part with the race detector.
func TestIndexFindsTheSame(t *testing.T) {
	t.Parallel()
	rules, _ := load(t)
	conds := make([]pred.Node, len(rules))
	for i, r := range rules {
		conds[i] = r.Condition()
	}
	p := pred.Compile(conds)
	with, without := p.NewRun(), p.NewRun()
	parser := ingest.NewParser(ingest.ParserConfig{})
	var e event.Event
	total := 0
	for n, raw := range attacks(t) {
		if err := parser.ParseInto(&e, event.Record{Input: "in", Source: "windows", Raw: raw}, 1); err != nil {
			t.Fatal(err)
		}
		got := with.Match(&e)
		total += len(got)
		if want := without.MatchAll(&e); !slices.Equal(got, want) {
			t.Fatalf("event %d: with the index %v, without %v", n, got, want)
		}
		if n%referenceEach != 0 {
			continue
		}
		plain, err := readReference(raw, &e)
		if err != nil {
			t.Fatal(err)
		}
		var want []int
		for i, r := range rules {
			if plain.matches(r) {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("event %d: with the index %v, by the reference %v", n, got, want)
		}
	}
	t.Logf("%s; %d matches", p, total)
	if total == 0 {
		t.Error("nothing matches")
	}
}

// BenchmarkSigma reads recorded attacks as JSON and matches all public rules: one iteration is one event.
func BenchmarkSigma(b *testing.B) { match(b, 1) }

// BenchmarkSigmaFew is BenchmarkSigma with every hundredth rule.
func BenchmarkSigmaFew(b *testing.B) { match(b, 100) }

func match(b *testing.B, each int) {
	rules, _ := load(b)
	var conds []pred.Node
	for i, r := range rules {
		if i%each == 0 {
			conds = append(conds, r.Condition())
		}
	}
	run := pred.Compile(conds).NewRun()
	events := attacks(b)
	size := 0
	for _, raw := range events {
		size += len(raw)
	}
	parser := ingest.NewParser(ingest.ParserConfig{})
	var e event.Event
	b.SetBytes(int64(size / len(events)))
	b.ReportAllocs()
	i, matches := 0, 0
	for b.Loop() {
		if err := parser.ParseInto(&e, event.Record{Input: "in", Source: "windows", Raw: events[i%len(events)]}, 1); err != nil {
			b.Fatal(err)
		}
		matches += len(run.Match(&e))
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(matches)/float64(b.N), "matches/event")
}
