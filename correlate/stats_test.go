// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
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
