// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/rules"
)

// turn is an item, the Set that its batch is stamped with, and that of the marker before it.
type turn struct {
	item          item
	batch, marker int
}

// changing plays turns through an engine whose Sets change. It is snapshotted and restored before turn split, when it
// knows the newest Set and no other that it is not asked to know.
func changing(t rapid.TB, sets []*rules.Set, turns []turn, split int) (*view, []correlate.Stats) {
	t.Helper()
	e := correlate.New(lateness*int64(time.Second), correlate.Limits{})
	check(t, e.Use(sets[0]))
	v := newView()
	stored := make(map[string]correlate.Cell)
	step := func(set int, x correlate.Entry) {
		if !e.Knows(sets[set].Hash) {
			check(t, e.Use(sets[set]))
		}
		decoded, err := correlate.DecodeEntries(correlate.EncodeEntries([]correlate.Entry{x}), 0)
		check(t, err)
		check(t, e.Step(decoded[0]))
		v.apply(e.Changes())
		for _, c := range e.Snapshot() {
			stored[c.ID] = c
		}
	}
	tick := func(set int, clock int64) {
		step(set, correlate.Entry{Tick: &correlate.Tick{Clock: clock, Set: sets[set].Hash, Generation: uint64(set + 1)}})
	}
	newest := 0
	for i, x := range turns {
		if i == split {
			e = correlate.New(lateness*int64(time.Second), correlate.Limits{})
			check(t, e.Use(sets[newest]))
			for _, id := range slices.Sorted(maps.Keys(stored)) {
				if c := stored[id]; c.State != nil {
					check(t, restored(e, sets, c))
				}
			}
		}
		clock := int64(math.MaxInt64)
		for _, y := range turns[i:] {
			clock = min(clock, y.item.a)
		}
		newest = max(newest, x.marker)
		tick(x.marker, (zero+clock)*int64(time.Second))
		var found rules.Result
		sets[x.batch].Match(x.item.event(), &found)
		step(x.batch, correlate.Entry{Matches: &correlate.Matches{
			Set: sets[x.batch].Hash, Generation: uint64(x.batch + 1), Matches: found.Matches, Counts: found.Counts,
		}})
	}
	for i := range int64(4) { // what one tick lets go of can be what another cell's part waits for
		tick(newest, math.MaxInt64/4+i)
	}
	if n := e.Cells(); n > 0 {
		t.Fatalf("%d cells are left when all is over", n)
	}
	return v, e.Stats()
}

// restored takes a cell in, giving the engine the Set that it asks for.
func restored(e *correlate.Engine, sets []*rules.Set, c correlate.Cell) error {
	err := e.Restore(c)
	for range 3 {
		unknown, ok := errors.AsType[*correlate.UnknownSetError](err)
		if !ok {
			break
		}
		for _, s := range sets {
			if s.Hash == unknown.Hash {
				if err := e.Use(s); err != nil {
					return err
				}
			}
		}
		err = e.Restore(c)
	}
	return err
}

