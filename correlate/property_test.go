// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/rules"
)

// closed is a closing with the time at which the firing point that it points at happened.
type closed struct {
	closing
	firing int64
}

func (r *drawn) oracle() oracle { return oracle{&r.Rule, lateness, r.horizon} }

// ends says where the input ends.
func (r *drawn) ends(horizon int64) {
	r.horizon = horizon
	if r.child != nil {
		r.child.ends(horizon)
	}
}

// findings asks the oracle for the detections of a rule, by grouping key.
func (r *drawn) findings(items []item) map[string][]finding {
	o := r.oracle()
	out := make(map[string][]finding)
	sets := r.sets(items)
	for _, key := range slices.Sorted(maps.Keys(sets)) {
		if fs := o.detections(key, sets[key]); len(fs) > 0 {
			out[r.group(key)] = append(out[r.group(key)], fs...)
		}
	}
	return out
}

// expected asks the oracle for the incidents of a rule and of the one it refers to.
func (r *drawn) expected(items []item, closings []closed) []string {
	o := r.oracle()
	var out []string
	for group, fs := range r.findings(items) {
		var of []closing
		for _, c := range closings {
			if c.group == group {
				of = append(of, c.closing)
			}
		}
		out = append(out, o.incidents(fs, of)...)
	}
	if r.child != nil {
		out = append(out, r.child.expected(items, nil)...)
	}
	sort.Strings(out)
	return out
}

// any reports whether something is so of a rule or of one that it refers to.
func (r *drawn) any(is func(*drawn) bool) bool {
	return is(r) || r.child != nil && r.child.any(is)
}

// remembers reports whether events further away than two windows can matter.
func (r *drawn) remembers() bool {
	return slices.ContainsFunc(conditions(r.When), func(c rules.Cond) bool {
		_, news := c.(rules.FirstSeen)
		return news || isRate(c)
	})
}

// drawClosings closes incidents some time after they can be seen, in the order of time.
func drawClosings(t *rapid.T, r *drawn, items []item) []closed {
	o := r.oracle()
	var out []closed
	by := r.findings(items)
	groups := slices.Sorted(maps.Keys(by))
	for range rapid.IntRange(0, min(2, len(groups))).Draw(t, "closings") {
		group := rapid.SampledFrom(groups).Draw(t, "group")
		fs := by[group]
		f := fs[rapid.IntRange(0, len(fs)-1).Draw(t, "closed")]
		for _, x := range dedupe(r.sets(items)[f.key]) {
			if f.points[x.id] && (x.t == f.firing || rapid.Bool().Draw(t, "point")) {
				// By then all that it is made of is there, and what waits has been waited for.
				seen := x.a
				for _, y := range items {
					if max(y.t-x.t, x.t-y.t) <= o.t() {
						seen = max(seen, y.a)
					}
				}
				if r.any((*drawn).remembers) {
					for _, y := range items {
						seen = max(seen, y.a)
					}
				}
				if r.any(func(r *drawn) bool { return settles(r.When) }) {
					seen = max(seen, x.t+o.t()) + 2*o.l()
				}
				at := seen + rapid.Int64Range(0, 30).Draw(t, "after")
				out = append(out, closed{closing{group, f.key, at, x.id}, x.t})
				break
			}
		}
	}
	slices.SortStableFunc(out, func(x, y closed) int { return int(x.at - y.at) })
	return out
}

