// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

func filters(t *testing.T, k Kind) {
	s := own(t, k)
	login, exec := aRule("login"), aRule("exec")
	exec.Severity, exec.Attack = rules.Critical, []string{"t1059", "T1611"}
	a, b, c, d, e := anOpen(login, 1), anOpen(login, 2), anOpen(exec, 3), anOpen(exec, 4), anOpen(login, 5)
	b.ClosedAt, b.Verdict = base, incident.Benign
	c.Entities = []incident.Entity{{Type: "pod", Name: "shop/web-1"}, {Type: "user", Name: "user-1"}}
	c.Title = "Shell in 100% of pods_"
	d.MergedInto = c.ID
	e.Retracted = true
	s.put(a, b, c, d, e)
	s.put(anOpen(exec, 6))
	held := incident.OnHold
	if _, err := s.SetWork(t.Context(), id(anIncident, 6), incident.Work{Status: &held}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		f    incident.Filter
		want []int
	}{
		{"all that live, newest first", incident.Filter{}, []int{6, 3, 2, 1}},
		{"merged too", incident.Filter{IncludeMerged: true}, []int{6, 4, 3, 2, 1}},
		{"retracted too", incident.Filter{IncludeRetracted: true}, []int{6, 5, 3, 2, 1}},
		{"everything", incident.Filter{IncludeMerged: true, IncludeRetracted: true}, []int{6, 5, 4, 3, 2, 1}},
		{"status", incident.Filter{Status: []string{"closed"}}, []int{2}},
		{"one of two statuses", incident.Filter{Status: []string{"closed", "on_hold"}}, []int{6, 2}},
		{"no such status", incident.Filter{Status: []string{"open"}}, nil},
		{"severity", incident.Filter{Severity: []string{"critical"}}, []int{6, 3}},
		{"one of two severities", incident.Filter{Severity: []string{"critical", "high"}}, []int{6, 3, 2, 1}},
		{"no such severity", incident.Filter{Severity: []string{"awful"}}, nil},
		{"rule", incident.Filter{Rule: "login"}, []int{2, 1}},
		{"rule, retracted too", incident.Filter{Rule: "login", IncludeRetracted: true}, []int{5, 2, 1}},
		{"entity", incident.Filter{EntityType: "user", EntityName: "user-1"}, []int{3, 1}},
		{"entity of another type", incident.Filter{EntityType: "host", EntityName: "user-1"}, nil},
		{"type of entity", incident.Filter{EntityType: "pod"}, []int{3}},
		{"name of entity", incident.Filter{EntityName: "10.0.0.1"}, []int{6, 2, 1}},
		{"technique", incident.Filter{Technique: "T1059"}, []int{6, 3}},
		{"technique, folded", incident.Filter{Technique: "t1611"}, []int{6, 3}},
		{"parent of a sub-technique", incident.Filter{Technique: "T1110"}, []int{2, 1}},
		{"another sub-technique", incident.Filter{Technique: "T1110.002"}, nil},
		{"entity and technique", incident.Filter{EntityType: "user", EntityName: "user-1", Technique: "T1059"}, []int{3}},
		{"since", incident.Filter{Since: base + 3*second}, []int{6, 3}},
		{"since, to the nanosecond", incident.Filter{Since: base + 3*second + 1}, []int{6}},
		{"until", incident.Filter{Until: base + 2*second - 10*second}, []int{2, 1}},
		{"until, to the nanosecond", incident.Filter{Until: base + 2*second - 10*second - 1}, []int{1}},
		{"since and until", incident.Filter{Since: base + 2*second, Until: base - 7*second}, []int{3, 2}},
		{"entity since", incident.Filter{EntityType: "user", EntityName: "user-1", Since: base + 2*second}, []int{3}},
		{"text of the title, folded", incident.Filter{Query: "SHELL in"}, []int{3}},
		{"text with a per cent sign", incident.Filter{Query: "100% of"}, []int{3}},
		{"text with what is a wildcard elsewhere", incident.Filter{Query: "1%of"}, nil},
		{"text with an underscore", incident.Filter{Query: "pods_"}, []int{3}},
		{"text of the key", incident.Filter{Query: "user-6"}, []int{6}},
		{"text of an entity", incident.Filter{Query: "shop/web"}, []int{3}},
		{"text of the id", incident.Filter{Query: id(anIncident, 2)}, []int{2}},
		{"all at once", incident.Filter{
			Status: []string{"new"}, Severity: []string{"critical"}, Rule: "exec", EntityType: "pod", EntityName: "shop/web-1",
			Technique: "T1611", Since: base, Until: base + 100*second, Query: "shell", IncludeMerged: true, IncludeRetracted: true,
		}, []int{3}},
	} {
		want := []string{}
		for _, n := range tt.want {
			want = append(want, id(anIncident, n))
		}
		for _, limit := range []int{0, 1, 2} {
			tt.f.Limit = limit
			if diff := cmp.Diff(want, s.list(tt.f)); diff != "" {
				t.Errorf("%s, limit %d (-want +got):\n%s", tt.name, limit, diff)
			}
		}
	}
}