// edit is a Set of the drawn rule with another title and severity, beside a rule that is another in each edition; or
// without the drawn rule.
func edit(t rapid.TB, text string, edition int, without bool) *rules.Set {
	t.Helper()
	severities := []string{"low", "medium", "high"}
	text = strings.ReplaceAll(text, "title: top", fmt.Sprintf("title: edition %d", edition))
	text = strings.ReplaceAll(text, "severity: high", "severity: "+severities[edition%3])
	if without {
		text = ""
	}
	text += fmt.Sprintf("---\nrule: other\ntitle: other\nseverity: low\nmatch: {a: 'has(raw.own, \"a\")', b: 'has(raw.own, \"b\")'}\n"+
		"when: a and not b\nby: raw.k\nwithin: %ds\n", edition+3)
	set, err := rules.Compile([]rules.File{{Name: "drawn.yml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, text)
	}
	return set
}

func drawTurns(t *rapid.T, items []item, sets int) []turn {
	turns := make([]turn, len(items))
	marker := 0
	for i, x := range items {
		marker = min(marker+rapid.IntRange(0, 1).Draw(t, "change"), sets-1)
		turns[i] = turn{
			item: x,
			// A process that has not heard of the change stamps as before.
			batch: max(0, marker-rapid.IntRange(0, 1).Draw(t, "late batch")),
			// The first marker comes after the first batch.
			marker: max(0, marker-rapid.IntRange(0, 2).Draw(t, "late marker")),
		}
	}
	return turns
}

// TestChangesOfOtherRulesChangeNothing: a rule that means what it meant keeps its windows (R2).
func TestChangesOfOtherRulesChangeNothing(t *testing.T) {
	t.Parallel()
	of := func(v *view) (own []string) {
		for _, l := range v.lines() {
			if strings.HasPrefix(l, "top: ") {
				own = append(own, l)
			}
		}
		return own
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		items := drawItems(t, r.overDays())
		text := r.text()
		var sets []*rules.Set
		for i := range 4 {
			sets = append(sets, edit(t, text, i, false))
		}
		turns := drawTurns(t, items, len(sets))
		unchanged := slices.Clone(turns)
		for i := range unchanged {
			unchanged[i].batch, unchanged[i].marker = 0, 0
		}
		want, _ := changing(t, sets, unchanged, -1)
		got, _ := changing(t, sets, turns, -1)
		if d := cmp.Diff(of(want), of(got)); d != "" {
			t.Fatalf("changes of another rule make a difference (-without +with):\n%s\nof\n%s\n%+v", d, text, turns)
		}
	})
}

// TestChangesAreOfTheLog: what becomes of incidents when rules change, go and come back is a function of the log,
// restart or not (R1-R3).
func TestChangesAreOfTheLog(t *testing.T) {
	t.Parallel()
	lines := func(v *view, stats []correlate.Stats) []string {
		out := v.lines()
		for _, in := range v.incidents {
			out = append(out, fmt.Sprintf("%s %s %q %s", in.ID, in.Rule.Title, in.Title, in.Rule.Severity))
		}
		for _, s := range stats {
			out = append(out, fmt.Sprintf("%+v", s))
		}
		slices.Sort(out)
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		items := drawItems(t, r.overDays())
		text := r.text()
		var sets []*rules.Set
		for i := range 4 {
			sets = append(sets, edit(t, text, i, rapid.Bool().Draw(t, "gone")))
		}
		turns := drawTurns(t, items, len(sets))
		want := lines(changing(t, sets, turns, -1))
		split := rapid.IntRange(0, len(turns)-1).Draw(t, "split")
		if d := cmp.Diff(want, lines(changing(t, sets, turns, split))); d != "" {
			t.Fatalf("a restart makes a difference (-without +with):\n%s\nof\n%s\n%+v", d, text, turns)
		}
	})
}

// TestWordsOutliveARestart: a rule that was only coming, in the words of one Set and then of another, and has gone, has those
// of the last, restart or not (R2).
func TestWordsOutliveARestart(t *testing.T) {
	t.Parallel()
	text := plainRule("top", "own", 10, rules.Sequence{Steps: []rules.Step{{Pattern: 0, Times: 2}}}).lasting(1).text()
	var sets []*rules.Set
	for i, without := range []bool{true, false, false, true} {
		sets = append(sets, edit(t, text, i, without))
	}
	turns := []turn{
		{at("1", 1000, 1000, "", ""), 0, 0},
		{at("2", 1000, 1000, "a", ""), 1, 0},
		{at("3", 1000, 1000, "", ""), 2, 0},
		{at("4", 1000, 1000, "", ""), 3, 3},
		{at("5", 1000, 1000, "a", ""), 2, 3},
	}
	for split := range turns {
		v, _ := changing(t, sets, turns, split)
		found := false
		for _, in := range v.incidents {
			if in.Rule.ID == "top" {
				found = true
				if in.Rule.Title != "edition 2" {
					t.Errorf("restarted before turn %d: the incident is one of %q", split, in.Rule.Title)
				}
			}
		}
		if !found {
			t.Errorf("restarted before turn %d: there is no incident", split)
		}
	}
}

