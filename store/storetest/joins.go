// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

func (o *owned) merge(id, into string) {
	o.t.Helper()
	if _, err := o.Merge(o.t.Context(), id, into, "mo"); err != nil {
		o.t.Fatalf("Merge(%s, %s): %v", id, into, err)
	}
}

// apart fails unless an act on what people merge is refused, for a reason that has a text.
func apart(t *testing.T, what string, err error, want string) {
	t.Helper()
	if join, ok := errors.AsType[*incident.JoinError](err); !ok || !strings.Contains(join.Why, want) {
		t.Errorf("%s: %v, want a JoinError of %q", what, err, want)
	}
}

// joins: what people merged is shown with the other, leaves the lists and the counts, and comes back.
func joins(t *testing.T, k Kind) {
	s := own(t, k)
	a, b, c := anOpen(aRule("r"), 1), anOpen(aRule("exec"), 2), anOpen(aRule("r"), 3)
	eb, ec := evidenceOf(2, 1, "failed"), evidenceOf(3, 2, "worked")
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{a, b, c}, Detections: []correlate.DetectionChange{
		aDetectionOf(b, 2, eb), aDetectionOf(c, 3, ec),
	}}, append(freeze(b.ID, eb), freeze(c.ID, ec)...)...))
	before := s.incident(a.ID).Version
	s.merge(c.ID, b.ID)
	s.merge(b.ID, a.ID)
	s.merge(b.ID, a.ID) // it is there already
	if diff := cmp.Diff([]string{a.ID}, s.list(incident.Filter{})); diff != "" {
		t.Errorf("the list: %s", diff)
	}
	if diff := cmp.Diff([]string{c.ID, b.ID, a.ID}, s.list(incident.Filter{IncludeMerged: true})); diff != "" {
		t.Errorf("with what was merged: %s", diff)
	}
	if counts, err := s.Rollup(t.Context()); err != nil || cmp.Diff(recount(s), counts) != "" || len(counts) != 1 || counts[0].N != 1 {
		t.Errorf("%v %+v", err, counts)
	}
	v := s.incident(a.ID)
	if v.EventCount != 18 || v.DetectionCount != 3 || v.LastEvent != s.incident(c.ID).LastEvent || len(v.Entities) != 4 || v.Version == before {
		t.Errorf("the whole is %+v", v)
	}
	var rulesOf []string
	for _, d := range v.Detections {
		rulesOf = append(rulesOf, d.Rule.ID+" "+d.Evidence[0].EventID)
	}
	if diff := cmp.Diff([]string{"exec ev-2-1", "r ev-3-2"}, rulesOf); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ev-2-1 failed", "ev-3-2 worked"}, s.evidence(a.ID, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mo merge map[into:" + b.ID + "]", "mo merge map[into:" + a.ID + "]"}, s.acts(a.ID)); diff != "" {
		t.Error(diff)
	}
	if w := s.incident(c.ID); w.MergedInto == nil || *w.MergedInto != a.ID || len(w.Detections) != 1 {
		t.Errorf("a part is %+v", w)
	}
	if p, err := s.Place(t.Context(), a.ID); err != nil || cmp.Diff([]string{b.ID, c.ID}, p.Parts) != "" {
		t.Errorf("%v, parts %v", err, p.Parts)
	}
	// A page with both the whole and its parts shows each as it is.
	page, _, err := s.Incidents(t.Context(), incident.Filter{IncludeMerged: true})
	if err != nil || len(page) != 3 || len(page[0].Detections) != 1 || len(page[1].Detections) != 1 || len(page[2].Detections) != 2 {
		t.Errorf("%v %+v", err, page)
	}
	if diff := cmp.Diff(s.incident(a.ID), page[2]); diff != "" {
		t.Error(diff)
	}

	_, err = s.Merge(t.Context(), a.ID, c.ID, "mo")
	apart(t, "a circle", err, "into itself")
	_, err = s.Merge(t.Context(), a.ID, a.ID, "mo")
	apart(t, "itself", err, "into itself")
	if _, err := s.Merge(t.Context(), a.ID, id(anIncident, 9), "mo"); !is(err, incident.ErrNotFound) {
		t.Errorf("into nothing: %v", err)
	}
	if _, err := s.Merge(t.Context(), b.ID, c.ID, "mo"); err != nil {
		t.Errorf("where it is shown already: %v", err)
	}
	_, err = s.Unmerge(t.Context(), a.ID, "mo")
	apart(t, "one that is merged into none", err, "into none")

	if _, err := s.Unmerge(t.Context(), b.ID, "lu"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{b.ID, a.ID}, s.list(incident.Filter{})); diff != "" {
		t.Errorf("taken apart: %s", diff)
	}
	if v := s.incident(a.ID); len(v.Detections) != 1 || v.EventCount != 12 {
		t.Errorf("what was merged into the part before stays: %+v", v)
	}
	if acts := s.acts(a.ID); len(acts) != 3 || acts[2] != "lu unmerge map[from:"+a.ID+"]" {
		t.Errorf("what is left has the acts %q", acts)
	}
	closed, gone := anOpen(aRule("r"), 4), anOpen(aRule("r"), 5)
	closed.ClosedAt, closed.Verdict = base, incident.Benign
	gone.Retracted = true
	s.put(closed, gone)
	_, err = s.Merge(t.Context(), a.ID, closed.ID, "mo")
	apart(t, "into a closed one", err, "is closed")
	_, err = s.Merge(t.Context(), a.ID, gone.ID, "mo")
	apart(t, "into a retracted one", err, "was retracted")
	s.merge(closed.ID, a.ID)
	b.Revision, b.MergedInto = 2, a.ID
	s.put(b)
	_, err = s.Unmerge(t.Context(), b.ID, "mo")
	apart(t, "what the engine joined", err, "people did not merge it")
}

