// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// work does something with an incident; it must succeed.
func (o *owned) work(id string, w incident.Work) incident.Done {
	o.t.Helper()
	done, err := o.SetWork(o.t.Context(), id, w)
	if err != nil {
		o.t.Fatalf("SetWork(%s, %+v): %v", id, w, err)
	}
	return done
}

// acts returns the acts in an incident's timeline, as "actor kind detail".
func (o *owned) acts(id string) []string {
	o.t.Helper()
	out := []string{}
	for f := (incident.TimelineFilter{Kinds: []string{incident.MomentAct}, Limit: 2}); ; {
		ms, next, err := o.Timeline(o.t.Context(), id, f)
		if err != nil {
			o.t.Fatalf("Timeline(%s): %v", id, err)
		}
		for _, m := range ms {
			out = append(out, strings.TrimSpace(fmt.Sprint(m.Act.Actor, " ", m.Act.Kind, " ", m.Act.Detail)))
		}
		if f.Cursor = next; next == "" {
			return out
		}
	}
}

// workIsKept: each change has its act, in the same transaction, and none without a change.
func workIsKept(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	ana, hold, fresh := "ana", incident.OnHold, incident.New
	if v := s.incident(in.ID).Version; v != "1-0" {
		t.Errorf("version %s", v)
	}
	first := s.work(in.ID, incident.Work{Status: &hold, Assignee: &ana, By: "mo", If: []string{"0-0", "1-0"}})
	if len(first.Acts) != 2 || len(first.Firsts) != 1 || first.Firsts[0] <= 0 || first.Acts[0].At == 0 || first.Acts[1].ID <= first.Acts[0].ID {
		t.Errorf("%+v", first)
	}
	if again := s.work(in.ID, incident.Work{Status: &hold, Assignee: &ana, By: "mo"}); len(again.Acts) != 0 || s.incident(in.ID).Version != "1-1" {
		t.Errorf("what was so already: %+v, version %s", again, s.incident(in.ID).Version)
	}
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &fresh, If: []string{"1-0"}}); !is(err, incident.ErrChanged) {
		t.Errorf("a stale version: %v", err)
	}
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &fresh, If: []string{}}); !is(err, incident.ErrChanged) {
		t.Errorf("no version will do: %v", err)
	}
	in.Revision, in.EventCount = 2, 7
	s.put(in) // the engine changes it, too
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &fresh, If: []string{"1-1"}}); !is(err, incident.ErrChanged) {
		t.Errorf("a version before the engine's: %v", err)
	}
	if done := s.work(in.ID, incident.Work{Comment: "so\x00 it is", By: "mo"}); len(done.Firsts) != 0 {
		t.Errorf("the second act is the first: %+v", done)
	}

	in.Revision, in.ClosedAt, in.Verdict, in.ClosedBy = 3, base, incident.Benign, "lu"
	s.put(in)
	s.put(in) // a commit that is done again
	in.Revision = 4
	s.put(in)
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &fresh}); !is(err, incident.ErrFinal) {
		t.Errorf("a closed one is opened: %v", err)
	}
	none := ""
	s.work(in.ID, incident.Work{Comment: "after all", Assignee: &none, By: "mo"})
	want := []string{
		"lu close map[verdict:benign]", // it has the stream's time
		"mo status map[from:new to:on_hold]", "mo assignee map[from: to:ana]", "mo comment map[text:so� it is]",
		"mo assignee map[from:ana to:]", "mo comment map[text:after all]",
	}
	if diff := cmp.Diff(want, s.acts(in.ID)); diff != "" {
		t.Error(diff)
	}
	if v := s.incident(in.ID).Version; v != "4-3" {
		t.Errorf("version %s", v)
	}
}

// forgottenCloses: a closing that the engine has forgotten the incident of has its act, too, once.
func forgottenCloses(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	for range 2 {
		s.commit(s.next(correlate.Changes{Closed: []correlate.Close{{Incident: in.ID, At: base + 5, Verdict: incident.FalsePositive, By: "lu"}}}))
	}
	if diff := cmp.Diff([]string{"lu close map[verdict:false_positive]"}, s.acts(in.ID)); diff != "" {
		t.Error(diff)
	}
}

// keysOfNothing: a request that changed nothing is done once, too, and a verdict is a part of it.
func keysOfNothing(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	fresh, held := incident.New, incident.OnHold
	asIs := incident.Work{Status: &fresh, By: "mo", Key: "k"}
	if done := s.work(in.ID, asIs); len(done.Acts) != 0 || s.incident(in.ID).Version != "1-0" {
		t.Errorf("%+v, version %s", done, s.incident(in.ID).Version)
	}
	s.work(in.ID, incident.Work{Status: &held, By: "bo"})
	s.work(in.ID, asIs) // it comes again
	if v := s.incident(in.ID); v.Status != held {
		t.Errorf("what was done once is done again: %s", v.Status)
	}
	asIs.Verdict = incident.Benign
	if _, err := s.SetWork(t.Context(), in.ID, asIs); !is(err, incident.ErrKeyTaken) {
		t.Errorf("another verdict under the key: %v", err)
	}
	if diff := cmp.Diff([]string{"bo status map[from:new to:on_hold]"}, s.acts(in.ID)); diff != "" {
		t.Error(diff)
	}
}