// run plays items, in the given order and so many at once, through an engine that is snapshotted and restored at
// split, and asked what changed after every so many entries: while the store is away nobody asks.
func run(t rapid.TB, set *rules.Set, items []item, batch, split, every int, closings []closed, horizon int64) []string {
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(set))
	v := newView()
	stored := make(map[string]correlate.Cell)
	steps := 0
	ask := func() { v.apply(e.Changes()) }
	step := func(x correlate.Entry) {
		// The log is bytes.
		decoded, err := correlate.DecodeEntries(correlate.EncodeEntries([]correlate.Entry{x}), 0)
		check(t, err)
		if x.Close != nil {
			decoded[0].Close.At = x.Close.At // the stream's time of the message
		}
		check(t, e.Step(decoded[0]))
		if steps++; steps%every == 0 {
			ask()
		}
		for _, c := range e.Snapshot() {
			stored[c.ID] = c
		}
	}
	tick := func(clock int64) {
		step(correlate.Entry{Tick: &correlate.Tick{Clock: (zero + clock) * int64(time.Second), Set: set.Hash}})
	}
	top := set.ByID("top")
	// People act on what they see when the clock is there, else as soon as they see it.
	act := func(until int64) {
		for len(closings) > 0 && closings[0].at <= until {
			c := closings[0]
			tick(c.at)
			ask()
			id := v.incidentOf(top.ID, c.key, c.firing, c.point)
			if id == "" {
				return
			}
			closings = closings[1:]
			step(correlate.Entry{Close: &correlate.Close{
				Rule: top.Revision, Group: v.incidents[id].Key, Incident: id, At: (zero + c.at) * int64(time.Second),
			}})
		}
	}
	for i := 0; i < len(items); i += batch {
		clock := int64(math.MaxInt64)
		for _, y := range items[i:] {
			clock = min(clock, y.a)
		}
		act(clock - 1)
		tick(clock)
		if i <= split && split < i+batch {
			ask()
			e = correlate.New(lateness*int64(time.Second), correlate.Limits{})
			check(t, e.Use(set))
			for _, id := range slices.Sorted(maps.Keys(stored)) {
				if c := stored[id]; c.State != nil {
					check(t, e.Restore(c))
				}
			}
		}
		var found rules.Result
		for _, x := range items[i:min(i+batch, len(items))] {
			set.Match(x.event(), &found)
		}
		step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches, Counts: found.Counts}})
		act(clock - 1)
	}
	act(math.MaxInt64)
	last := &correlate.Tick{Clock: math.MaxInt64 / 4, Set: set.Hash}
	if horizon != 0 {
		last.Horizon = (zero + horizon) * int64(time.Second)
	}
	step(correlate.Entry{Tick: last})
	for range 3 { // what one tick lets go of can be what another part of the cell waits for
		last.Clock++
		step(correlate.Entry{Tick: last})
	}
	if n := e.Cells(); n > 0 {
		t.Fatalf("%d cells are left when all is over", n)
	}
	ask()
	lines := v.lines()
	for _, s := range e.Stats() {
		if s.Excepted > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d excepted", s.Rule, s.Excepted))
		}
	}
	return lines
}

func check(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEngineEqualsOracle is the promise: what the engine finds is what detection.md
// says of the whole set of events, in order, shuffled, duplicated, and split by a restore.
func TestEngineEqualsOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		items := drawItems(t, r.overDays())
		var closings []closed
		if r.Within != 0 {
			closings = drawClosings(t, r, items)
		}
		if len(closings) == 0 && rapid.Bool().Draw(t, "the input ends") {
			last := int64(0)
			for _, x := range items {
				last = max(last, x.a)
			}
			r.ends(last + rapid.Int64Range(0, 12).Draw(t, "until"))
		}
		batch := rapid.IntRange(1, 3).Draw(t, "batch")
		split := rapid.IntRange(-1, len(items)-1).Draw(t, "split")
		w := newWorld(t, r, items, closings)
		w.compare(t, "in order", items, 1, -1)
		w.compare(t, "split by a restore", items, 1, split)
		shuffled := rapid.Permutation(items).Draw(t, "order")
		w.every = rapid.IntRange(1, 3*len(items)).Draw(t, "asked after")
		w.compare(t, "shuffled", shuffled, batch, split)
		w.compare(t, "duplicated", append(slices.Clone(shuffled), items...), batch, split)
	})
}

// world is a rule, what happens, and what the oracle says of it.
type world struct {
	set      *rules.Set
	rule     *drawn
	closings []closed
	horizon  int64
	every    int // entries, until it is asked what changed
	want     []string
	text     string
}

func newWorld(t rapid.TB, r *drawn, items []item, closings []closed) *world {
	t.Helper()
	text := r.text()
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, text)
	}
	return &world{
		set: set, rule: r, closings: closings, horizon: r.horizon, every: 1, want: r.expected(items, closings),
		text: fmt.Sprintf("%s\nevents %+v\nclosings %+v", text, items, closings),
	}
}

func (w *world) compare(t rapid.TB, how string, items []item, batch, split int) {
	t.Helper()
	want := slices.Clone(w.want)
	excepted := make(map[string]int)
	for r := w.rule; r != nil; r = r.child {
		excepted[r.ID] = r.excepted(items)
	}
	for _, id := range slices.Sorted(maps.Keys(excepted)) {
		if n := excepted[id]; n > 0 {
			want = append(want, fmt.Sprintf("%s: %d excepted", id, n))
		}
	}
	if d := cmp.Diff(want, run(t, w.set, items, batch, split, w.every, w.closings, w.horizon)); d != "" {
		t.Fatalf("%s: the engine differs from the oracle (-want +got):\n%s\nof\n%s", how, d, w.text)
	}
}