// stablePages pages through a list while incidents are added and touched. Whatever was there at the first page
// and was not touched since must come exactly once, and the order must hold throughout.
func stablePages(t *testing.T, k Kind) {
	s := own(t, k)
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		number++
		r := aRule(fmt.Sprint("r", number))
		all := map[string]incident.Incident{}
		draw := func(name string, most int) {
			var ins []incident.Incident
			for range rapid.IntRange(0, most).Draw(rt, name) {
				number++
				in := anOpen(r, number)
				in.LastEvent = base + rapid.Int64Range(0, 5).Draw(rt, "at") // many at the same time
				ins = append(ins, in)
				all[in.ID] = in
			}
			s.put(ins...)
		}
		draw("before", 12)
		still := map[string]bool{}
		for id := range all {
			still[id] = true
		}
		f := incident.Filter{Rule: r.ID, Limit: rapid.IntRange(1, 4).Draw(rt, "limit")}
		if rapid.Bool().Draw(rt, "by entity") {
			f.EntityType, f.EntityName = "ip", "10.0.0.1"
		}
		seen := map[string]int{}
		last := ""
		for {
			vs, next, err := s.Incidents(t.Context(), f)
			if err != nil {
				rt.Fatal(err)
			}
			for _, v := range vs {
				seen[v.ID]++
				at := fmt.Sprintf("%020d/%s", int64(v.LastEvent), v.ID)
				if last != "" && at >= last {
					rt.Fatalf("%s after %s", at, last)
				}
				last = at
			}
			if f.Cursor = next; next == "" {
				break
			}
			draw("between", 3)
			for _, id := range sorted(all) {
				if rapid.IntRange(0, 9).Draw(rt, "touch") == 0 {
					in := all[id]
					in.Revision++
					in.LastEvent += rapid.Int64Range(0, 3).Draw(rt, "by")
					all[id] = in
					delete(still, id)
					s.put(in)
				}
			}
		}
		for id, n := range seen {
			if n > 1 {
				rt.Fatalf("%s came %d times", id, n)
			}
		}
		for id := range still {
			if seen[id] != 1 {
				rt.Fatalf("%s was there all along and came %d times", id, seen[id])
			}
		}
	})
}

