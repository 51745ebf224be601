// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

func readBack(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("brute-force"), 1)
	e1, e2 := evidenceOf(1, 1, "failed"), evidenceOf(1, 2, "worked")
	d := aDetectionOf(in, 1, e1, e2)
	d.Detection.Retracted = &incident.Retraction{EventID: "gone"}
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{d}}, freeze(in.ID, e2, e1)...))

	want := incident.View{
		ID: in.ID, Title: "Title of brute-force for user-1", Description: "What it is.", Runbook: "https://example.org/r",
		Status: incident.New, Severity: "high",
		Rule: incident.RuleView{ID: "brute-force", Title: "Title of brute-force", Revision: "brute-force-1"},
		Key:  map[string]any{"user.name": "user-1"}, Entities: in.Entities,
		Attack:     incident.AttackView{Tactics: []string{"credential-access"}, Techniques: []string{"T1110.001", "T1078"}},
		Sources:    []string{"keycloak"},
		FirstEvent: event.Stamp(in.FirstEvent), LastEvent: event.Stamp(in.LastEvent), OpenedAt: event.Stamp(in.OpenedAt),
		UpdatedAt: event.Stamp(in.UpdatedAt), EventCount: 6, DetectionCount: 1, Revision: 1, Version: "1-0",
		Detections: []incident.DetectionView{{
			ID: d.Detection.ID, Rule: incident.RuleView{ID: "brute-force"},
			Key:        map[string]any{"user.name": "user-1", "source.ip": "10.0.0.1"},
			FirstEvent: event.Stamp(in.FirstEvent), LastEvent: event.Stamp(in.LastEvent), EventCount: 6,
			Retracted: &incident.Retraction{EventID: "gone"}, Steps: map[string]int64{"failed": 5, "worked": 1},
			Evidence: []incident.EvidenceView{
				{EventID: "ev-1-1", Step: "failed", Time: event.Stamp(e1.Event.Time)},
				{EventID: "ev-1-2", Step: "worked", Time: event.Stamp(e2.Event.Time)},
			},
		}},
	}
	if diff := cmp.Diff(want, s.incident(in.ID)); diff != "" {
		t.Errorf("Incident (-want +got):\n%s", diff)
	}
	page, next, err := s.Incidents(t.Context(), incident.Filter{})
	if err != nil || next != "" {
		t.Fatalf("Incidents: next %q, %v", next, err)
	}
	if diff := cmp.Diff([]incident.View{want}, page); diff != "" {
		t.Errorf("Incidents (-want +got):\n%s", diff)
	}
	items, _, err := s.Evidence(t.Context(), in.ID, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	wantItems := []incident.EvidenceItem{freeze(in.ID, e1)[0].Item, freeze(in.ID, e2)[0].Item}
	if diff := cmp.Diff(wantItems, items); diff != "" {
		t.Errorf("Evidence (-want +got):\n%s", diff)
	}
}

func commitTwice(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	e := evidenceOf(1, 1, "failed")
	c := s.next(correlate.Changes{
		Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{aDetectionOf(in, 1, e)},
		Stats: []correlate.Stats{{Rule: "r", Matched: 5}},
	}, freeze(in.ID, e)...)
	c.Outbox = []store.OutboxItem{{Incident: in.ID, Revision: 1, Receiver: "hook", Kind: "opened", Body: []byte("{}")}}
	c.Snapshot = &store.Snapshot{Seq: 1, Format: 1, Cells: []correlate.Cell{{ID: "x", State: []byte("one")}}}
	look := func() string {
		rows, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{})
		if err != nil {
			t.Fatal(err)
		}
		counts, err := s.Rollup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stats, err := s.RuleStats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal([]any{s.incident(in.ID), s.evidence(in.ID, 0), rows, counts, stats})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s.commit(c)
	once := look()
	s.commit(c)
	if diff := cmp.Diff(once, look()); diff != "" {
		t.Errorf("the second time it changed (-once +twice):\n%s", diff)
	}
}

