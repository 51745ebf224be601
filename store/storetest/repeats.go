// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// at is when the e-th event happened; each incident that anAgain makes has room for the first hundred.
func at(e int) int64 { return base + int64(e)*second }

// anAgain returns the n-th open incident as one of a key that all of them have; all but the first come when the engine has forgotten others.
func anAgain(r *rules.Rule, n int, revision int64) incident.Incident {
	in := anOpen(r, n)
	in.Key, in.Revision, in.Again, in.FirstEvent, in.LastEvent = rules.MakeKey("ana"), revision, n > 1, at(0), at(100)
	return in
}

// aDetectionWith returns the n-th detection, which has some events as evidence.
func aDetectionWith(in incident.Incident, n int, events ...int) correlate.DetectionChange {
	d := aDetectionOf(in, n)
	for i, e := range events {
		v := evidenceOf(n, i, "failed")
		v.Event.ID, v.Event.Time = event.NewID("test", fmt.Sprint(e), at(e)), at(e)
		d.Added = append(d.Added, v)
	}
	if d.Detection.EventCount = int64(len(events)); len(events) > 0 {
		d.Detection.First, d.Detection.Last = at(events[0]), at(events[len(events)-1])
	}
	return d
}

// told commits incidents with their detections and an alert of each, all of it twice, and returns the alerts that this makes.
func (o *owned) told(kind string, ins []incident.Incident, ds ...correlate.DetectionChange) []string {
	o.t.Helper()
	c := o.next(correlate.Changes{Incidents: ins, Detections: ds})
	for _, d := range ds {
		c.Evidence = append(c.Evidence, freeze(d.Incident, d.Added...)...)
	}
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

// repeats: what has nothing but events that the store has in other incidents of its rule and key is shown with those, and nobody is told; with
// the first that is new it stands by itself, and is told of.
func repeats(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	in := func(n int) incident.Incident { return anAgain(r, n, 1) }
	into := func(in, whole int) {
		t.Helper()
		want, got := "", ""
		if whole > 0 {
			want = id(anIncident, whole)
		}
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
	opens := func(what string, of incident.Incident, n int, ds ...correlate.DetectionChange) {
		t.Helper()
		says(what, s.told("opened", []incident.Incident{of}, ds...), fmt.Sprint("opened ", name(n), " ", of.Revision))
		into(n, 0)
	}
	silent := func(what string, of incident.Incident, n, whole int, ds ...correlate.DetectionChange) {
		t.Helper()
		says(what, s.told("opened", []incident.Incident{of}, ds...))
		into(n, whole)
	}
	gone := func(d correlate.DetectionChange) {
		t.Helper()
		d.Gone, d.Added = true, nil
		s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{d}}))
	}

	changes, err := s.LastDetection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opens("the first", in(1), 1, aDetectionWith(in(1), 1, 1, 2), aDetectionWith(in(1), 2, 3))
	silent("a copy", in(2), 2, 1, aDetectionWith(in(2), 11, 1))
	mark := func(c incident.ChangedDetection) string { return c.Mark }
	if changed := readOn(t, &changes, 10, 3, s.ChangedDetections, mark); len(changed) != 3 || changed[1].Incident == "" || changed[2].Incident != "" {
		t.Errorf("who follows detections hears of the copy: %+v", changed)
	}
	silent("copies in another order", anAgain(r, 2, 2), 2, 1, aDetectionWith(in(2), 12, 2, 3))
	says("a detection of it", s.told("detected", []incident.Incident{anAgain(r, 2, 3)}))
	opens("an event that is none", anAgain(r, 2, 4), 2, aDetectionWith(in(2), 20, 2, 4))
	silent("it grows", anAgain(r, 2, 5), 2, 0, aDetectionWith(in(2), 11, 1, 3))
	gone(aDetectionWith(in(2), 20))
	says("what stands has only copies left", s.told("detected", []incident.Incident{anAgain(r, 2, 6)}), "detected "+name(2)+" 6")
	into(2, 0)
	says("and ends", s.told("closed", []incident.Incident{anAgain(r, 2, 7)}), "closed "+name(2)+" 7")

	opens("what was late from the beginning", in(3), 3, aDetectionWith(in(3), 30, 5))
	silent("a copy of that", in(4), 4, 3, aDetectionWith(in(4), 31, 5))
	if v := s.incident(id(anIncident, 3)); v.DetectionCount != 1 || len(v.Detections) != 1 {
		t.Errorf("the first has %d detections, and shows %d", v.DetectionCount, len(v.Detections))
	}
	joined, moved := []incident.Incident{anAgain(r, 4, 2), in(14)}, aDetectionWith(in(14), 31)
	joined[0].MergedInto, moved.Moved = joined[1].ID, true
	says("it is joined into another copy", s.told("opened", joined, moved, aDetectionWith(in(14), 34, 5)))
	into(4, 14)
	into(14, 3)
	opens("one with more", in(5), 5, aDetectionWith(in(5), 32, 5, 6))
	silent("of the first that has it", in(10), 10, 3, aDetectionWith(in(10), 33, 5))
	silent("of two", in(16), 16, 1, aDetectionWith(in(16), 35, 5, 6), aDetectionWith(in(16), 36, 1))
	old := anAgain(r, 1, 2)
	old.Again = true
	silent("what stands has a copy", old, 1, 0, aDetectionWith(in(1), 13, 5))

	shadow := *r
	shadow.Shadow = true
	says("in shadow", s.told("detected", []incident.Incident{anAgain(&shadow, 6, 1)}, aDetectionWith(in(6), 60, 7)), "detected "+name(6)+" 1")
	opens("no more", in(7), 7, aDetectionWith(in(7), 61, 7))
	silent("again", anAgain(&shadow, 17, 1), 17, 6, aDetectionWith(in(17), 62, 7))

	back := aDetectionWith(in(8), 80, 8)
	back.Detection.Retracted = &incident.Retraction{EventID: "e"}
	s.told("retracted", []incident.Incident{in(8)}, back)
	opens("of what was taken back", in(9), 9, aDetectionWith(in(9), 81, 8))

	silent("a copy that will be taken back", in(39), 39, 1, aDetectionWith(in(39), 139, 1))
	taken, empty := aDetectionWith(in(39), 139, 1, 11), anAgain(r, 39, 2)
	taken.Detection.Retracted, empty.Retracted = &incident.Retraction{EventID: "e"}, true
	says("it has something new and is taken back at once", s.told("retracted", []incident.Incident{empty}, taken))
	opens("it holds again", anAgain(r, 39, 3), 39, aDetectionWith(in(39), 139, 1, 11))
	taken = aDetectionWith(in(40), 140, 0)
	taken.Detection.Retracted = &incident.Retraction{EventID: "e"}
	silent("a copy beside what was taken back", in(40), 40, 1, taken, aDetectionWith(in(40), 141, 2))

	opens("what leaves again", in(11), 11, aDetectionWith(in(11), 90, 9), aDetectionWith(in(11), 91, 10))
	silent("a copy of it", in(12), 12, 11, aDetectionWith(in(12), 92, 9))
	gone(aDetectionWith(in(11), 90))
	opens("which only a copy has", in(13), 13, aDetectionWith(in(13), 93, 9))

	other, revised, long := aRule("other"), *r, strings.Repeat("k", 80)
	revised.Revision = "r-2"
	opens("of another rule", anAgain(other, 20, 1), 20, aDetectionWith(in(20), 100, 1))
	opens("of what the rule is now", anAgain(&revised, 21, 1), 21, aDetectionWith(in(21), 101, 1))
	for i, key := range []string{"ben", long + "1", long + "2"} {
		of := in(22 + i)
		of.Key = rules.MakeKey(key)
		opens("of key "+key, of, 22+i, aDetectionWith(of, 102+i, 1))
	}

	opens("all of which is kept as evidence", in(28), 28, aDetectionWith(in(28), 128, 40, 42, 44))
	opens("among it", in(29), 29, aDetectionWith(in(29), 129, 40, 43))
	many := aDetectionWith(in(30), 130, 20, 29)
	many.Detection.EventCount = 5
	opens("more than is kept as evidence", in(30), 30, many)
	silent("within it", in(31), 31, 30, aDetectionWith(in(31), 131, 24, 25))
	for i, x := range []struct {
		what        string
		first, last int
		events      int64
	}{{"more than it has", 20, 29, 6}, {"before it", 19, 29, 5}, {"after it", 20, 30, 5}} {
		d := aDetectionWith(in(32+i), 132+i, 26+i)
		d.Detection.First, d.Detection.Last, d.Detection.EventCount = at(x.first), at(x.last), x.events
		opens(x.what, in(32+i), 32+i, d)
	}
	more := aDetectionWith(in(37), 137, 20, 29)
	more.Detection.EventCount = 5
	silent("a copy of more than is kept as evidence", in(37), 37, 30, more)
	more.Detection.EventCount, more.Added = 7, nil
	opens("it has more than that, beside the same evidence", anAgain(r, 37, 2), 37, more)
	of := aDetectionWith(in(38), 138, 1, 2)
	of.Detection.EventCount = 3
	opens("one that keeps fewer than it has, of what is all kept", in(38), 38, of)
	opens("without evidence", in(36), 36, aDetectionWith(in(36), 136))

	first := aDetectionWith(in(41), 151, 50)
	opens("what goes back", in(41), 41, first)
	opens("what stays", in(42), 42, aDetectionWith(in(42), 152, 51))
	silent("copies of both", in(43), 43, 41, aDetectionWith(in(43), 153, 50), aDetectionWith(in(43), 154, 51))
	first.Detection.Retracted = &incident.Retraction{EventID: "e"}
	s.told("retracted", []incident.Incident{anAgain(r, 41, 2)}, first)
	opens("it grows when the first goes back", anAgain(r, 43, 2), 43, aDetectionWith(in(43), 155, 51))
}
