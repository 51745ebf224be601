// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// Bulk writes commits to an empty store faster than one after the other.
type Bulk func(t testing.TB, s store.Store, commits iter.Seq[store.Commit])

// Fill gives a store n incidents of the ninety days before an end: of 40 rules and 50 namespaces in each of five
// clusters, some with most of it, some with next to nothing; most closed, a few merged or retracted, the newest still worked on.
// What is in them is the same each time.
func Fill(t testing.TB, s store.Store, n int, end time.Time, bulk Bulk) {
	t.Helper()
	fill(t, s, newMillion(n, end.Add(-span)), bulk)
}

func newMillion(n int, start time.Time) *million {
	return &million{n: n, start: start.UnixNano(), rules: manyRules()}
}

// filled is what a store has that was kept, or is given now.
func filled(t testing.TB, s store.Store, n int, bulk Bulk) *million {
	t.Helper()
	m := newMillion(n, time.Now().Add(-span))
	if counts, err := s.Rollup(t.Context()); err != nil {
		t.Fatal(err)
	} else if len(counts) > 0 {
		newest, _, err := s.Incidents(t.Context(), incident.Filter{Limit: 1, IncludeMerged: true, IncludeRetracted: true})
		if err != nil {
			t.Fatal(err)
		}
		m.start = int64(newest[0].LastEvent) - int64(span)
		return m
	}
	fill(t, s, m, bulk)
	return m
}