func sorted[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func cursors(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	var ins []incident.Incident
	for n := range 5 {
		ins = append(ins, anOpen(r, n))
	}
	s.put(ins...)
	var evs []incident.Evidence
	for i := range 5 {
		evs = append(evs, evidenceOf(0, i, "s"))
	}
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(ins[0], 0, evs...)}}, freeze(ins[0].ID, evs...)...))
	_, next, err := s.Incidents(t.Context(), incident.Filter{Limit: 2})
	if err != nil || next == "" || strings.Trim(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Fatalf("cursor %q, %v; want a URL-safe one", next, err)
	}
	if _, _, err := s.Incidents(t.Context(), incident.Filter{Limit: 3, Cursor: next}); err != nil {
		t.Errorf("a page of another size: %v", err)
	}
	_, evNext, err := s.Evidence(t.Context(), ins[0].ID, 2, "")
	if err != nil || evNext == "" {
		t.Fatalf("evidence cursor %q, %v", evNext, err)
	}
	for name, f := range map[string]incident.Filter{
		"another filter": {Limit: 2, Rule: "r", Cursor: next},
		"cut":            {Cursor: next[:len(next)-2]},
		"longer":         {Cursor: next + "AA"},
		"garbage":        {Cursor: "not a cursor"},
		"zeros":          {Cursor: strings.Repeat("A", len(next))},
		"of evidence":    {Cursor: evNext},
	} {
		if _, _, err := s.Incidents(t.Context(), f); !is(err, incident.ErrBadCursor) {
			t.Errorf("%s: %v, want ErrBadCursor", name, err)
		}
	}
	for name, c := range map[string]string{"of incidents": next, "cut": evNext[:30], "garbage": "%%%"} {
		if _, _, err := s.Evidence(t.Context(), ins[0].ID, 2, c); !is(err, incident.ErrBadCursor) {
			t.Errorf("evidence, %s: %v, want ErrBadCursor", name, err)
		}
	}
	if _, _, err := s.Evidence(t.Context(), ins[1].ID, 2, evNext); !is(err, incident.ErrBadCursor) {
		t.Errorf("evidence of another incident: %v, want ErrBadCursor", err)
	}
	if _, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{Cursor: next}); !is(err, incident.ErrBadCursor) {
		t.Errorf("alerts: %v, want ErrBadCursor", err)
	}
}

func longIncidents(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	one, two := anOpen(r, 1), anOpen(r, 2)
	one.DetectionCount = 30
	var ds []correlate.DetectionChange
	for n := range 30 {
		d := aDetectionOf(one, n, evidenceOf(n, n, "s"))
		d.Detection.First += int64(30 - n) // the order of time is not that of the ids
		ds = append(ds, d)
	}
	ds = append(ds, aDetectionOf(two, 99))
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{one, two}, Detections: ds}))
	vs, _, err := s.Incidents(t.Context(), incident.Filter{})
	if err != nil || len(vs) != 2 {
		t.Fatalf("Incidents: %d, %v", len(vs), err)
	}
	if n := len(vs[0].Detections); n != 1 {
		t.Errorf("the newer one has %d detections, want 1", n)
	}
	listed, whole := vs[1].Detections, s.incident(one.ID).Detections
	if len(listed) != 20 || len(whole) != 30 {
		t.Fatalf("%d detections in the list and %d in the incident, want 20 and 30", len(listed), len(whole))
	}
	if diff := cmp.Diff(whole[:20], listed); diff != "" {
		t.Errorf("the list has others than the earliest (-want +got):\n%s", diff)
	}
	for n, d := range whole {
		if d.ID != id(aDetection, 29-n) || len(d.Evidence) != 1 {
			t.Errorf("detection %d is %s with %d pieces of evidence", n, d.ID, len(d.Evidence))
		}
	}
}

// atMidnight: logs that say no more than the day have many incidents at one time, and what is looked for is before it.
func atMidnight(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	const day = 24 * 3600 * second
	midnight := base - base%day
	var ins []incident.Incident
	var want []string
	for n := range 12 {
		in := anOpen(r, n)
		in.FirstEvent, in.LastEvent = midnight, midnight
		if n < 3 {
			in.FirstEvent, in.LastEvent = midnight-int64(3-n)*day, midnight-int64(3-n)*day
			in.Entities = []incident.Entity{{Type: "pod", Name: "web"}}
			want = append([]string{in.ID}, want...)
		}
		ins = append(ins, in)
	}
	s.put(ins...)
	if diff := cmp.Diff(want, s.list(incident.Filter{Rule: "r", EntityName: "web", Limit: 1})); diff != "" {
		t.Error(diff)
	}
}
