// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/rules"
)

// TestNegativeValuesAreCounted: what a sum leaves out is a public number, once for each event.
func TestNegativeValuesAreCounted(t *testing.T) {
	t.Parallel()
	one, _ := rules.NumberOf(int64(1))
	r := plainRule("top", "own", 10, rules.Aggregate{Func: rules.Sum, Value: valueN, N: one})
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(r.text())}})
	if err != nil {
		t.Fatal(err)
	}
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(set))
	var found rules.Result
	for i, n := range []string{"-2", "3", "-0.5", "'-7", "", "-2"} {
		x := at(string(rune('0'+i)), int64(1000+i), int64(1000+i), "a", "")
		x.n = n
		set.Match(x.event(), &found)
		set.Match(x.event(), &found) // its copy counts nothing
	}
	other := at("b", 1000, 1000, "b", "")
	other.n = "-9"
	set.Match(other.event(), &found) // no match of the pattern
	check(t, e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}}))
	if got := e.Stats()[0].Negative; got != 3 {
		t.Errorf("%d negative values, want 3", got)
	}
	if n := len(e.Changes().Incidents); n != 1 {
		t.Errorf("%d incidents of a sum of 3, want 1", n)
	}
}

// TestTheFutureIsKeptAndCounted: an event with a time after its arrival takes part, once, and is a public number that a restore
// keeps; one of the very time of its arrival is not of the future (C3).
func TestTheFutureIsKeptAndCounted(t *testing.T) {
	t.Parallel()
	r := plainRule("top", "own", 10, rules.Count{Op: rules.GE, N: 4})
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(r.text())}})
	if err != nil {
		t.Fatal(err)
	}
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(set))
	var found rules.Result
	for _, x := range []item{
		at("an hour ahead", 4600, 1000, "a", ""), at("an hour ahead", 4600, 1000, "a", ""), at("a second ahead", 4601, 4600, "a", ""),
		at("on time", 4602, 4602, "a", ""), at("late", 4603, 4609, "a", ""),
	} {
		set.Match(x.event(), &found)
	}
	check(t, e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}}))
	if n := len(e.Changes().Incidents); n != 1 {
		t.Errorf("%d incidents of four events, want 1", n)
	}
	cells := e.Snapshot()
	restored := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, restored.Use(set))
	for _, c := range cells {
		check(t, restored.Restore(c))
	}
	for _, s := range []correlate.Stats{e.Stats()[0], restored.Stats()[0]} {
		if s.Future != 2 || s.Late != 1 || s.Duplicates != 1 {
			t.Errorf("%d of the future, %d late, %d duplicates; want 2, 1 and 1", s.Future, s.Late, s.Duplicates)
		}
	}
}

// TestLimitsAreCounted: of more keys than the limit the further ones are left out, of more matches of a key the oldest are
// folded; both are counted, and the detections of a key that lost some say so (B2).
func TestLimitsAreCounted(t *testing.T) {
	t.Parallel()
	r := plainRule("top", "own", 1000, rules.Count{Op: rules.GE, N: 3})
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(r.text())}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		keys, events   int
		counted        bool
		incidents, all int // capped, and all
	}{
		"as many as there may be": {3, 20, false, 0, 3},
		"more keys":               {5, 20, true, 0, 3},
		"more events of a key":    {3, 21, true, 3, 3},
	} {
		lim := correlate.DefaultLimits
		lim.Keys, lim.Matches = 3, 20
		e := correlate.New(lateness*int64(time.Second), lim)
		check(t, e.Use(set))
		v := newView()
		for k := range tc.keys {
			var found rules.Result
			for i := range tc.events {
				x := at(fmt.Sprint(k, " ", i), int64(1000+i), int64(1000+i), "a", "")
				x.k = []string{fmt.Sprint("key ", k)}
				set.Match(x.event(), &found)
			}
			check(t, e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}}))
			v.apply(e.Changes())
		}
		capped := 0
		for _, in := range v.incidents {
			if in.Capped {
				capped++
			}
		}
		if counted := e.Stats()[0].Capped > 0; counted != tc.counted || capped != tc.incidents || len(v.incidents) != tc.all || e.Cells() > lim.Keys {
			t.Errorf("%s: %d counted as capped, %d of %d incidents and %d cells; want %t, %d of %d", name, e.Stats()[0].Capped, capped, len(v.incidents), e.Cells(), tc.counted, tc.incidents, tc.all)
		}
	}
}

// TestFirstSeenIsBounded: of more values than the limit of a key those seen longest ago go, are counted, and the detections
// of the key say so (B2).
func TestFirstSeenIsBounded(t *testing.T) {
	t.Parallel()
	r := plainRule("top", "own", 1, rules.FirstSeen{Values: []int{0}, Learn: 40}).learning(40)
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(r.text())}})
	if err != nil {
		t.Fatal(err)
	}
	lim := correlate.DefaultLimits
	lim.Values = 20
	e := correlate.New(lateness*int64(time.Second), lim)
	check(t, e.Use(set))
	v := newView()
	// A value a second, over and over again: 50 are within learn and what lateness needs.
	for i := range int64(300) {
		x := at(fmt.Sprint(i), 1000+i, 1000+i, "a", "")
		x.v = fmt.Sprint(i % 50)
		var found rules.Result
		set.Match(x.event(), &found)
		check(t, e.Step(correlate.Entry{Tick: &correlate.Tick{Clock: (zero + x.a) * int64(time.Second)}}))
		check(t, e.Step(correlate.Entry{Matches: &correlate.Matches{Set: set.Hash, Matches: found.Matches}}))
		v.apply(e.Changes())
	}
	if e.Stats()[0].Capped == 0 {
		t.Error("nothing is counted as capped")
	}
	capped := false
	for _, d := range v.detections {
		capped = capped || d.Capped
	}
	if !capped {
		t.Error("no detection says that it is capped")
	}
	check(t, e.Step(correlate.Entry{Tick: &correlate.Tick{Clock: (zero + 1<<30) * int64(time.Second)}}))
	if e.Changes(); e.Cells() != 0 {
		t.Errorf("%d cells long after the last event, want none", e.Cells())
	}
}

// TestTheLastYearIsKept: an incident of a time that is nearly beyond what a time can be is not forgotten with one of now, and so
// a copy of its event is one.
func TestTheLastYearIsKept(t *testing.T) {
	t.Parallel()
	const last = (1<<63 - 1) / int64(time.Second) // in 2262
	for _, within := range []int{0, 10} {
		l := newLimited(t, plainRule("top", "own", within, rules.Is{Pattern: 0}), correlate.Limits{})
		l.play(at("now", 1000, 1000, "a", ""), at("last", last-zero, 1000, "a", ""))
		l.tick(5000)
		l.play(at("last", last-zero, 5000, "a", ""))
		if s := l.engine.Stats()[0]; s.Matched != 2 || s.Duplicates != 1 || s.Incidents != 2 || l.engine.Cells() != 1 {
			t.Errorf("within %ds: %d matched, %d duplicates, %d incidents, %d cells; want 2, 1, 2 and 1", within, s.Matched, s.Duplicates, s.Incidents, l.engine.Cells())
		}
	}
}