func fill(t testing.TB, s store.Store, m *million, bulk Bulk) {
	t.Helper()
	leases, err := s.Acquire(t.Context(), ownerA, 24*time.Hour, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	if bulk == nil {
		bulk = eachCommit
	}
	bulk(t, s, m.commits(leases))
	m.work(t, s)
	for _, l := range leases {
		if err := s.Release(t.Context(), l.Partition, l.Epoch); err != nil {
			t.Fatal(err)
		}
	}
}

func eachCommit(t testing.TB, s store.Store, commits iter.Seq[store.Commit]) {
	t.Helper()
	for c := range commits {
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// commits deals the incidents out to partitions.
func (m *million) commits(leases []store.Lease) iter.Seq[store.Commit] {
	return func(yield func(store.Commit) bool) {
		for n := 0; n*perCommit < m.n; n++ {
			at, lease := n*perCommit, leases[n%len(leases)]
			c := m.commit(at, min(at+perCommit, m.n))
			c.Partition, c.Epoch, c.Stream, c.Applied, c.Clock = lease.Partition, lease.Epoch, streamName, uint64(n/len(leases)+1), m.at(at)
			if !yield(c) {
				return
			}
		}
	}
}

const (
	span      = 90 * 24 * time.Hour
	perCommit = 500
)

// million is what a store was filled with.
type million struct {
	n     int
	start int64
	rules []*rules.Rule
}

func manyRules() []*rules.Rule {
	techniques := []string{"T1110.001", "T1078", "T1059.004", "T1611", "T1552.007", "T1098", "T1190", "T1496", "T1046", "T1048", "T1070.004", "T1204"}
	out := make([]*rules.Rule, 40)
	for i := range out {
		name := fmt.Sprintf("rule-%02d", i)
		out[i] = &rules.Rule{
			ID: name, Revision: name + "-1", Title: "What rule " + fmt.Sprint(i) + " finds", Description: "It says what that is, in a sentence or two.",
			Runbook: "https://example.org/runbooks/" + name, Severity: rules.Severity(1 + i%5), Shadow: i%13 == 12,
			Attack: []string{techniques[i%len(techniques)], techniques[(i*5+1)%len(techniques)]}, Tactics: []string{"credential-access"},
			By: []string{"user.name", "source.ip"}, GroupBy: []int{0},
		}
	}
	return out
}

func (m *million) at(i int) int64 { return m.start + int64(float64(i)/float64(m.n)*float64(span)) }

// few returns a number below n; small ones are by far the likeliest.
func few(r *rand.Rand, n int) int {
	x := r.Float64()
	return int(x * x * x * float64(n))
}

func clusterName(i int) string   { return fmt.Sprintf("cluster-%d", i) }
func namespaceName(i int) string { return fmt.Sprintf("team-%02d", i) }

// incident returns the i-th, with its detections and their evidence.
func (m *million) incident(i int) (incident.Incident, []correlate.DetectionChange, []store.Evidence) {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	rule := m.rules[few(r, len(m.rules))]
	user, ip := fmt.Sprintf("user-%d", few(r, 50_000)), fmt.Sprintf("10.%d.%d.7", few(r, 256), few(r, 256))
	at := incident.Place{Cluster: clusterName(few(r, 5)), Namespace: namespaceName(few(r, 50))}
	pod := fmt.Sprintf("%s/web-%d", at.Namespace, r.IntN(200))
	last := m.at(i)
	lasts := time.Duration(1+r.IntN(600)) * time.Second
	if i%500 == 0 {
		lasts = time.Duration(1+r.IntN(7*24)) * time.Hour
	}
	in := incident.Incident{
		ID: id(anIncident, i), Rule: rule, Key: rules.MakeKey(user), Title: rule.Title + ": " + user + " from " + ip,
		FirstEvent: last - int64(lasts), LastEvent: last, OpenedAt: last - int64(lasts)/2, UpdatedAt: last, EventCount: 6,
		DetectionCount: int64(1 + few(r, 4)), Sources: []string{"audit"},
		Entities: []incident.Entity{{Type: "ip", Name: ip}, {Type: "pod", Name: pod}, {Type: "user", Name: user}}, Revision: 1,
	}
	switch x := r.IntN(100); {
	case x < 2:
		in.Retracted = true
	case x < 4 && i > 0:
		in.MergedInto = id(anIncident, i-1)
	case x < 96 && i < m.n*95/100:
		in.ClosedAt, in.ClosedBy = last+int64(time.Hour), "ana"
		in.Verdict = []incident.Verdict{incident.Benign, incident.FalsePositive, incident.TruePositive}[few(r, 3)]
	}
	var ds []correlate.DetectionChange
	var es []store.Evidence
	for d := range in.DetectionCount {
		n := i*4 + int(d)
		var added []incident.Evidence
		for j := range 2 {
			e := evidenceOf(n, j, []string{"failed", "worked"}[j])
			e.Event.Time, e.Event.ID = last-int64(j)*second, event.NewID("test", fmt.Sprint(n, "/", j), last)
			added = append(added, e)
		}
		ds = append(ds, aDetectionOf(in, n, added...))
		for _, e := range freeze(in.ID, added...) {
			e.Item.Fields = map[string]any{
				"user.name": user, "source.ip": ip, "k8s.cluster.name": at.Cluster, "k8s.namespace.name": at.Namespace, "k8s.pod.name": pod,
			}
			es = append(es, e)
		}
	}
	return in, ds, es
}

func (m *million) commit(from, to int) store.Commit {
	var c store.Commit
	for i := from; i < to; i++ {
		in, ds, es := m.incident(i)
		c.Changes.Incidents = append(c.Changes.Incidents, in)
		c.Changes.Detections = append(c.Changes.Detections, ds...)
		c.Evidence = append(c.Evidence, es...)
	}
	return c
}

// work does what people do with some of the newest open incidents.
func (m *million) work(t testing.TB, s store.Store) {
	t.Helper()
	open, _, err := s.Incidents(t.Context(), incident.Filter{Status: []string{"new"}, Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	states, ana := []incident.Status{incident.InProgress, incident.OnHold, incident.Resolved}, "ana"
	for i, in := range open {
		switch i % 10 {
		case 0:
			_, err = s.Merge(t.Context(), in.ID, open[i+1].ID, ana)
		case 2, 3, 4:
			_, err = s.SetWork(t.Context(), in.ID, incident.Work{Status: &states[i%10-2], Assignee: &ana, Comment: "Looked at.", By: ana})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
