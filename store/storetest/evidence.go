// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

func displaced(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	var evs []incident.Evidence
	for i := range 6 {
		evs = append(evs, evidenceOf(1, i, "failed"))
	}
	s.commit(s.next(correlate.Changes{
		Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{aDetectionOf(in, 1, evs[2:5]...)},
	}, freeze(in.ID, evs[2:5]...)...))

	// Earlier events come late and displace the last ones (F4).
	d := aDetectionOf(in, 1, evs[:2]...)
	d.Removed = evs[3:5]
	c := s.next(correlate.Changes{Detections: []correlate.DetectionChange{d}}, freeze(in.ID, evs[:2]...)...)
	s.commit(c)
	want := []string{"ev-1-0 failed", "ev-1-1 failed", "ev-1-2 failed"}
	if diff := cmp.Diff(want, s.evidence(in.ID, 0)); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	s.commit(c)
	if diff := cmp.Diff(want, s.evidence(in.ID, 0)); diff != "" {
		t.Errorf("the same again (-want +got):\n%s", diff)
	}

	// What is frozen is frozen, and what came without bytes says so.
	changed := freeze(in.ID, evs[0])
	changed[0].Item.Message = "another"
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(in, 1, evs[5])}}, changed...))
	items, _, err := s.Evidence(t.Context(), in.ID, 0, "")
	if err != nil || len(items) != 4 {
		t.Fatalf("Evidence = %d items, %v", len(items), err)
	}
	if items[0].Message != "login of ana" {
		t.Errorf("frozen evidence changed: %q", items[0].Message)
	}
	bare := items[3]
	if bare.EventID != "ev-1-5" || bare.Raw != nil || bare.Note == "" || bare.Fields["user.name"] != "ana" {
		t.Errorf("evidence without bytes: %+v", bare)
	}
}

func evidencePages(t *testing.T, k Kind) {
	s := own(t, k)
	in := anOpen(aRule("r"), 1)
	var ds []correlate.DetectionChange
	var evs []incident.Evidence
	for n := range 3 {
		var mine []incident.Evidence
		for i := range 5 {
			mine = append(mine, evidenceOf(n, i, "failed"), evidenceOf(n, i, "worked"))
		}
		ds = append(ds, aDetectionOf(in, n, mine...))
		evs = append(evs, mine...)
	}
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{in}, Detections: ds}, freeze(in.ID, evs...)...))
	all := s.evidence(in.ID, 500)
	if len(all) != 30 {
		t.Fatalf("%d pieces, want 30", len(all))
	}
	times := make([]string, len(all))
	for i, e := range all {
		times[i] = e[len("ev-1-"):len("ev-1-0")]
	}
	if !slices.IsSorted(times) {
		t.Errorf("not in order of time: %v", all)
	}
	for page := 1; page <= 8; page++ {
		if diff := cmp.Diff(all, s.evidence(in.ID, page)); diff != "" {
			t.Errorf("by pages of %d (-want +got):\n%s", page, diff)
		}
	}
}

func joined(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	one, two := anOpen(r, 1), anOpen(r, 2)
	a, b, c := evidenceOf(1, 1, "s"), evidenceOf(2, 2, "s"), evidenceOf(3, 3, "s")
	s.commit(s.next(correlate.Changes{
		Incidents:  []incident.Incident{one, two},
		Detections: []correlate.DetectionChange{aDetectionOf(one, 1, a), aDetectionOf(two, 2, b), aDetectionOf(two, 3, c)},
	}, freeze(one.ID, a, b, c)...))

	// Detection 2 is joined into 1, detection 3 moves over, incident two is merged.
	two.MergedInto, two.Revision, one.Revision = one.ID, 2, 2
	s.commit(s.next(correlate.Changes{
		Incidents: []incident.Incident{one, two},
		Detections: []correlate.DetectionChange{
			{Detection: incident.Detection{ID: id(aDetection, 2)}, Gone: true},
			{Detection: incident.Detection{ID: id(aDetection, 3)}, Moved: true, Incident: one.ID},
		},
	}))
	if diff := cmp.Diff([]string{"ev-1-1 s", "ev-3-3 s"}, s.evidence(one.ID, 0)); diff != "" {
		t.Errorf("evidence of the one that stays (-want +got):\n%s", diff)
	}
	if n := len(s.incident(one.ID).Detections); n != 2 {
		t.Errorf("%d detections, want 2", n)
	}
	v := s.incident(two.ID)
	if v.MergedInto == nil || *v.MergedInto != one.ID || len(v.Detections) != 0 {
		t.Errorf("the merged one: into %v, %d detections", v.MergedInto, len(v.Detections))
	}
	if got := s.evidence(two.ID, 0); len(got) != 0 {
		t.Errorf("the merged one still has %v", got)
	}
	if diff := cmp.Diff([]string{one.ID}, s.list(incident.Filter{})); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}

