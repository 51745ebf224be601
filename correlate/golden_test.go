// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

var update = flag.Bool("update", false, "write the golden snapshot of the present format, if there is none")

// golden is a snapshot as some version wrote it, with the log before it and after it.
type golden struct {
	Set           string
	Rules         []byte
	Before, After []byte // entries
	Cells         []correlate.Cell
}

// firstGolden is the format of the first golden snapshot: what versions before wrote nobody has.
const firstGolden = 5

func goldenFile(format int) string { return fmt.Sprintf("testdata/snapshot-%d.json", format) }

// TestGoldenSnapshots: this version reads snapshots of its own format and of the one before, and goes on from them as who was there
// from the beginning; and its own format is what it was when it was given its number. Whoever changes the encoding raises
// SnapshotFormat, has Restore read the one before it too, and keep its cells as changed, so that the next snapshot has none of the
// older format; then `go test ./correlate -run TestGoldenSnapshots -update` writes another golden one. The older one stays.
func TestGoldenSnapshots(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(goldenFile(correlate.SnapshotFormat)); *update && errors.Is(err, fs.ErrNotExist) {
		writeGolden(t)
	}
	for format := max(correlate.SnapshotFormat-1, firstGolden); format <= correlate.SnapshotFormat; format++ {
		b, err := os.ReadFile(goldenFile(format))
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(b, &g); err != nil {
			t.Fatal(err)
		}
		set, leftOut, err := rules.Decode(g.Set, g.Rules)
		if err != nil || len(leftOut) > 0 {
			t.Fatalf("format %d: %v, left out %v", format, err, leftOut)
		}
		there, want := goldenEngine(t, set), newView()
		playLog(t, there, want, g.Before)
		cells := there.Snapshot()
		if d := cmp.Diff(g.Cells, cells); d != "" && format == correlate.SnapshotFormat {
			t.Errorf("format %d is not what it was: raise it (-then +now)\n%s", format, d)
		}
		playLog(t, there, want, g.After)

		read, got := goldenEngine(t, set), newView()
		playLog(t, goldenEngine(t, set), got, g.Before)
		half := got.lines()
		for _, c := range g.Cells {
			check(t, read.Restore(c))
		}
		if n := len(read.Snapshot()); format < correlate.SnapshotFormat && n != len(g.Cells) {
			t.Errorf("of %d cells of format %d the next snapshot has %d: the others stay as they are", len(g.Cells), format, n)
		}
		playLog(t, read, got, g.After)
		if d := cmp.Diff(want.lines(), got.lines()); d != "" {
			t.Errorf("format %d: read on (-there from the beginning +restored)\n%s", format, d)
		}
		if len(g.Cells) < 12 || slices.Equal(half, got.lines()) {
			t.Errorf("format %d: %d cells, %d incidents before and %d after: it says little", format, len(g.Cells), len(half), len(got.lines()))
		}
	}
}

func goldenEngine(t *testing.T, set *rules.Set) *correlate.Engine {
	t.Helper()
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(set))
	return e
}

// playLog plays a log, and notes what it changes.
func playLog(t *testing.T, e *correlate.Engine, v *view, log []byte) {
	t.Helper()
	entries, err := correlate.DecodeEntries(log, 0)
	check(t, err)
	for _, x := range entries {
		check(t, e.Step(x))
		v.apply(e.Changes())
	}
}

// goldenRules have a window of each kind.
const goldenRules = `{rule: counted, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: count(a) >= 3, by: raw.k, within: 20s}
---
{rule: settled, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: count(a) == 2, by: raw.k, within: 20s}
---
{rule: guarded, title: t, severity: low, match: {a: 'has(raw.did, "a")', b: 'has(raw.did, "b")'}, when: 'sequence(a, not b)', by: raw.k, within: 20s}
---
{rule: distinct, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: 'distinct(a, raw.v) >= 3', by: raw.k, within: 20s}
---
{rule: summed, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: 'sum(a, raw.n) > 20', by: raw.k, within: 20s}
---
{rule: average, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: 'avg(a, raw.n) > 6', by: raw.k, within: 20s}
---
{rule: scored, title: t, severity: low, match: {a: 'has(raw.did, "a")', b: 'has(raw.did, "b")'}, weights: {a: 1, b: 2}, when: score >= 3, by: raw.k, within: 20s}
---
{rule: new, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: 'first_seen(a, raw.v)', learn: 30s, by: raw.k}
---
{rule: silent, title: t, severity: low, match: {b: 'has(raw.did, "b")'}, when: silent(b), by: raw.k, within: 20s}
---
{rule: unusual, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: 'rate(a) > 2 * usual(a) and count(a) >= 2', by: raw.k, within: 20s}
---
{rule: above, title: t, severity: low, match: {c: 'detection("counted")', b: 'has(raw.did, "b")'}, when: 'sequence(c, b)', by: raw.k, within: 30s, incident: {quiet: 40s}}
---
{rule: grouped, title: t, severity: low, match: {a: 'has(raw.did, "a")'}, when: count(a) >= 2, by: [raw.k, raw.v], within: 20s, incident: {group_by: [raw.k]}}
`

// writeGolden writes a snapshot of the present format. What happens goes on across it: windows are half full, absences undecided,
// incidents open.
func writeGolden(t *testing.T) {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "golden.yml", Data: []byte(goldenRules)}})
	check(t, err)
	g := golden{Set: set.Hash}
	g.Rules, err = set.Encode()
	check(t, err)
	log := func(from, to int64) (out []byte) {
		var entries []correlate.Entry
		for i := from; i < to; i++ {
			var found rules.Result
			e := &event.Event{
				ID: event.NewID("golden", fmt.Sprint(i), 0), EventID: fmt.Sprint(i), Source: "test",
				Time: (zero + 3*i - i%4) * int64(time.Second), Arrival: (zero + 3*i + 2*(i%3)) * int64(time.Second),
			}
			_, err := e.ParseObject(fmt.Appendf(nil, `{"k":"key-%d","did":[%q],"v":"value-%d","n":%d}`, i*i%5%3, []string{"a", "b"}[i/2%2], i*7%11, i*5%13))
			check(t, err)
			set.Match(e, &found)
			entries = append(entries,
				correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Generation: 1, Seq: uint64(i), Matches: found.Matches, Counts: found.Counts}},
				correlate.Entry{Tick: &correlate.Tick{Floor: uint64(i), Clock: e.Arrival, Set: set.Hash, Generation: 1}})
		}
		return correlate.EncodeEntries(entries)
	}
	g.Before, g.After = log(1, 40), log(40, 70)
	e := goldenEngine(t, set)
	playLog(t, e, newView(), g.Before)
	g.Cells = e.Snapshot()
	b, err := json.MarshalIndent(g, "", " ")
	check(t, err)
	check(t, os.WriteFile(goldenFile(correlate.SnapshotFormat), append(b, '\n'), 0o600))
}