// keysOfRequests: work that comes twice under one key is one act, whatever became of the incident since.
func keysOfRequests(t *testing.T, k Kind) {
	s := own(t, k)
	a, b := anOpen(aRule("r"), 1), anOpen(aRule("r"), 2)
	s.put(a, b)
	once := s.work(a.ID, incident.Work{Comment: "x", By: "mo", Key: "k"})
	a.Revision, a.MergedInto = 2, b.ID
	s.put(a)
	twice := s.work(a.ID, incident.Work{Comment: "x", By: "mo", Key: "k", If: []string{"stale"}})
	if diff := cmp.Diff(once.Acts, twice.Acts); diff != "" || len(twice.Firsts) != 0 {
		t.Errorf("the second time: %+v %s", twice, diff)
	}
	for _, tt := range []struct {
		id string
		w  incident.Work
	}{
		{a.ID, incident.Work{Comment: "y", By: "mo", Key: "k"}},
		{b.ID, incident.Work{Comment: "x", By: "mo", Key: "k"}},
	} {
		if _, err := s.SetWork(t.Context(), tt.id, tt.w); !is(err, incident.ErrKeyTaken) {
			t.Errorf("%+v: %v", tt.w, err)
		}
	}
	s.work(b.ID, incident.Work{Comment: "x", By: "lu", Key: "k"}) // another's keys are others
	if _, err := s.SetWork(t.Context(), a.ID, incident.Work{Comment: "z"}); err == nil {
		t.Error("a merged one takes a comment")
	} else if m, ok := errors.AsType[*incident.MergedError](err); !ok || m.Into != b.ID {
		t.Errorf("a merged one: %v", err)
	}
	errs := make(chan error)
	for n := range 8 {
		go func() {
			_, err := s.SetWork(t.Context(), b.ID, incident.Work{Comment: fmt.Sprint(n % 2), By: "mo", Key: fmt.Sprint("p", n%2)})
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if acts := s.acts(b.ID); len(acts) != 4 {
		t.Errorf("%q, want one of each key", acts)
	}
}

// timelines have everything in one order, in pages of any size.
func timelines(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	e1, e2, e3 := evidenceOf(1, 1, "failed"), evidenceOf(1, 2, "worked"), evidenceOf(1, 2, "failed")
	e2.Event.Arrival = e2.Event.Time + 9*second
	e3.Event.Arrival = e2.Event.Arrival
	d := aDetectionOf(in, 1, e1, e2, e3)
	d.Detection.FirstFiring = e2.Event.Time
	c := s.next(correlate.Changes{Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{d}}, freeze(in.ID, e1, e2, e3)...)
	c.Outbox = []store.OutboxItem{{Incident: in.ID, Revision: 1, Receiver: "hook", Kind: "opened", Body: []byte("{}")}}
	s.commit(c)
	s.work(in.ID, incident.Work{Comment: "x", By: "mo"})

	all := func(f incident.TimelineFilter) []incident.Moment {
		t.Helper()
		var out []incident.Moment
		for {
			ms, next, err := s.Timeline(t.Context(), in.ID, f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, ms...)
			if f.Cursor = next; next == "" {
				return out
			}
		}
	}
	whole := all(incident.TimelineFilter{Lateness: 8 * 1e9})
	var got []string
	for _, m := range whole {
		line := m.Kind
		switch {
		case m.Event != nil:
			line += fmt.Sprint(" ", m.Event.EventID, " ", m.Event.Step, " ", m.Event.Late)
		case m.Detection != nil:
			line += fmt.Sprint(" ", m.Detection.ID == d.Detection.ID, " ", m.Detection.EventCount)
		case m.Alert != nil:
			line += fmt.Sprint(" ", m.Alert.Receiver, " ", m.Alert.Kind, " ", m.Alert.State)
		}
		got = append(got, line)
		if m.Incident != in.ID || m.At == 0 {
			t.Errorf("%+v", m)
		}
	}
	want := []string{"event ev-1-1 failed false", "event ev-1-2 failed true", "event ev-1-2 worked true", "detection true 6", "alert hook opened pending", "act"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for limit := 1; limit <= 4; limit++ {
		if diff := cmp.Diff(whole, all(incident.TimelineFilter{Lateness: 8 * 1e9, Limit: limit}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("in pages of %d: %s", limit, diff)
		}
	}
	if n := len(all(incident.TimelineFilter{Kinds: []string{incident.MomentAlert, incident.MomentDetection}, Limit: 1})); n != 2 {
		t.Errorf("%d of two kinds, want 2", n)
	}
	_, next, err := s.Timeline(t.Context(), in.ID, incident.TimelineFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]incident.TimelineFilter{
		"of other kinds": {Cursor: next, Kinds: []string{incident.MomentAct}}, "cut": {Cursor: next[:len(next)-4]}, "none": {Cursor: "x"},
	} {
		if _, _, err := s.Timeline(t.Context(), in.ID, f); !is(err, incident.ErrBadCursor) {
			t.Errorf("a cursor %s: %v", name, err)
		}
	}
	if _, _, err := s.Timeline(t.Context(), id(anIncident, 9), incident.TimelineFilter{}); !is(err, incident.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}
