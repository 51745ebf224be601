// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shipped(t *testing.T) *rules.Set {
	t.Helper()
	names, err := filepath.Glob("../rules.d/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	var files []rules.File
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rules.File{Name: name, Data: b})
	}
	set, err := rules.Compile(files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// printed is what of a replay must not depend on how the events came (I6).
func printed(res pipeline.Result) string {
	var out []string
	for _, v := range res.Incidents {
		var ds []string
		for _, d := range v.Detections {
			ev := make([]string, 0, len(d.Evidence))
			for _, e := range d.Evidence {
				ev = append(ev, e.Step+"="+e.EventID)
			}
			sort.Strings(ev)
			ds = append(ds, fmt.Sprintf("  %v %s %s %d %v %v", d.Key, d.FirstEvent, d.LastEvent, d.EventCount, d.Steps, ev))
		}
		sort.Strings(ds)
		out = append(out, fmt.Sprintf("%s %v %s %s %s %d\n%s",
			v.Rule.ID, v.Key, v.Severity, v.FirstEvent, v.LastEvent, v.EventCount, strings.Join(ds, "\n")))
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

// TestReplayIsTheSame: records of a few people, some late, through the shipped rules: in order, shuffled, duplicated, and
// split by a restart they make the same incidents.
func TestReplayIsTheSame(t *testing.T) {
	t.Parallel()
	set := shipped(t)
	start := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		var records []string
		for i := range rapid.IntRange(5, 60).Draw(t, "records") {
			at := start.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "second")) * time.Second)
			arrives := at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 300, 301, 900}).Draw(t, "delay")) * time.Second)
			records = append(records, fmt.Sprintf(
				`{"event.id":"%d","timestamp":%q,"event.ingested":%q,"event.category":"authentication","event.action":"login",`+
					`"event.outcome":%q,"user.name":%q,"source.ip":"203.0.113.%d"}`,
				i, at.Format(time.RFC3339), arrives.Format(time.RFC3339),
				rapid.SampledFrom([]string{"failure", "failure", "failure", "success"}).Draw(t, "outcome"),
				rapid.SampledFrom([]string{"ana", "bob"}).Draw(t, "user"), rapid.IntRange(1, 2).Draw(t, "address")))
		}
		play := func(split int, change func(*pipeline.Replay)) string {
			p := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), 5*time.Minute)
			for _, r := range records {
				if err := p.Add("vector", []byte(r)); err != nil {
					t.Fatal(err)
				}
			}
			if change != nil {
				change(p)
			}
			res, err := p.Run(0, split)
			if err != nil {
				t.Fatal(err)
			}
			found += len(res.Incidents)
			return printed(res)
		}
		sort.Strings(records)
		want := play(0, nil)
		seed := rapid.Uint64().Draw(t, "seed")
		for how, got := range map[string]string{
			"shuffled":           play(0, func(p *pipeline.Replay) { p.Shuffle(seed) }),
			"duplicated":         play(0, func(p *pipeline.Replay) { p.Duplicate(); p.Shuffle(seed) }),
			"split by a restart": play(rapid.IntRange(1, len(records)).Draw(t, "split"), func(p *pipeline.Replay) { p.Shuffle(seed) }),
		} {
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s (-in order +got):\n%s", how, d)
			}
		}
	})
	if found == 0 {
		t.Error("nothing was found: the test says nothing")
	}
}

const manyRule = "{rule: many, title: t, severity: low, match: {a: 'true'}, when: count(a) >= 3, by: user.name, within: 10m, incident: {quiet: 1h}}"