// anyText commits text that Postgres does not take as it is; commits of such events must not fail.
func anyText(t *testing.T, k Kind) {
	s := own(t, k)
	nasty := "a\x00b\xff\xfe \\ ' \" % é \U0001F514"
	long := incompressible(5000) // Postgres would compress what repeats, and index it
	r := aRule("r")
	r.Title, r.Description, r.Runbook = nasty, nasty, nasty
	in := anOpen(r, 1)
	in.Title, in.ClosedBy, in.Sources = nasty, nasty, []string{nasty}
	in.Key = rules.MakeKey(nasty)
	in.Entities = []incident.Entity{{Type: "user", Name: nasty}, {Type: "host", Name: long}, {Type: nasty, Name: long + "x"}}
	e := evidenceOf(1, 1, nasty)
	e.Event.About = rules.NewAbout(nasty, nasty, nil)
	frozen := freeze(in.ID, e)
	frozen[0].Item = incident.EvidenceItem{
		EventID: nasty, Message: nasty, Source: nasty, Raw: []byte("\"\x00\xff\""), Note: nasty, SHA256: "00",
		Fields: map[string]any{nasty: nasty, "message": long},
	}
	d := aDetectionOf(in, 1, e)
	d.Detection.Key = rules.MakeKey(nasty, long)
	d.Detection.Steps = map[string]int64{"s": 1}
	c := s.next(correlate.Changes{
		Incidents: []incident.Incident{in}, Detections: []correlate.DetectionChange{d},
		Stats:  []correlate.Stats{{Rule: nasty, Matched: 1}, {Rule: "a\x00b\xff\xff \\ ' \" % é \U0001F514", Matched: 2}},
		Closed: []correlate.Close{{Incident: id(anIncident, 5), By: nasty}},
	}, frozen...)
	c.Outbox = []store.OutboxItem{{Incident: in.ID, Revision: 1, Receiver: nasty, Kind: nasty, Body: []byte("\x00\xff")}}
	c.Snapshot = &store.Snapshot{Seq: 1, Cells: []correlate.Cell{{ID: nasty + long, State: []byte{0, 0xff}}}}
	s.commit(c)

	v := s.incident(in.ID)
	if v.Key["user.name"] != nasty || v.Detections[0].Key["source.ip"] != long {
		t.Errorf("keys are not exact: %q", v.Key)
	}
	items, _, err := s.Evidence(t.Context(), in.ID, 0, "")
	if err != nil || string(items[0].Raw) != "\"\x00\xff\"" || items[0].Fields[nasty] != nasty {
		t.Errorf("evidence is not exact: %+v, %v", items, err)
	}
	for i, f := range []incident.Filter{
		{EntityType: "user", EntityName: nasty},
		{EntityType: "host", EntityName: long},
		{EntityType: nasty, EntityName: long + "x"},
		{EntityType: nasty},
		{EntityName: long},
		{Query: "% É \U0001F514"},
		{Query: nasty},
	} {
		if got := s.list(f); len(got) != 1 {
			t.Errorf("filter %d finds %d incidents, want 1", i, len(got))
		}
	}
	if got := s.list(incident.Filter{EntityType: "host", EntityName: long + "x"}); len(got) != 0 {
		t.Errorf("a longer name finds the incident of its head")
	}
	err = s.Cells(t.Context(), 0, 1, func(x correlate.Cell) error {
		if x.ID != nasty+long || string(x.State) != "\x00\xff" {
			return fmt.Errorf("cell %q", x.ID)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// incompressible returns n hexadecimal digits that follow no pattern.
func incompressible(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}

func places(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	in, other := anOpen(r, 1), anOpen(r, 2)
	in.MergedInto = other.ID
	in.ClosedAt, in.Verdict = base, incident.Benign
	s.put(in, other)
	p, err := s.Place(t.Context(), in.ID)
	want := store.Place{
		Partition: 0, RuleID: "r", Rule: "r-1", Group: in.Key, Status: incident.Closed, Verdict: incident.Benign,
		MergedInto: other.ID, Revision: 1, Opened: in.OpenedAt,
	}
	if diff := cmp.Diff(want, p); err != nil || diff != "" {
		t.Errorf("Place: %v %s", err, diff)
	}
	for _, unknown := range []string{id(anIncident, 9), "", "zz", in.ID + "00", strings.ToUpper(in.ID) + "x"} {
		_, err1 := s.Place(t.Context(), unknown)
		_, err2 := s.Incident(t.Context(), unknown)
		_, _, err3 := s.Evidence(t.Context(), unknown, 0, "")
		for i, err := range []error{err1, err2, err3} {
			if !is(err, incident.ErrNotFound) {
				t.Errorf("%q, read %d: %v, want ErrNotFound", unknown, i, err)
			}
		}
	}
}
