// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
)

// detectionChanges: each detection that is written comes in the order of its last change, with the incident that shows it.
func detectionChanges(t *testing.T, k Kind) {
	s := own(t, k)
	mark, err := s.LastDetection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := mark
	read := func(limit int, want ...[2]string) []incident.ChangedDetection {
		t.Helper()
		all := readOn(t, &mark, limit, len(want), s.ChangedDetections, func(c incident.ChangedDetection) string { return c.Mark })
		var got [][2]string
		for _, c := range all {
			got = append(got, [2]string{c.Detection.ID, c.Incident})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		return all
	}
	of := func(n int, in incident.Incident) [2]string { return [2]string{id(aDetection, n), in.ID} }
	a, b := anOpen(aRule("r"), 1), anOpen(aRule("exec"), 2)
	e := evidenceOf(1, 1, "failed")
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{a}, Detections: []correlate.DetectionChange{aDetectionOf(a, 1, e)}}, freeze(a.ID, e)...))
	s.commit(s.next(correlate.Changes{Incidents: []incident.Incident{b}, Detections: []correlate.DetectionChange{aDetectionOf(b, 2), aDetectionOf(b, 3)}}))
	got := read(2, of(1, a), of(2, b), of(3, b))
	if diff := cmp.Diff(s.incident(a.ID).Detections[0], got[0].Detection); diff != "" || len(got[0].Detection.Evidence) != 1 {
		t.Errorf("a detection is told otherwise than its incident has it: %s", diff)
	}
	read(2)
	// One that changes again comes again, after the others; and so does one that moves to another incident.
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(a, 1)}}))
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(a, 2)}}))
	read(2, of(1, a), of(2, a))
	last, err := s.LastDetection(t.Context())
	if err != nil || last != mark {
		t.Errorf("the last change is %s, %v, want %s", last, err, mark)
	}
	// The newest is joined into one that is older: that one has changed, and comes after what is gone.
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{
		{Detection: incident.Detection{ID: id(aDetection, 2)}, Gone: true}, aDetectionOf(a, 1),
	}}))
	read(2, of(1, a))
	// What people merged is shown with the whole.
	s.merge(b.ID, a.ID)
	mark = first
	read(10, of(3, a), of(1, a))
	for bad, want := range map[string]error{"": incident.ErrBadCursor, "x.": incident.ErrBadCursor, "9223372036854775806.": incident.ErrUnknownMark} {
		if _, err := s.ChangedDetections(t.Context(), bad, 1); !is(err, want) {
			t.Errorf("after %q: %v, want %v", bad, err, want)
		}
	}
}
