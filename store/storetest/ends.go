// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// heldBack: what an open incident holds back is looked at again when that is over, whoever ends it, and not before.
func heldBack(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	shadow := aRule("quiet")
	shadow.Shadow = true
	closed, open, joined := anOpen(r, 11), anOpen(r, 12), anOpen(r, 13)
	s.put(closed, open, joined, anOpen(shadow, 14))
	views, err := s.OpenIncidents(t.Context(), 10)
	if err != nil || len(views) != 3 || len(views[0].Entities) == 0 || len(views[0].Detections) != 0 {
		t.Errorf("open: %+v, %v", views, err)
	}
	if views, err := s.OpenIncidents(t.Context(), 2); err != nil || len(views) != 2 {
		t.Errorf("open, two of them: %d, %v", len(views), err)
	}
	s.alert(alert(1, 1, "a"), alert(2, 1, "a"), alert(3, 1, "a"), alert(4, 1, "a"), alert(5, 1, "a"))
	by := []string{"held_ " + closed.ID, "held_ " + open.ID, "held_ " + joined.ID, "held_ x", "heldx " + id(anIncident, 99)}
	for i, row := range s.claim(longLease) {
		if err := s.OutboxSilence(t.Context(), row.ID, row.Attempts, by[i], longLease, false); err != nil {
			t.Fatal(err)
		}
	}
	woken := func() (out []string) {
		t.Helper()
		if err := s.OutboxWake(t.Context(), "held_ "); err != nil {
			t.Fatal(err)
		}
		for _, row := range s.claim(longLease) {
			out = append(out, row.SilencedBy)
		}
		return out
	}
	if diff := cmp.Diff([]string{by[3]}, woken()); diff != "" { // what is no incident is not open
		t.Errorf("while all are open (-want +got):\n%s", diff)
	}
	closed.ClosedAt, closed.Verdict, closed.Revision = base+99, incident.Benign, 2
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{closed}}))
	if diff := cmp.Diff(by[:1], woken()); diff != "" {
		t.Errorf("one is closed (-want +got):\n%s", diff)
	}
	if _, err := s.Merge(t.Context(), joined.ID, open.ID, "mo"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(by[2:3], woken()); diff != "" {
		t.Errorf("one is merged (-want +got):\n%s", diff)
	}
	if views, err := s.OpenIncidents(t.Context(), 10); err != nil || len(views) != 1 || views[0].ID != open.ID {
		t.Errorf("open in the end: %+v, %v", views, err)
	}
}

// ends: who was told of an incident is told of its end, once, wherever its routes lead by then and whoever ends it.
func ends(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	shadow := aRule("quiet")
	shadow.Shadow = true
	moved, forgotten, joined, whole, open, hidden := anOpen(r, 1), anOpen(r, 2), anOpen(r, 3), anOpen(r, 4), anOpen(r, 5), anOpen(shadow, 6)
	s.put(moved, forgotten, joined, whole, open, hidden)
	detected := alert(1, 1, "loki")
	detected.Kind, detected.Detection = "detected", id(anIncident, 50)
	refused := alert(1, 1, "dead")
	s.alert(alert(1, 1, "pager"), alert(2, 1, "pager"), alert(3, 1, "pager"), alert(4, 1, "pager"), alert(5, 1, "pager"), alert(6, 1, "pager"), detected, refused)
	for _, row := range s.claim(longLease) {
		var err error
		if row.Receiver == refused.Receiver {
			err = s.OutboxDead(t.Context(), row.ID, row.Attempts, "400")
		} else {
			err = s.OutboxSent(t.Context(), row.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	told := func() []string {
		t.Helper()
		rows, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{State: store.Pending})
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, row := range rows {
			out = append(out, fmt.Sprint(row.Incident[len(row.Incident)-1:], " ", row.Receiver, " ", row.Kind, " ", len(row.Body)))
		}
		slices.Sort(out)
		return out
	}
	// Its routes lead to another receiver by now, and the engine closes it.
	moved.ClosedAt, moved.Verdict, moved.Revision = base+99, incident.Benign, 2
	hidden.ClosedAt, hidden.Verdict, hidden.Revision = base+99, incident.Benign, 2
	c := s.next(correlate.Changes{Incidents: []incident.Incident{moved, hidden, open}})
	elsewhere := alert(1, 2, "shop")
	elsewhere.Kind = "closed"
	c.Outbox = []store.OutboxItem{elsewhere}
	s.commit(c)
	want := []string{"1 pager closed 0", fmt.Sprint("1 shop closed ", len(elsewhere.Body))}
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("closed by the engine (-want +got):\n%s", diff)
	}
	// It is closed when the engine has forgotten it, and that twice.
	closing := correlate.Changes{Closed: []correlate.Close{{Incident: forgotten.ID, Verdict: incident.Benign, By: "mo", At: base + 99}}}
	s.commit(s.next(closing))
	s.commit(s.next(closing))
	want = append(want, "2 pager closed 0")
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("closed late (-want +got):\n%s", diff)
	}
	// Somebody merges it.
	if _, err := s.Merge(t.Context(), joined.ID, whole.ID, "mo"); err != nil {
		t.Fatal(err)
	}
	want = append(want, "3 pager merged 0")
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}
