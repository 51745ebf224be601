// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// rollups commits incidents that open, grow, close, merge and retract, lets people write to them, and compares
// the counts with those of the whole list.
func rollups(t *testing.T, k Kind) {
	s := own(t, k)
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		var known []incident.Incident
		for range rapid.IntRange(1, 6).Draw(rt, "commits") {
			var ch correlate.Changes
			for range rapid.IntRange(0, 3).Draw(rt, "new") {
				number++
				r := aRule("r")
				r.Severity = rules.Severity(rapid.IntRange(1, 5).Draw(rt, "severity"))
				r.Shadow = rapid.Bool().Draw(rt, "shadow")
				known = append(known, anOpen(r, number))
				ch.Incidents = append(ch.Incidents, known[len(known)-1])
			}
			for i := range known {
				in := &known[i]
				switch rapid.IntRange(0, 11).Draw(rt, "what") {
				case 0:
					in.Retracted = !in.Retracted
				case 1:
					in.ClosedAt = base
				case 2:
					in.MergedInto = known[0].ID
				case 3:
					ch.Closed = append(ch.Closed, correlate.Close{Incident: in.ID, At: base, Verdict: incident.Benign})
					continue
				case 4:
					status := rapid.SampledFrom([]incident.Status{incident.New, incident.InProgress, incident.Resolved}).Draw(rt, "status")
					_, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &status})
					if err != nil && !refused(err) {
						rt.Fatal(err)
					}
					continue
				case 6:
					_, err := s.Merge(t.Context(), in.ID, known[rapid.IntRange(0, len(known)-1).Draw(rt, "into")].ID, "mo")
					if err != nil && !refused(err) {
						rt.Fatal(err)
					}
					continue
				case 7:
					if _, err := s.Unmerge(t.Context(), in.ID, "mo"); err != nil && !refused(err) {
						rt.Fatal(err)
					}
					continue
				case 5: // an old revision changes nothing
					old := *in
					old.Revision, old.Retracted = 0, true
					ch.Incidents = append(ch.Incidents, old)
					continue
				default:
					continue
				}
				in.Revision += 10
				ch.Incidents = append(ch.Incidents, *in)
			}
			s.commit(s.next(ch))
		}
		got, err := s.Rollup(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		if diff := gocmp.Diff(recount(s), got); diff != "" {
			rt.Fatalf("Rollup (-recount +got):\n%s", diff)
		}
	})
}

// refused reports an act that the incidents, as they happen to be, do not take: one may be new in this very commit, closed or merged.
func refused(err error) bool {
	_, merged := errors.AsType[*incident.MergedError](err)
	_, join := errors.AsType[*incident.JoinError](err)
	return merged || join || is(err, incident.ErrNotFound) || is(err, incident.ErrFinal)
}

func recount(s *owned) []store.Count {
	s.t.Helper()
	n := map[store.Count]int64{}
	for f := (incident.Filter{Limit: 500}); ; {
		vs, next, err := s.Incidents(s.t.Context(), f)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range vs {
			severity, _ := rules.ParseSeverity(v.Severity)
			n[store.Count{Status: v.Status, Severity: severity, Shadow: v.Shadow}]++
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	var out []store.Count
	for c, count := range n {
		c.N = count
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b store.Count) int {
		shadow := func(c store.Count) string { return fmt.Sprint(c.Shadow) }
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Severity, b.Severity), cmp.Compare(shadow(a), shadow(b)))
	})
	return out
}

func ruleStats(t *testing.T, k Kind) {
	s := k.Open(t)
	ls, err := s.Acquire(t.Context(), ownerA, longLease, 0, 2)
	if err != nil || len(ls) != 2 {
		t.Fatalf("Acquire = %v, %v", ls, err)
	}
	one := correlate.Stats{
		Rule: "b", Matched: 1, Unkeyed: 2, Excepted: 3, Late: 4, Capped: 5, Retracted: 6, Dropped: 7, Duplicates: 8, Detections: 9, Incidents: 10, Negative: 11, Future: 12,
	}
	for i, l := range ls {
		for range 2 { // absolute: the second commit replaces the first
			one.Matched = int64(i + 1)
			err := s.Commit(t.Context(), store.Commit{
				Partition: l.Partition, Epoch: l.Epoch, Stream: streamName, Applied: 1,
				Changes: correlate.Changes{Stats: []correlate.Stats{{Rule: "b", Matched: 100}, one, {Rule: "a", Late: 1}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []correlate.Stats{
		{Rule: "a", Late: 2},
		{Rule: "b", Matched: 3, Unkeyed: 4, Excepted: 6, Late: 8, Capped: 10, Retracted: 12, Dropped: 14, Duplicates: 16, Detections: 18, Incidents: 20, Negative: 22, Future: 24},
	}
	got, err := s.RuleStats(t.Context())
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("RuleStats: %v (-want +got):\n%s", err, diff)
	}
}
