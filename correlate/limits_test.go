// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/rules"
)

// limited is an engine with limits, and what it has said.
type limited struct {
	t      *testing.T
	set    *rules.Set
	limits correlate.Limits
	engine *correlate.Engine
	said   *view
	stored map[string]correlate.Cell
}

func newLimited(t *testing.T, r *drawn, limits correlate.Limits) *limited {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "limits.yml", Data: []byte(r.text())}})
	check(t, err)
	l := &limited{t: t, set: set, limits: limits, said: newView(), stored: make(map[string]correlate.Cell)}
	l.start()
	return l
}

func (l *limited) start() {
	l.engine = correlate.New(lateness*int64(time.Second), l.limits)
	check(l.t, l.engine.Use(l.set))
}

// step takes an entry in, as the owner of a partition does.
func (l *limited) step(x correlate.Entry) {
	l.t.Helper()
	check(l.t, l.engine.Step(x))
	l.said.apply(l.engine.Changes())
	for _, c := range l.engine.Snapshot() {
		if c.State == nil {
			delete(l.stored, c.ID)
		} else {
			l.stored[c.ID] = c
		}
	}
}

func (l *limited) tick(clock int64) {
	l.t.Helper()
	l.step(correlate.Entry{Tick: &correlate.Tick{Clock: (zero + clock) * int64(time.Second), Set: l.set.Hash}})
}

// play takes events in, each when it arrives.
func (l *limited) play(items ...item) {
	l.t.Helper()
	for _, x := range items {
		l.tick(x.a)
		var found rules.Result
		l.set.Match(x.event(), &found)
		l.step(correlate.Entry{Matches: &correlate.Matches{Set: l.set.Hash, Matches: found.Matches}})
	}
}

// restart goes on with what a snapshot has.
func (l *limited) restart() {
	l.t.Helper()
	l.start()
	for _, id := range slices.Sorted(maps.Keys(l.stored)) {
		check(l.t, l.engine.Restore(l.stored[id]))
	}
}

// wants compares the public numbers of the rule "top".
func (l *limited) wants(when string, matched, capped int64) {
	l.t.Helper()
	for _, s := range l.engine.Stats() {
		if s.Rule == "top" {
			if s.Matched != matched || s.Capped != capped {
				l.t.Errorf("%s: %d matched, %d capped; want %d and %d", when, s.Matched, s.Capped, matched, capped)
			}
			return
		}
	}
	l.t.Errorf("%s: no numbers", when)
}

// only returns the one detection of the rule "top", and whether its incident says that it is capped.
func (l *limited) only() (f finding, detection, incident bool) {
	l.t.Helper()
	n := 0
	for id, d := range l.said.detections {
		if in := l.said.incidents[l.said.in[id]]; in.Rule.ID == "top" {
			f, detection, incident = l.said.finding(id), d.Capped, in.Capped
			n++
		}
	}
	if n != 1 {
		l.t.Fatalf("%d detections, want 1", n)
	}
	return f, detection, incident
}

func ofKey(x item, key string) item {
	x.k, x.m = []string{key}, []string{key}
	return x
}