// twiceInOne commits everything twice in one commit: of what is absolute, the last one counts.
func twiceInOne(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	in.Entities = append(in.Entities, in.Entities...)
	changed := in
	changed.Revision, changed.Title = 2, "last"
	e := evidenceOf(1, 1, "failed")
	d := aDetectionOf(in, 1, e)
	last := d
	last.Detection.EventCount = 9
	c := s.next(correlate.Changes{
		Incidents: []incident.Incident{in, changed}, Detections: []correlate.DetectionChange{d, last},
		Stats: []correlate.Stats{{Rule: "r", Matched: 1}, {Rule: "r", Matched: 2}},
	}, append(freeze(in.ID, e), freeze(in.ID, e)...)...)
	c.Outbox = []store.OutboxItem{alert(1, 1, "hook"), alert(1, 1, "hook")}
	s.commit(c)
	v := s.incident(in.ID)
	if v.Title != "last" || len(v.Detections) != 1 || v.Detections[0].EventCount != 9 || len(v.Detections[0].Evidence) != 1 {
		t.Errorf("Incident = %+v", v)
	}
	stats, err := s.RuleStats(t.Context())
	if err != nil || len(stats) != 1 || stats[0].Matched != 2 {
		t.Errorf("RuleStats = %+v, %v", stats, err)
	}
	if rows := s.claim(longLease); len(rows) != 1 {
		t.Errorf("%d alerts, want 1", len(rows))
	}
}

func revisions(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	for _, step := range []struct {
		revision int64
		title    string
		want     string
	}{{2, "two", "two"}, {1, "one", "two"}, {2, "again", "two"}, {3, "three", "three"}} {
		in.Revision, in.Title = step.revision, step.title
		s.put(in)
		if got := s.incident(in.ID).Title; got != step.want {
			t.Errorf("after revision %d: title %q, want %q", step.revision, got, step.want)
		}
	}
}

// peopleStay: what people write lives in columns that no commit writes (I4), but that a closing, which is in the log, has its
// status.
func peopleStay(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	who, status := "mo", incident.InProgress
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &status, Assignee: &who}); err != nil {
		t.Fatal(err)
	}
	in.Revision, in.EventCount = 2, 7
	s.put(in)
	v := s.incident(in.ID)
	if v.Status != status || v.Assignee == nil || *v.Assignee != who || v.EventCount != 7 {
		t.Errorf("after a commit: status %s, assignee %v, %d events; want %s, %s, 7", v.Status, v.Assignee, v.EventCount, status, who)
	}
	in.Revision, in.ClosedAt, in.Verdict, in.ClosedBy = 3, base, incident.Benign, "mo"
	s.put(in)
	v = s.incident(in.ID)
	if v.Status != incident.Closed || v.Verdict == nil || *v.Verdict != incident.Benign || v.ClosedAt != event.Stamp(base) {
		t.Errorf("after closing: status %s, verdict %v, closed at %v", v.Status, v.Verdict, v.ClosedAt)
	}
	closed := incident.Closed
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Status: &closed}); err == nil {
		t.Error("SetWork closed an incident past the log")
	}
	none := ""
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Assignee: &none}); err != nil || s.incident(in.ID).Assignee != nil {
		t.Errorf("the assignee stays after it was taken away (%v)", err)
	}
	if _, err := s.SetWork(t.Context(), in.ID, incident.Work{Assignee: &who}); err != nil {
		t.Error(err)
	}
	in.Revision, in.MergedInto = 4, id(anIncident, 2)
	s.put(in)
	if v = s.incident(in.ID); v.Assignee == nil || *v.Assignee != who {
		t.Errorf("after it was closed and merged the assignee is %v, want %s", v.Assignee, who)
	}
	if _, err := s.SetWork(t.Context(), id(anIncident, 9), incident.Work{Assignee: &who}); !is(err, incident.ErrNotFound) {
		t.Errorf("SetWork of an unknown incident: %v", err)
	}
}