// TestARuleThatGoesAndComesBack: what waits for an absence is dropped and counted when its rule goes (R3); when it comes back
// it has not seen what came meanwhile, and does not take it for absent.
func TestARuleThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	text := plainRule("top", "own", 10, rules.And{X: []rules.Cond{
		rules.Is{Pattern: 0}, rules.Is{Pattern: 2}, rules.Not{X: rules.Is{Pattern: 1}},
	}}).lasting(1).text()
	with, without, again := edit(t, text, 0, false), edit(t, text, 1, true), edit(t, text, 2, false)
	sets := []*rules.Set{with, without, again}
	turns := func(second int) []turn {
		return []turn{
			{at("1", 1000, 1000, "ac", ""), 0, 0},
			{at("2", 1003, 1003, "b", ""), second, second},
			{at("3", 1008, 1008, "c", ""), 2 * second, 2 * second},
			{at("4", 1100, 1100, "ac", ""), 2 * second, 2 * second},
		}
	}
	number := func(v *view) (n int) {
		for _, l := range v.lines() {
			if strings.HasPrefix(l, "top: ") {
				n++
			}
		}
		return n
	}
	v, _ := changing(t, sets, turns(0), -1)
	if n := number(v); n != 1 {
		t.Errorf("without a change: %d incidents, want that of the last event", n)
	}
	v, stats := changing(t, sets, turns(1), -1)
	if n := number(v); n != 1 {
		t.Errorf("%d incidents, want that of the last event: what the rule had seen before it went is gone with it", n)
	}
	for _, s := range stats {
		if s.Rule == "top" && s.Dropped != 1 {
			t.Errorf("%d undecided were dropped, want that of the first event", s.Dropped)
		}
	}
}

// TestALateMarkerDoesNotSwitchBack: of two generations the greater stays in force, whoever speaks last.
func TestALateMarkerDoesNotSwitchBack(t *testing.T) {
	t.Parallel()
	text := plainRule("top", "own", 0, rules.Is{Pattern: 0}).text()
	sets := []*rules.Set{edit(t, text, 0, false), edit(t, text, 1, false)}
	v, _ := changing(t, sets, []turn{
		{at("1", 1000, 1000, "a", ""), 1, 1},
		{at("2", 1001, 1001, "a", ""), 0, 0},
	}, -1)
	for _, in := range v.incidents {
		if in.Rule.ID == "top" && in.Rule.Title != "edition 1" {
			t.Errorf("an incident has the title %q, want that of the rules in force", in.Rule.Title)
		}
	}
	if len(v.incidents) == 0 {
		t.Error("no incidents")
	}
}

// TestANewRuleHasItsFirstEvents: what comes between a change and the first marker after it is not lost to a new rule.
func TestANewRuleHasItsFirstEvents(t *testing.T) {
	t.Parallel()
	text := plainRule("top", "own", 10, rules.And{X: []rules.Cond{rules.Is{Pattern: 0}, rules.Not{X: rules.Is{Pattern: 1}}}}).text()
	sets := []*rules.Set{edit(t, text, 0, true), edit(t, text, 1, false)}
	v, _ := changing(t, sets, []turn{
		{at("1", 1000, 1000, "", ""), 0, 0},
		{at("2", 1001, 1001, "a", ""), 1, 0},
		{at("3", 1002, 1002, "", ""), 1, 1},
	}, 2)
	if lines := v.lines(); len(lines) != 2 || !strings.HasPrefix(lines[1], "top: ") {
		t.Errorf("incidents %q, want one of each rule", lines)
	}
}

// TestMatchOfALostRule: a match of a rule that was stored with its Set, and that this version does not compile, is counted;
// one of a rule that no Set had stops the partition.
func TestMatchOfALostRule(t *testing.T) {
	t.Parallel()
	e := correlate.New(0, correlate.Limits{})
	check(t, e.Use(&rules.Set{Hash: "then", Lost: map[string]string{"then-gone": "gone"}}))
	entry := func(revision string) correlate.Entry {
		return correlate.Entry{Matches: &correlate.Matches{Set: "then", Generation: 1, Matches: []rules.Match{{Rule: revision}}}}
	}
	check(t, e.Step(entry("then-gone")))
	if got := e.Stats(); len(got) != 1 || got[0].Rule != "gone" || got[0].Dropped != 1 {
		t.Errorf("counted %+v", got)
	}
	if err := e.Step(entry("never")); err == nil {
		t.Error("a match of a rule that no Set had was taken")
	}
}