// sentAgain are rules about what ana does.
func sentAgain(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "again.yml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// addOf adds the n-th thing that she did.
func addOf(t *testing.T, p *pipeline.Replay, n int, at, arrives time.Time) {
	t.Helper()
	if err := p.Add("vector", fmt.Appendf(nil, `{"event.id":"%d","timestamp":%q,"event.ingested":%q,"user.name":"ana"}`,
		n, at.Format(time.RFC3339), arrives.Format(time.RFC3339))); err != nil {
		t.Fatal(err)
	}
}

// TestALogThatIsSentAgain: a log that comes again when its incidents are forgotten makes none, in whichever order it is read; what is new
// among it makes one that stands, with what it came with.
func TestALogThatIsSentAgain(t *testing.T) {
	t.Parallel()
	set := sentAgain(t, "{rule: exec, title: t, severity: low, match: {a: 'true'}, when: a, by: user.name, incident: {quiet: 1h}}\n---\n"+manyRule)
	day := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	find := func(shuffled bool, split int, news ...int) []string {
		p := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
		add := func(minute, days, arrives int) {
			at := func(minute int) time.Time { return day.Add(time.Duration(minute) * time.Minute) }
			addOf(t, p, minute, at(minute), at(arrives).AddDate(0, 0, days))
		}
		for days := range 3 {
			for i := range 4 {
				if days == 2 {
					add(3-i, days, i) // from the end
				} else {
					add(i, days, i)
				}
			}
		}
		for _, minute := range news {
			add(minute, 2, minute)
		}
		if shuffled {
			p.Shuffle(7)
		}
		res, err := p.Run(0, split)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		ids := make(map[string]bool)
		for _, v := range res.Incidents {
			if ids[v.ID] {
				t.Errorf("two incidents are %s", v.ID)
			}
			ids[v.ID] = true
			out = append(out, fmt.Sprintf("%s %d detections of %d events", v.Rule.ID, v.DetectionCount, v.EventCount))
		}
		return out
	}
	for split := range 12 {
		for _, shuffled := range []bool{false, true} {
			if d := cmp.Diff([]string{"exec 4 detections of 4 events", "many 1 detections of 4 events"}, find(shuffled, split)); d != "" {
				t.Errorf("again, shuffled %t, split at %d (-want +got):\n%s", shuffled, split, d)
			}
		}
	}
	want := []string{"exec 4 detections of 4 events", "exec 5 detections of 5 events", "many 1 detections of 5 events", "many 1 detections of 4 events"}
	if d := cmp.Diff(want, find(false, 0, 9)); d != "" {
		t.Errorf("with something new (-want +got):\n%s", d)
	}
}

// TestMoreThanIsKept: what goes on after copies is found, also where a detection has more events than it keeps as evidence.
func TestMoreThanIsKept(t *testing.T) {
	t.Parallel()
	set := sentAgain(t, manyRule)
	day := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, old := range []int{99, 100, 101, 150} {
		for more, want := range []int{1, 2, 2} {
			p := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
			for days, events := range []int{old, old + more} {
				for n := range events {
					at := day.Add(time.Duration(n) * time.Second)
					addOf(t, p, n, at, at.AddDate(0, 0, days))
				}
			}
			res, err := p.Run(0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Incidents) != want {
				t.Errorf("%d events, and again with %d more: %d incidents, want %d", old, more, len(res.Incidents), want)
			}
		}
	}
}

// TestNewAmongCopies: what is new and near goes into the detection that the copies make, and is found in whatever order those are read that come
// at once.
func TestNewAmongCopies(t *testing.T) {
	t.Parallel()
	set := sentAgain(t, manyRule)
	day := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, order := range [][]int{{0, 1, 2, 9}, {0, 1, 9, 2}, {9, 2, 1, 0}, {2, 9, 0, 1}, {1, 2, 0, 9}, {0, 2, 9, 1}} {
		p := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
		add := func(n int, arrives time.Time) {
			second := map[int]int{0: 0, 1: 10, 2: 20, 9: 15}[n]
			addOf(t, p, n, day.Add(time.Duration(second)*time.Second), arrives)
		}
		for n := range 3 {
			add(n, day.Add(time.Minute/2))
		}
		for _, n := range order {
			add(n, day.AddDate(0, 0, 1))
		}
		res, err := p.Run(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var out []int64
		for _, v := range res.Incidents {
			out = append(out, v.EventCount)
		}
		slices.Sort(out)
		if d := cmp.Diff([]int64{3, 4}, out); d != "" {
			t.Errorf("read as %v (-want +got):\n%s", order, d)
		}
	}
}

// TestReplayWantsTimes: offline there is no arrival to fall back on, so that an event without a time is told of, and why it has none.
func TestReplayWantsTimes(t *testing.T) {
	t.Parallel()
	p := pipeline.NewReplay(nil, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
	for raw, want := range map[string]string{
		`{"a":1}`:                     "it has no time: ",
		`{"timestamp":"yesterday"}`:   `its time "yesterday" cannot be read: `,
		`{"timestamp":{"seconds":1}}`: "its time is neither a text nor a number: ",
		`{"timestamp":"yesterday","event.ingested":"2026-11-20T09:00:00Z"}`: "",
	} {
		got := ""
		if err := p.Add("", []byte(raw)); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}
