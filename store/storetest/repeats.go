// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// aCopyOf returns the n-th detection as one of a later life, in an incident; its interval is within that of any early one.
func aCopyOf(in incident.Incident, n int, origin string, life int64) correlate.DetectionChange {
	d := aDetectionOf(in, n)
	d.Detection.Life = incident.Life{Origin: origin, Number: life}
	d.Detection.First, d.Detection.Last = base, base+second
	return d
}

// told commits incidents with their detections and an alert of each, all of it twice, and returns the alerts that this makes.
func (o *owned) told(kind string, ins []incident.Incident, ds ...correlate.DetectionChange) []string {
	o.t.Helper()
	c := o.next(correlate.Changes{Incidents: ins, Detections: ds})
	for _, in := range ins {
		c.Outbox = append(c.Outbox, store.OutboxItem{Incident: in.ID, Revision: in.Revision, Receiver: "pager", Kind: kind, Body: []byte("{}")})
	}
	o.commit(c)
	o.commit(c)
	out := []string{}
	for _, row := range o.claim(longLease) {
		out = append(out, fmt.Sprint(row.Kind, " ", row.Incident[24:], " ", row.Revision))
		if err := o.OutboxSent(o.t.Context(), row.ID); err != nil {
			o.t.Fatal(err)
		}
	}
	if counts, err := o.Rollup(o.t.Context()); err != nil || cmp.Diff(recount(o), counts) != "" {
		o.t.Errorf("%v, %+v of %+v", err, counts, recount(o))
	}
	return out
}

// repeats: what has nothing but copies of detections that the store has is shown with those, and nobody is told; with the first that is
// none it stands by itself, and is told of.
func repeats(t *testing.T, k Kind) {
	s := own(t, k)
	r, shadow := aRule("r"), aRule("quiet")
	shadow.Shadow = true
	one := func(n int, revision int64) []incident.Incident {
		in := anOpen(r, n)
		in.Revision, in.Again = revision, n > 1
		return []incident.Incident{in}
	}
	n := func(n int) incident.Incident { return anOpen(r, n) }
	into := func(in, whole int) {
		t.Helper()
		want := ""
		if whole > 0 {
			want = id(anIncident, whole)
		}
		got := ""
		if v := s.incident(id(anIncident, in)); v.MergedInto != nil {
			got = *v.MergedInto
		}
		if got != want {
			t.Errorf("%d is shown with %q, want %q", in, got, want)
		}
	}
	says := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	name := func(n int) string { return id(anIncident, n)[24:] }

	changes, err := s.LastDetection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	says("the first", s.told("opened", one(1, 1), aDetectionOf(n(1), 1), aDetectionOf(n(1), 2)), "opened "+name(1)+" 1")
	says("a copy", s.told("opened", one(2, 1), aCopyOf(n(2), 11, id(aDetection, 1), 1)))
	into(2, 1)
	mark := func(c incident.ChangedDetection) string { return c.Mark }
	if changed := readOn(t, &changes, 10, 3, s.ChangedDetections, mark); len(changed) != 3 || changed[1].Incident == "" || changed[2].Incident != "" {
		t.Errorf("who follows detections hears of the copy: %+v", changed)
	}
	says("another copy", s.told("opened", one(2, 2), aCopyOf(n(2), 12, id(aDetection, 2), 3)))
	into(2, 1)
	says("a detection of it", s.told("detected", one(2, 3)))
	says("one that is none", s.told("opened", one(2, 4), aDetectionOf(n(2), 20)), "opened "+name(2)+" 4")
	into(2, 0)
	says("it grows", s.told("opened", one(2, 5), aCopyOf(n(2), 11, id(aDetection, 1), 1)))
	into(2, 0)
	news := aDetectionOf(n(2), 20)
	news.Gone = true
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{news}}))
	says("what stands has only copies left", s.told("detected", one(2, 6)), "detected "+name(2)+" 6")
	into(2, 0)
	says("and ends", s.told("closed", one(2, 7)), "closed "+name(2)+" 7")

	says("what was late from the beginning", s.told("opened", one(3, 1), aCopyOf(n(3), 30, id(aDetection, 99), 7)), "opened "+name(3)+" 1")
	says("a copy of that", s.told("opened", one(4, 1), aCopyOf(n(4), 31, id(aDetection, 99), 8)))
	into(4, 3)
	if v := s.incident(id(anIncident, 3)); v.DetectionCount != 1 || len(v.Detections) != 1 {
		t.Errorf("the first has %d detections, and shows %d", v.DetectionCount, len(v.Detections))
	}
	joined, moved := append(one(4, 2), one(14, 1)...), aDetectionOf(n(14), 31)
	joined[0].MergedInto, moved.Moved = joined[1].ID, true
	says("it is joined into another copy", s.told("opened", joined, moved, aCopyOf(n(14), 34, id(aDetection, 99), 8)))
	into(4, 14)
	into(14, 3)
	says("an older one", s.told("opened", one(5, 1), aCopyOf(n(5), 32, id(aDetection, 99), 6)), "opened "+name(5)+" 1")

	old := one(1, 2)
	old[0].Again = true
	says("what stands has a copy", s.told("opened", old, aCopyOf(n(1), 13, id(aDetection, 98), 1)))
	into(1, 0)

	hidden := anOpen(shadow, 6)
	says("in shadow", s.told("detected", []incident.Incident{hidden}, aDetectionOf(hidden, 60)), "detected "+name(6)+" 1")
	says("no more", s.told("opened", one(7, 1), aCopyOf(n(7), 61, id(aDetection, 60), 1)), "opened "+name(7)+" 1")

	back := aDetectionOf(n(8), 80)
	back.Detection.Retracted = &incident.Retraction{EventID: "e"}
	s.commit(s.next(correlate.Changes{Incidents: one(8, 1), Detections: []correlate.DetectionChange{back}}))
	says("of what was taken back", s.told("opened", one(9, 1), aCopyOf(n(9), 81, id(aDetection, 80), 1)), "opened "+name(9)+" 1")

	says("of the oldest", s.told("opened", one(10, 1), aCopyOf(n(10), 33, id(aDetection, 99), 9)))
	into(10, 5)

	gone := aCopyOf(n(11), 90, id(aDetection, 97), 2)
	says("what is joined into another", s.told("opened", one(11, 1), gone, aDetectionOf(n(11), 91)), "opened "+name(11)+" 1")
	gone.Gone = true
	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{gone}}))
	says("a copy of it", s.told("opened", one(12, 1), aCopyOf(n(12), 92, id(aDetection, 97), 3)), "opened "+name(12)+" 1")

	grown := aCopyOf(n(13), 95, id(aDetection, 1), 2)
	says("one that has no more", s.told("opened", one(13, 1), grown))
	into(13, 1)
	grown.Detection.EventCount++
	says("one that has more", s.told("opened", one(13, 2), grown), "opened "+name(13)+" 2")
	into(13, 0)
	wider := aCopyOf(n(15), 96, id(aDetection, 1), 3)
	wider.Detection.Last = n(1).LastEvent + 1
	says("one that goes on", s.told("opened", one(15, 1), wider), "opened "+name(15)+" 1")
	into(15, 0)
	says("one that has no more than the first", s.told("opened", one(16, 1), aCopyOf(n(16), 110, id(aDetection, 1), 4)))
	into(16, 1)
}
