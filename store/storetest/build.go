// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

func is(err, target error) bool { return errors.Is(err, target) }

// id names the n-th thing of a kind.
func id(kind byte, n int) string { return fmt.Sprintf("%02x%030x", kind, n) }

const (
	anIncident  = 0xa1
	aDetection  = 0xd1
	base        = int64(1_700_000_000_000_000_001)
	second      = int64(time.Second)
	ownerA      = "a"
	longLease   = time.Hour
	noLease     = -time.Second // a lease that has run out already
	onePart     = 1
	streamName  = "created 2026-01-01"
	otherStream = "created 2026-06-01"
)

func aRule(name string) *rules.Rule {
	return &rules.Rule{
		ID: name, Revision: name + "-1", Title: "Title of " + name, Description: "What it is.", Runbook: "https://example.org/r",
		Severity: rules.High, Attack: []string{"T1110.001", "T1078"}, Tactics: []string{"credential-access"},
		By: []string{"user.name", "source.ip"}, GroupBy: []int{0},
	}
}

// anOpen returns the n-th incident of a rule, new; later ones are later.
func anOpen(r *rules.Rule, n int) incident.Incident {
	user := fmt.Sprintf("user-%d", n)
	at := base + int64(n)*second
	return incident.Incident{
		ID: id(anIncident, n), Rule: r, Key: rules.MakeKey(user), Title: r.Title + " for " + user,
		FirstEvent: at - 10*second, LastEvent: at, OpenedAt: at - 5*second, UpdatedAt: at,
		EventCount: 6, DetectionCount: 1, Sources: []string{"keycloak"},
		Entities: []incident.Entity{{Type: "ip", Name: "10.0.0.1"}, {Type: "user", Name: user}}, Revision: 1,
	}
}

// aDetectionOf returns the n-th detection as a change of an incident.
func aDetectionOf(in incident.Incident, n int, added ...incident.Evidence) correlate.DetectionChange {
	user, _ := in.Key.Values()[0].(string)
	return correlate.DetectionChange{
		Incident: in.ID,
		Detection: incident.Detection{
			ID: id(aDetection, n), Key: rules.MakeKey(user, "10.0.0.1"), First: in.FirstEvent, Last: in.LastEvent,
			FirstFiring: in.OpenedAt, EventCount: 6, Steps: map[string]int64{"failed": 5, "worked": 1},
		},
		Added: added,
	}
}

// evidenceOf returns the i-th piece of evidence of the n-th detection, later ones later.
func evidenceOf(n, i int, step string) incident.Evidence {
	at := base + int64(i)*second
	return incident.Evidence{
		Detection: id(aDetection, n), Step: step,
		Event: rules.EventRef{
			ID: event.NewID("test", fmt.Sprint(n, "/", i), at), Time: at, Arrival: at + 7,
			Seq: uint64(i) + 1, Index: uint32(i),
			About: rules.NewAbout(fmt.Sprintf("ev-%d-%d", n, i), "keycloak", map[string]any{"user.name": "ana"}),
		},
	}
}

// freeze returns evidence with its bytes.
func freeze(in string, es ...incident.Evidence) []store.Evidence {
	out := make([]store.Evidence, len(es))
	for i, e := range es {
		out[i] = store.Evidence{
			Detection: e.Detection, Incident: in, Step: e.Step, Ref: e.Event,
			Item: incident.EvidenceItem{
				EventID: e.Event.About.EventID(), Step: e.Step, Time: event.Stamp(e.Event.Time), Source: e.Event.About.Source(),
				Message: "login of ana", Fields: map[string]any{"user.name": "ana", "source.port": int64(1<<62 + 1)},
				Raw: json.RawMessage(`{"a": 1,  "b":[18446744073709551615]}`), SHA256: "c0ffee",
			},
		}
	}
	return out
}

// owned is a store with partition 0 in the test's hands.
type owned struct {
	store.Store
	t     testing.TB
	lease store.Lease
	seq   uint64
}

func own(t testing.TB, k Kind) *owned {
	t.Helper()
	s := k.Open(t)
	ls, err := s.Acquire(t.Context(), ownerA, longLease, 0, onePart)
	if err != nil || len(ls) != 1 {
		t.Fatalf("Acquire = %v, %v", ls, err)
	}
	return &owned{Store: s, t: t, lease: ls[0]}
}

// next returns a commit of these changes at the next sequence.
func (o *owned) next(ch correlate.Changes, ev ...store.Evidence) store.Commit {
	o.seq++
	return store.Commit{
		Partition: o.lease.Partition, Epoch: o.lease.Epoch, Stream: streamName, Applied: o.seq,
		Clock: base + int64(o.seq), Changes: ch, Evidence: ev,
	}
}

func (o *owned) commit(c store.Commit) {
	o.t.Helper()
	if err := o.Commit(o.t.Context(), c); err != nil {
		o.t.Fatalf("Commit: %v", err)
	}
}

// put commits incidents without detections.
func (o *owned) put(ins ...incident.Incident) {
	o.t.Helper()
	o.commit(o.next(correlate.Changes{Incidents: ins}))
}

func (o *owned) incident(id string) incident.View {
	o.t.Helper()
	v, err := o.Incident(o.t.Context(), id)
	if err != nil {
		o.t.Fatalf("Incident(%s): %v", id, err)
	}
	return v
}

// list returns the ids of all incidents that a filter selects, over all pages.
func (o *owned) list(f incident.Filter) []string {
	o.t.Helper()
	ids := []string{}
	for range 1000 {
		vs, next, err := o.Incidents(o.t.Context(), f)
		if err != nil {
			o.t.Fatalf("Incidents(%+v): %v", f, err)
		}
		for _, v := range vs {
			ids = append(ids, v.ID)
		}
		if next == "" {
			return ids
		}
		f.Cursor = next
	}
	o.t.Fatal("Incidents never ends")
	return nil
}

// evidence returns all evidence of an incident as "event step".
func (o *owned) evidence(id string, page int) []string {
	o.t.Helper()
	var out []string
	cursor := ""
	for range 1000 {
		items, next, err := o.Evidence(o.t.Context(), id, page, cursor)
		if err != nil {
			o.t.Fatalf("Evidence(%s): %v", id, err)
		}
		for _, e := range items {
			out = append(out, e.EventID+" "+e.Step)
		}
		if cursor = next; next == "" {
			return out
		}
	}
	o.t.Fatal("Evidence never ends")
	return nil
}