// hiddenParts: what would be hidden by what the engine does comes back.
func hiddenParts(t *testing.T, k Kind) {
	s := own(t, k)
	var ins []incident.Incident
	for n := range 8 {
		ins = append(ins, anOpen(aRule("r"), n))
	}
	s.put(ins...)
	for _, pair := range [][2]int{{1, 0}, {2, 1}, {5, 4}, {4, 3}} {
		s.merge(ins[pair[0]].ID, ins[pair[1]].ID)
	}
	check := func(what string, want ...int) {
		t.Helper()
		ids := []string{}
		for _, n := range want {
			ids = append(ids, ins[n].ID)
		}
		if diff := cmp.Diff(ids, s.list(incident.Filter{})); diff != "" {
			t.Errorf("%s: the list %s", what, diff)
		}
		counts, err := s.Rollup(t.Context())
		if diff := cmp.Diff(recount(s), counts); err != nil || diff != "" {
			t.Errorf("%s: %v counts %s", what, err, diff)
		}
	}
	check("merged", 7, 6, 3, 0)
	ins[0].Retracted, ins[0].Revision = true, 2
	s.put(ins[0])
	check("the whole is retracted", 7, 6, 3, 2, 1)
	s.put(ins[0])
	check("twice", 7, 6, 3, 2, 1)
	if acts := s.acts(ins[1].ID); len(acts) != 2 || !strings.HasPrefix(acts[1], "unmerge map[why:") {
		t.Errorf("acts %q", acts)
	}
	// 4 and 5 are parts of 3: the engine joins 3 into 5, and so 4 goes there, too.
	ins[3].MergedInto, ins[3].Revision = ins[5].ID, 2
	ins[5].Revision = 2
	s.put(ins[3], ins[5])
	check("a circle", 7, 6, 5, 2, 1)
	if v := s.incident(ins[4].ID); v.MergedInto == nil || *v.MergedInto != ins[5].ID {
		t.Errorf("it is merged into %v", v.MergedInto)
	}
	s.put(ins[3], ins[5])
	check("twice", 7, 6, 5, 2, 1)
	// The engine's say goes before people's, and theirs is back in no one's way.
	s.merge(ins[6].ID, ins[7].ID)
	ins[6].MergedInto, ins[6].Revision = ins[2].ID, 2
	s.put(ins[6])
	if v := s.incident(ins[6].ID); v.MergedInto == nil || *v.MergedInto != ins[2].ID {
		t.Errorf("%+v", v)
	}
	check("joined elsewhere", 7, 5, 2, 1)
	// What the engine joins takes along what people merged into it, to where the other is shown.
	s.merge(ins[5].ID, ins[7].ID)
	s.merge(ins[2].ID, ins[1].ID)
	ins[1].MergedInto, ins[1].Revision = ins[5].ID, 3
	s.put(ins[1])
	check("goes along", 7)
	if v := s.incident(ins[2].ID); v.MergedInto == nil || *v.MergedInto != ins[7].ID {
		t.Errorf("it is merged into %v", v.MergedInto)
	}
}