// TestKeysAreBounded: of more keys than the limit the further ones are left out and counted, whether or not they share
// their incidents, in a rule as in one that it refers to; those that are there go on (B2).
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	const keys = 10
	twice := rules.Count{Pattern: 0, Op: rules.GE, N: 2}
	together := func(r *drawn) *drawn {
		r.GroupBy = []int{}
		return r
	}
	below := plainRule("below", "below", 100, twice)
	below.By, below.GroupBy = []string{"k", "g"}, []int{0, 1}
	for _, tc := range []struct {
		name string
		rule *drawn
		one  func(i int) item // an event of the i-th key
	}{
		{"apart", plainRule("top", "own", 100, twice), func(i int) item { return ofKey(at("", 0, 0, "a", ""), fmt.Sprint(i)) }},
		{"together", together(plainRule("top", "own", 100, twice)), func(i int) item { return ofKey(at("", 0, 0, "a", ""), fmt.Sprint(i)) }},
		{"each event by itself", plainRule("top", "own", 0, rules.Is{}).lasting(100), func(i int) item { return ofKey(at("", 0, 0, "a", ""), fmt.Sprint(i)) }},
		{"of a referenced rule", plainRule("top", "own", 100, rules.Is{Pattern: 2}).over(below), func(i int) item {
			x := at("", 0, 0, "", "a")
			x.g = fmt.Sprint(i)
			return x
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			limits := correlate.DefaultLimits
			limits.Keys = keys
			l := newLimited(t, tc.rule, limits)
			n := int64(0)
			play := func(key int) {
				x := tc.one(key)
				x.id, x.t, x.a = at(fmt.Sprint(n), 0, 0, "", "").id, 1000+n, 1000+n
				n++
				l.play(x)
			}
			for key := range keys {
				play(key)
			}
			l.wants("at the limit", keys, 0)
			play(keys)
			l.wants("one over", keys, 1)
			play(0)
			l.wants("a key that was there", keys+1, 1)
			l.restart()
			play(keys)
			play(1)
			l.wants("after a restart", keys+2, 2)
			for key := range 5 * keys {
				play(keys + key)
			}
			l.wants("long over", keys+2, 2+5*keys)
			n += 10_000
			for range 3 {
				l.tick(1000 + n)
				n++
			}
			if l.engine.Cells() != 0 {
				t.Errorf("%d cells are left", l.engine.Cells())
			}
			for key := range keys {
				play(keys + key)
			}
			l.wants("once those have gone", 2*keys+2, 2+5*keys)
		})
	}
}

// TestEngineOfManyKeys plays many keys that share their incidents, of a rule that waits and refers to another: each is
// woken when its time comes, whatever the others do.
func TestEngineOfManyKeys(t *testing.T) {
	t.Parallel()
	below := plainRule("below", "below", 7, rules.And{X: []rules.Cond{rules.Is{}, rules.Not{X: rules.Is{Pattern: 1}}}})
	top := plainRule("top", "own", 10, rules.Or{X: []rules.Cond{
		rules.Sequence{Steps: []rules.Step{{Pattern: 0, Times: 1}, {Pattern: 1, Not: true}}}, rules.Is{Pattern: 2},
	}}).over(below)
	top.GroupBy = []int{}
	random := rand.New(rand.NewPCG(1, 2))
	var items []item
	for i := range 150 {
		own, under := []string{"", "a", "a", "b"}[random.IntN(4)], []string{"", "a", "a", "b"}[random.IntN(4)]
		when := 1000 + random.Int64N(120)
		items = append(items, ofKey(at(fmt.Sprint(i), when, when+[]int64{0, 0, 1, lateness, 20}[random.IntN(5)], own, under), fmt.Sprint(random.IntN(40))))
	}
	w := newWorld(t, top, items, nil)
	if len(w.want) < 3 {
		t.Fatalf("only %d incidents", len(w.want))
	}
	w.compare(t, "as drawn", items, 1, -1)
	w.compare(t, "split by a restore", items, 3, 75)
}

// TestOneOfManyKeysIsWokenInTime: what falls due sooner than what its key waits for already is told when it is due (F5).
func TestOneOfManyKeysIsWokenInTime(t *testing.T) {
	t.Parallel()
	r := plainRule("top", "own", 10, rules.And{X: []rules.Cond{rules.Is{}, rules.Not{X: rules.Is{Pattern: 1}}}})
	r.GroupBy = []int{}
	l := newLimited(t, r, correlate.DefaultLimits)
	for i := range 20 {
		l.play(ofKey(at(fmt.Sprint("b", i), 1000, 1000, "b", ""), fmt.Sprint(i)))
	}
	l.play(ofKey(at("of the future", 5000, 1000, "a", ""), "7"), ofKey(at("now", 1020, 1020, "a", ""), "7"))
	l.tick(1020 + 10 + lateness - 1)
	if n := len(l.said.detections); n != 0 {
		t.Errorf("%d detections before the deadline", n)
	}
	l.tick(1020 + 10 + lateness + 1)
	if n := len(l.said.detections); n != 1 {
		t.Errorf("%d detections after the deadline, want 1", n)
	}
}
