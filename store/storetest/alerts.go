// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

func alert(n int, revision int64, receiver string) store.OutboxItem {
	return store.OutboxItem{
		Incident: id(anIncident, n), Revision: revision, Receiver: receiver, Kind: "opened", Body: fmt.Appendf(nil, "%d/%d\x00", n, revision),
	}
}

func (o *owned) alert(items ...store.OutboxItem) {
	o.t.Helper()
	c := o.next(correlate.Changes{})
	c.Outbox = items
	o.commit(c)
}

func (o *owned) claim(lease time.Duration) []store.OutboxRow {
	o.t.Helper()
	rows, err := o.ClaimOutbox(o.t.Context(), "sender", 10, lease)
	if err != nil {
		o.t.Fatalf("ClaimOutbox: %v", err)
	}
	return rows
}

// member makes somebody a live member for a while.
func (o *owned) member(name string, ttl time.Duration) {
	o.t.Helper()
	if _, err := o.Renew(o.t.Context(), name, ttl, nil); err != nil {
		o.t.Fatal(err)
	}
}

// claimsOfTheDead: what a live member claimed is its own for as long as it said, and another's as soon as it is dead.
func claimsOfTheDead(t *testing.T, k Kind) {
	s := own(t, k)
	s.alert(alert(1, 1, "hook"))
	claim := func(who string) int {
		rows, err := s.ClaimOutbox(t.Context(), who, 10, longLease)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	s.member("one", longLease)
	s.member("two", longLease)
	if a, b, c := claim("one"), claim("two"), claim("one"); a != 1 || b != 0 || c != 0 {
		t.Errorf("claimed %d, then %d by another, then %d by the first", a, b, c)
	}
	s.member("one", noLease)
	if a, b := claim("one"), claim("two"); a != 0 || b != 1 {
		t.Errorf("the first is dead: it claimed %d again, and another %d", a, b)
	}
	if err := s.Leave(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if n := claim("three"); n != 1 {
		t.Errorf("the second has left: another claimed %d", n)
	}
}

// claims lets several senders claim at once: each alert goes to one of them, and none is left.
func claims(t *testing.T, k Kind) {
	s := own(t, k)
	const total = 200
	var items []store.OutboxItem
	for n := range total {
		items = append(items, alert(n, 1, "hook"))
	}
	s.alert(items...)
	s.alert(items...) // the same alerts again are the same alerts
	for g := range 4 {
		s.member(fmt.Sprint("sender", g), longLease)
	}
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for idle := 0; idle < 3; {
				rows, err := s.ClaimOutbox(t.Context(), fmt.Sprint("sender", g), 7, longLease)
				if err != nil {
					t.Errorf("ClaimOutbox: %v", err)
					return
				}
				if len(rows) == 0 {
					idle++
				}
				for _, r := range rows {
					if r.Attempts != 1 || r.State != store.Pending || r.Receiver != "hook" || r.Kind != "opened" {
						t.Errorf("claimed %+v", r)
					}
					mu.Lock()
					got[r.Incident+string(r.Body)]++
					mu.Unlock()
					if err := s.OutboxSent(t.Context(), r.ID); err != nil {
						t.Errorf("OutboxSent: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	for key, n := range got {
		if n != 1 {
			t.Errorf("%q was claimed %d times", key, n)
		}
	}
	stats, err := s.OutboxStats(t.Context())
	if err != nil || len(got) != total || stats != (store.OutboxStats{}) {
		t.Errorf("%d alerts of %d were claimed, then %+v, %v", len(got), total, stats, err)
	}
}

func alertLife(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	later := alert(2, 1, "hook")
	later.NotBefore = time.Now().Add(longLease).UnixNano()
	s.alert(alert(1, 1, "hook"), later)
	stats, err := s.OutboxStats(ctx)
	if err != nil || stats.Pending != 2 || stats.Dead != 0 || stats.Oldest < 0 || stats.Oldest > time.Hour {
		t.Errorf("OutboxStats = %+v, %v", stats, err)
	}

	first := s.claim(longLease)
	if len(first) != 1 || first[0].Incident != id(anIncident, 1) || string(first[0].Body) != "1/1\x00" {
		t.Fatalf("claimed %+v, want the one that is due", first)
	}
	if again := s.claim(longLease); len(again) != 0 {
		t.Errorf("claimed while leased: %+v", again)
	}
	alertID := first[0].ID
	if err := s.OutboxRetry(ctx, alertID, 1, -time.Second, "503\x00"); err != nil {
		t.Fatal(err)
	}
	second := s.claim(noLease) // this sender freezes: its lease is over at once
	if len(second) != 1 || second[0].Attempts != 2 || second[0].Error != "503\uFFFD" {
		t.Fatalf("claimed after a retry: %+v", second)
	}
	third := s.claim(longLease)
	if len(third) != 1 || third[0].Attempts != 3 {
		t.Fatalf("claimed after a lease ran out: %+v", third)
	}
	// The frozen sender wakes up: what it says of its attempt changes nothing.
	if err := s.OutboxDead(ctx, alertID, 2, "late"); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxRetry(ctx, alertID, 2, 0, "late"); err != nil {
		t.Fatal(err)
	}
	if again := s.claim(longLease); len(again) != 0 {
		t.Errorf("an old attempt put it back: %+v", again)
	}
	if err := s.OutboxRetry(ctx, alertID, 3, longLease, "later"); err != nil {
		t.Fatal(err)
	}
	if again := s.claim(longLease); len(again) != 0 {
		t.Errorf("claimed before its time: %+v", again)
	}
	if err := s.OutboxDead(ctx, alertID, 3, "410"); err != nil {
		t.Fatal(err)
	}
	dead, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Dead})
	if err != nil || len(dead) != 1 || dead[0].Error != "410" || dead[0].Attempts != 3 || dead[0].Finished == 0 {
		t.Errorf("dead alerts: %+v, %v", dead, err)
	}
	if stats, err := s.OutboxStats(ctx); err != nil || stats.Dead != 1 || stats.Pending != 1 {
		t.Errorf("OutboxStats = %+v, %v", stats, err)
	}
	if err := s.OutboxRevive(ctx, alertID); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxRevive(ctx, alertID); !is(err, incident.ErrNotFound) {
		t.Errorf("OutboxRevive of a pending one: %v", err)
	}
	if again := s.claim(longLease); len(again) != 1 || again[0].Attempts != 4 || again[0].Finished != 0 {
		t.Errorf("claimed after its revival: %+v", again)
	}
	if err := s.OutboxSent(ctx, alertID); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxDead(ctx, alertID, 4, "no"); err != nil {
		t.Fatal(err)
	}
	sent, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Sent, Receiver: "hook", Incident: id(anIncident, 1)})
	if err != nil || len(sent) != 1 || sent[0].Error != "" || sent[0].Finished < sent[0].Created {
		t.Fatalf("sent alerts: %+v, %v", sent, err)
	}
	if err := s.OutboxSent(ctx, alertID); err != nil {
		t.Fatal(err)
	}
	again, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Sent})
	if diff := cmp.Diff(sent, again); err != nil || diff != "" {
		t.Errorf("sent once more: %v (-once +twice):\n%s", err, diff)
	}
}