// partsOfClosed: what the engine joins into one that is closed takes along what is closed of what people merged into it. The rest comes
// back: what still comes to it would be hidden there.
func partsOfClosed(t *testing.T, k Kind) {
	s := own(t, k)
	closed, whole, part, over := anOpen(aRule("r"), 1), anOpen(aRule("r"), 2), anOpen(aRule("r"), 3), anOpen(aRule("r"), 4)
	for _, in := range []*incident.Incident{&closed, &over} {
		in.ClosedAt, in.Verdict = base, incident.Benign
	}
	s.put(closed, whole, part, over)
	s.merge(part.ID, whole.ID)
	s.merge(over.ID, whole.ID)
	whole.MergedInto, whole.Revision = closed.ID, 2
	for range 2 {
		s.put(whole)
		if diff := cmp.Diff([]string{part.ID, closed.ID}, s.list(incident.Filter{})); diff != "" {
			t.Errorf("the list: %s", diff)
		}
		counts, err := s.Rollup(t.Context())
		if diff := cmp.Diff(recount(s), counts); err != nil || diff != "" {
			t.Errorf("%v counts %s", err, diff)
		}
	}
	if v := s.incident(over.ID); v.MergedInto == nil || *v.MergedInto != closed.ID {
		t.Errorf("what is closed is merged into %v", v.MergedInto)
	}
	// People close what others merge into: that stays, and is known to be open.
	late, end := anOpen(aRule("r"), 5), anOpen(aRule("r"), 6)
	s.put(late, end)
	s.merge(late.ID, end.ID)
	left := func(what string, want ...store.LeftOpen) {
		t.Helper()
		if got, err := s.LeftOpen(t.Context()); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s, left open are %+v, %v", what, got, err)
		}
	}
	left("merged")
	end.ClosedAt, end.Verdict, end.ClosedBy, end.Revision = base, incident.FalsePositive, "lu", 2
	s.put(end)
	left("the whole is closed", store.LeftOpen{ID: late.ID, Verdict: incident.FalsePositive, By: "lu"})
	late.ClosedAt, late.Verdict, late.Revision = base, incident.FalsePositive, 2
	s.put(late)
	left("the part is, too")
}

// joinedScopes: who sees the place of a part sees the whole, and what people merge is no way to see more.
func joinedScopes(t *testing.T, k Kind) {
	s := own(t, k)
	a, b := anOpen(aRule("r"), 1), anOpen(aRule("r"), 2)
	e := evidenceOf(2, 1, "failed")
	frozen := freeze(b.ID, e)
	frozen[0].Item.Fields = map[string]any{"k8s.cluster.name": "prod", "k8s.namespace.name": "shop"}
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{a, b}, Detections: []correlate.DetectionChange{aDetectionOf(b, 2, e)}}, frozen...))
	seen := func(want ...string) {
		t.Helper()
		for _, texts := range [][]string{{"prod/shop"}, {"prod/*", "*/x"}} {
			scope, err := incident.ParseScope(texts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, s.list(incident.Filter{Scope: scope})); diff != "" {
				t.Errorf("%v: %s", texts, diff)
			}
			in, err := s.InScope(t.Context(), scope, a.ID, b.ID)
			if err != nil || !in[b.ID] || in[a.ID] != (want[0] == a.ID) {
				t.Errorf("%v: %v %v", texts, in, err)
			}
		}
	}
	seen(b.ID)
	s.merge(b.ID, a.ID)
	seen(a.ID)
	if _, err := s.Unmerge(t.Context(), b.ID, "mo"); err != nil {
		t.Fatal(err)
	}
	seen(b.ID)
	// The engine joins the whole into another, and what people merged goes along.
	heir := anOpen(aRule("r"), 3)
	s.put(heir)
	s.merge(b.ID, a.ID)
	a.MergedInto, a.Revision = heir.ID, 2
	s.put(a)
	seen(heir.ID)
}

