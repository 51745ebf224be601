// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
)

// related finds incidents of other rules by what they share, and those about an entity.
func related(t *testing.T, k Kind) {
	s := own(t, k)
	login, exec, scan := aRule("login"), aRule("exec"), aRule("scan")
	a, b, c, d, e := anOpen(login, 1), anOpen(exec, 2), anOpen(scan, 3), anOpen(login, 4), anOpen(scan, 5)
	pod := incident.Entity{Type: "pod", Name: "shop/web-1"}
	a.Entities = append(a.Entities, pod)
	b.Entities = []incident.Entity{pod, {Type: "user", Name: "user-1"}}
	c.Entities = []incident.Entity{{Type: "user", Name: "shop/web-1"}} // another type
	e.Retracted = true
	b.ClosedAt, b.Verdict = base, incident.TruePositive
	s.put(a, b, c, d, e)
	find := func(id string, limit int) (out []string) {
		t.Helper()
		rs, err := s.Related(t.Context(), id, nil, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			line := []string{r.Incident.Rule.ID}
			for _, e := range r.Shared {
				line = append(line, e.Type+":"+e.Name)
			}
			out = append(out, strings.Join(line, " "))
		}
		return out
	}
	if diff := cmp.Diff([]string{"exec user:user-1 pod:shop/web-1"}, find(a.ID, 10)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string(nil), find(c.ID, 10)); diff != "" {
		t.Error(diff)
	}
	d.Entities = []incident.Entity{pod}
	d.Revision = 2
	s.put(d)
	if diff := cmp.Diff([]string{"login pod:shop/web-1"}, find(b.ID, 1)); diff != "" {
		t.Errorf("the newest alone: %s", diff)
	}
	if _, err := s.Related(t.Context(), id(anIncident, 9), nil, 1); !is(err, incident.ErrNotFound) {
		t.Errorf("to none: %v", err)
	}
	nobody := incident.Scope{}
	if rs, err := s.Related(t.Context(), a.ID, nobody, 10); err != nil || len(rs) != 0 {
		t.Errorf("in no scope: %v %v", rs, err)
	}

	seen, more, err := s.Sightings(t.Context(), "pod", "shop/web-1", nil)
	want := []incident.Sighting{
		{ID: d.ID, Severity: "high", Status: incident.New, FirstEvent: d.FirstEvent, LastEvent: d.LastEvent},
		{ID: b.ID, Severity: "high", Status: incident.Closed, Verdict: incident.TruePositive, FirstEvent: b.FirstEvent, LastEvent: b.LastEvent},
		{ID: a.ID, Severity: "high", Status: incident.New, FirstEvent: a.FirstEvent, LastEvent: a.LastEvent},
	}
	if diff := cmp.Diff(want, seen); err != nil || more || diff != "" {
		t.Errorf("%v %t %s", err, more, diff)
	}
	if seen, _, err := s.Sightings(t.Context(), "pod", "shop/web-1", nobody); err != nil || len(seen) != 0 {
		t.Errorf("in no scope: %v %v", seen, err)
	}
}

// relatedInScope looks at the newest incidents about an entity that somebody may see, however many others there are since.
func relatedInScope(t *testing.T, k Kind) {
	s := own(t, k)
	a, b := anOpen(aRule("login"), 1), anOpen(aRule("exec"), 2)
	s.put(a, b)
	for n, in := range []incident.Incident{a, b} {
		e := evidenceOf(n, 1, "failed")
		frozen := freeze(in.ID, e)
		frozen[0].Item.Fields = map[string]any{"k8s.cluster.name": "prod", "k8s.namespace.name": "shop"}
		s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(in, n, e)}}, frozen...))
	}
	scope := incident.Scope{{Cluster: "prod", Namespace: "shop"}, {Cluster: "test", Namespace: incident.Any}}
	_, more, err := s.Sightings(t.Context(), "ip", "10.0.0.1", scope)
	if err != nil || more {
		t.Fatalf("more: %t, %v", more, err)
	}
	var others []incident.Incident
	for n := range 1001 {
		others = append(others, anOpen(aRule("scan"), 10+n))
	}
	s.put(others...)
	for _, scope := range []incident.Scope{scope, scope[:1]} {
		seen, more, err := s.Sightings(t.Context(), "ip", "10.0.0.1", scope)
		if err != nil || len(seen) != 2 || more {
			t.Errorf("in %v: %v, more: %t, %v", scope, seen, more, err)
		}
		rs, err := s.Related(t.Context(), a.ID, scope, 10)
		if err != nil || len(rs) != 1 || rs[0].Incident.ID != b.ID {
			t.Errorf("in %v is related: %v, %v", scope, rs, err)
		}
	}
	if seen, more, err := s.Sightings(t.Context(), "ip", "10.0.0.1", nil); err != nil || len(seen) != 1000 || !more {
		t.Errorf("of all %d, more: %t, %v", len(seen), more, err)
	}
}