func allOrNothing(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	s.put(in)
	in.Revision, in.Title = 2, "changed"
	c := s.next(correlate.Changes{Incidents: []incident.Incident{in}})
	// The last thing that a commit writes fails in the database itself.
	k.Exec(t, s.Store, "DROP TABLE snapshot_cells")
	c.Snapshot = &store.Snapshot{Seq: 2, Format: 1, Cells: []correlate.Cell{{ID: "x", State: []byte("one")}}}
	if err := s.Commit(t.Context(), c); err == nil || is(err, store.ErrFenced) || is(err, store.ErrBehind) || is(err, store.ErrUnwritable) {
		t.Fatalf("Commit without a table: %v", err)
	}
	if got := s.incident(in.ID); got.Title == "changed" {
		t.Error("half of a failed commit is there")
	}
	states, err := s.States(t.Context())
	if err != nil || states[0].Applied != 1 {
		t.Errorf("States = %+v, %v; want applied 1", states, err)
	}
	for name, bad := range map[string]correlate.Changes{
		"an incident's id":  {Incidents: []incident.Incident{{ID: "zz", Rule: in.Rule}}},
		"a detection's id":  {Detections: []correlate.DetectionChange{{Detection: incident.Detection{ID: "00"}}}},
		"a closing's id":    {Closed: []correlate.Close{{Incident: ""}}},
		"no rule":           {Incidents: []incident.Incident{{ID: in.ID}}},
		"an evidence of no": {Detections: []correlate.DetectionChange{{Detection: incident.Detection{ID: ""}}}},
	} {
		if err := s.Commit(t.Context(), s.next(bad)); !is(err, store.ErrUnwritable) {
			t.Errorf("%s: %v, want ErrUnwritable", name, err)
		}
	}
	c = s.next(correlate.Changes{})
	c.Snapshot = &store.Snapshot{Seq: 3, Format: 1, Cells: []correlate.Cell{{ID: "x", State: make([]byte, 256<<20+1)}}}
	if err := s.Commit(t.Context(), c); !is(err, store.ErrUnwritable) {
		t.Errorf("a cell above what is ever read: %v, want ErrUnwritable", err)
	}
}

func closeForgotten(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	old, older, heir, open := anOpen(r, 1), anOpen(r, 4), anOpen(r, 2), anOpen(r, 3)
	old.MergedInto, older.MergedInto = heir.ID, old.ID
	s.put(old, older, heir, open)
	// Four closings lead to one incident; the first one closes it.
	closing := correlate.Changes{Closed: []correlate.Close{
		{Incident: old.ID, Verdict: incident.TruePositive, By: "mo", At: base + 99},
		{Incident: older.ID, Verdict: incident.Benign, By: "jo", At: base + 100},
		{Incident: heir.ID, Verdict: incident.Benign, By: "jo", At: base + 101},
		{Incident: old.ID, Verdict: incident.FalsePositive, By: "lu", At: base + 102},
		{Incident: id(anIncident, 77), Verdict: incident.Benign, At: base}, // nobody knows it
	}}
	s.commit(s.next(closing))
	v := s.incident(heir.ID)
	if v.Status != incident.Closed || v.Verdict == nil || *v.Verdict != incident.TruePositive || v.ClosedAt != event.Stamp(base+99) || v.Revision != 2 {
		t.Errorf("the heir of the closed incident: %s, %v, closed at %v, revision %d", v.Status, v.Verdict, v.ClosedAt, v.Revision)
	}
	s.commit(s.next(closing))
	if got := s.incident(heir.ID).Revision; got != 2 {
		t.Errorf("closed twice: revision %d, want 2", got)
	}
	if got := s.incident(open.ID).Status; got != incident.New {
		t.Errorf("another incident is %s", got)
	}
	want := []store.Count{{Status: incident.Closed, Severity: rules.High, N: 1}, {Status: incident.New, Severity: rules.High, N: 1}}
	counts, err := s.Rollup(t.Context())
	if diff := cmp.Diff(want, counts); err != nil || diff != "" {
		t.Errorf("Rollup: %v (-want +got):\n%s", err, diff)
	}
}

func wideNumbers(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	in.EventCount, in.Late, in.LastEvent, in.FirstEvent = math.MaxInt64, math.MaxInt64-1, math.MaxInt64, math.MinInt64+1
	in.Key = rules.MakeKey(int64(math.MaxInt64))
	e := evidenceOf(1, 1, "s")
	frozen := freeze(in.ID, e)
	frozen[0].Item.Fields = map[string]any{"min": int64(math.MinInt64), "max": uint64(math.MaxUint64), "f": 0.1, "list": []any{"a", nil, true}}
	d := aDetectionOf(anOpen(in.Rule, 1), 1, e)
	d.Detection.Steps = map[string]int64{"s": math.MaxInt64}
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{d}}, frozen...))
	v := s.incident(in.ID)
	if v.EventCount != math.MaxInt64 || v.Late != math.MaxInt64-1 || v.LastEvent != math.MaxInt64 || v.FirstEvent != math.MinInt64+1 ||
		v.Key["user.name"] != int64(math.MaxInt64) || v.Detections[0].Steps["s"] != math.MaxInt64 {
		t.Errorf("Incident = %+v", v)
	}
	items, _, err := s.Evidence(t.Context(), in.ID, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(frozen[0].Item.Fields, items[0].Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}
