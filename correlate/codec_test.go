// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// TestEntriesOfTheVersionBefore are read on: a log outlives the process that wrote it. Its matches know nothing of
// exceptions of rules above, and went up.
func TestEntriesOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	want := []correlate.Entry{
		{Matches: &correlate.Matches{Set: "s", Generation: 3, Seq: 7, Part: 1, Matches: []rules.Match{{
			Rule: "r", Path: []int{1}, Key: rules.MakeKey("h"), Group: rules.MakeKey("g"), Patterns: 5, Values: []string{"v"},
			Event: rules.EventRef{ID: event.NewID("test", "1", 0), Time: 10, Arrival: 11, Seq: 7, Index: 2, About: "about"},
		}}}},
		{Tick: &correlate.Tick{Floor: 7, Clock: 12, Set: "s", Generation: 3}},
	}
	w := &event.Writer{}
	w.Uint(2) // the format
	w.Uint(2)
	w.Uint(1)
	w.String("s")
	w.Uint(7)
	w.Uint(1)
	w.Uint(1)
	w.String("r")
	w.Uint(1)
	w.Uint(1)
	w.String(string(rules.MakeKey("h")))
	w.String(string(rules.MakeKey("g")))
	w.Uint(5)
	w.Uint(1)
	w.String("v")
	w.ID(event.NewID("test", "1", 0))
	w.Int(10)
	w.Int(11)
	w.Uint(7)
	w.Uint(2)
	w.String("about")
	w.Uint(0)
	w.Uint(3)
	w.Uint(2)
	w.Uint(7)
	w.Int(12)
	w.String("s")
	w.Int(0)
	w.Uint(3)
	got, err := correlate.DecodeEntries(w.B, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if string(correlate.EncodeEntries(want)) != string(w.B) {
		t.Error("what the version before could say it cannot read: while a version replaces another, both read the log")
	}
	want[0].Matches.Matches[0].Barred = 2
	got, err = correlate.DecodeEntries(correlate.EncodeEntries(want), 0)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
}