func alertOrder(t *testing.T, k Kind) {
	s := own(t, k)
	s.alert(alert(1, 1, "a"), alert(1, 1, "b"), alert(2, 1, "a"))
	s.alert(alert(1, 2, "a"), alert(1, 3, "a"))
	names := func(rows []store.OutboxRow) (out []string) {
		for _, r := range rows {
			out = append(out, string(r.Body[:3])+" to "+r.Receiver)
		}
		return out
	}
	first := s.claim(longLease)
	if diff := cmp.Diff([]string{"1/1 to a", "1/1 to b", "2/1 to a"}, names(first)); diff != "" {
		t.Fatalf("first claim (-want +got):\n%s", diff)
	}
	if err := s.OutboxSent(t.Context(), first[0].ID); err != nil {
		t.Fatal(err)
	}
	second := s.claim(longLease)
	if diff := cmp.Diff([]string{"1/2 to a"}, names(second)); diff != "" {
		t.Fatalf("second claim (-want +got):\n%s", diff)
	}
	// One that is given up holds nobody back.
	if err := s.OutboxDead(t.Context(), second[0].ID, 1, "no"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1/3 to a"}, names(s.claim(longLease))); diff != "" {
		t.Fatalf("third claim (-want +got):\n%s", diff)
	}
}

func alertList(t *testing.T, k Kind) {
	s := own(t, k)
	for n := range 7 {
		s.alert(alert(n, 1, "a"), alert(n, 1, "b"))
	}
	var got []string
	f := store.OutboxFilter{Receiver: "b", Limit: 3}
	for {
		rows, next, err := s.ListOutbox(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, r.Incident)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	var want []string
	for n := 6; n >= 0; n-- {
		want = append(want, id(anIncident, n))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// alertsInOrder: a receiver that is in order gets the oldest alert or none, whatever the incident.
func alertsInOrder(t *testing.T, k Kind) {
	s := own(t, k)
	about := alert(1, 1, "log")
	about.Detection = id(aDetection, 1)
	s.alert(alert(1, 1, "log"), about, alert(2, 1, "log"), alert(1, 1, "hook"), alert(2, 1, "hook"))
	s.alert(about, alert(1, 1, "log")) // they are there already
	claim := func(lease time.Duration) (out []store.OutboxRow) {
		t.Helper()
		rows, err := s.ClaimOutbox(t.Context(), "sender", 10, lease, "log", "other")
		if err != nil {
			t.Fatalf("ClaimOutbox: %v", err)
		}
		for _, r := range rows {
			if r.Receiver == "log" {
				out = append(out, r)
			}
		}
		if len(out) > 1 {
			t.Fatalf("claimed %d alerts of a receiver in order", len(out))
		}
		return out
	}
	first := claim(longLease)
	if len(first) != 1 || string(first[0].Body) != "1/1\x00" || first[0].Detection != "" {
		t.Fatalf("first claim: %+v", first)
	}
	if again := claim(longLease); len(again) != 0 {
		t.Errorf("claimed what is behind one that is being sent: %+v", again)
	}
	if err := s.OutboxRetry(t.Context(), first[0].ID, 1, longLease, "503"); err != nil {
		t.Fatal(err)
	}
	if again := claim(longLease); len(again) != 0 {
		t.Errorf("claimed what is behind one that waits: %+v", again)
	}
	if err := s.OutboxSent(t.Context(), first[0].ID); err != nil {
		t.Fatal(err)
	}
	second := claim(noLease)
	if len(second) != 1 || second[0].Detection != about.Detection || second[0].Incident != about.Incident {
		t.Fatalf("second claim: %+v", second)
	}
	if again := claim(longLease); len(again) != 1 || again[0].ID != second[0].ID {
		t.Errorf("claimed after the lease ran out: %+v", again)
	}
	if err := s.OutboxDead(t.Context(), second[0].ID, 2, "400"); err != nil {
		t.Fatal(err)
	}
	if third := claim(longLease); len(third) != 1 || third[0].Incident != id(anIncident, 2) {
		t.Errorf("third claim: %+v", third)
	}
	if rows, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{Receiver: "log"}); err != nil || len(rows) != 3 {
		t.Errorf("%d alerts, %v", len(rows), err)
	}
}