// placeOfAPart: a place that a part comes to when it is merged already is the whole's, too.
func placeOfAPart(t *testing.T, k Kind) {
	s := own(t, k)
	whole, part := anOpen(aRule("r"), 1), anOpen(aRule("r"), 2)
	s.put(whole, part)
	s.merge(part.ID, whole.ID)
	e := evidenceOf(2, 1, "failed")
	frozen := freeze(part.ID, e)
	frozen[0].Item.Fields = map[string]any{"k8s.cluster.name": "prod", "k8s.namespace.name": "shop"}
	part.Revision = 2
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{part}, Detections: []correlate.DetectionChange{aDetectionOf(part, 2, e)}}, frozen...))
	scope := incident.Scope{{Cluster: "prod", Namespace: "shop"}}
	if diff := cmp.Diff([]string{whole.ID}, s.list(incident.Filter{Scope: scope})); diff != "" {
		t.Error(diff)
	}
}

// joinsAtOnce: people merge and take apart while the engine joins, retracts and opens; the counts stay right and nothing is in a circle.
func joinsAtOnce(t *testing.T, k Kind) {
	s := own(t, k)
	const incidents, people, acts = 12, 4, 25
	var ins []incident.Incident
	for n := range incidents {
		r := aRule("r")
		r.Severity = rules.Severity(1 + n%3)
		ins = append(ins, anOpen(r, n))
	}
	s.put(ins...)
	errs := make(chan error, people)
	for p := range people {
		go func() {
			var err error
			for i := range acts {
				x, y := ins[(p*7+i*5)%incidents].ID, ins[(p*3+i*11+1)%incidents].ID
				switch i % 3 {
				case 0, 1:
					_, err = s.Merge(t.Context(), x, y, "mo")
				case 2:
					_, err = s.Unmerge(t.Context(), x, "mo")
				}
				status := []incident.Status{incident.New, incident.OnHold}[i%2]
				if _, e := s.SetWork(t.Context(), y, incident.Work{Status: &status}); err == nil {
					err = e
				}
				_, join := errors.AsType[*incident.JoinError](err)
				if err != nil && !join && !refused(err) && !is(err, incident.ErrChanged) {
					errs <- fmt.Errorf("person %d, act %d: %w", p, i, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for i := range acts * 2 {
		in, other := &ins[(i*5)%incidents], ins[(i*7+3)%incidents].ID
		in.Revision++
		switch {
		case i%4 == 0:
			in.Retracted = !in.Retracted
		case i%4 == 1 && in.ID < other: // the engine makes no circles itself
			in.MergedInto = other
		case i%4 == 2:
			in.MergedInto = ""
		}
		c := s.next(correlate.Changes{Incidents: []incident.Incident{*in}})
		for err := s.Commit(t.Context(), c); err != nil; err = s.Commit(t.Context(), c) {
			if !is(err, store.ErrUnavailable) { // a deadlock: its owner does it again
				t.Fatal(err)
			}
		}
	}
	for range people {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	counts, err := s.Rollup(t.Context())
	if diff := cmp.Diff(recount(s), counts); err != nil || diff != "" {
		t.Errorf("%v (-recount +got):\n%s", err, diff)
	}
	for _, in := range ins {
		at := in.ID
		for n := 0; ; n++ {
			v := s.incident(at)
			if v.MergedInto == nil {
				break
			}
			if at = *v.MergedInto; n > incidents {
				t.Fatalf("%s is in a circle", in.ID)
			}
		}
	}
}
