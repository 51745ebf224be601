// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
	"tocsin/store"
)

// silences: they are kept, changed by who read them last, and in force from their start to their end.
func silences(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	now := time.Now().UnixNano()
	hour := int64(time.Hour)
	add := func(starts, ends int64) store.Silence {
		t.Helper()
		x, err := s.AddSilence(ctx, store.Silence{Matchers: []string{`rule="a\x00"`, `b="ü"`}, Comment: "why\x00", Creator: "ana", Starts: starts, Ends: ends})
		if err != nil || len(x.ID) != 32 || x.Created == 0 || x.Revision != 1 || x.Comment != "why\uFFFD" || x.Creator != "ana" {
			t.Fatalf("%+v, %v", x, err)
		}
		return x
	}
	over, here, later := add(now-2*hour, now-hour), add(now-hour, now+hour), add(now+hour, now+2*hour)
	active, err := s.ActiveSilences(ctx)
	if diff := cmp.Diff([]store.Silence{here}, active); err != nil || diff != "" {
		t.Errorf("in force (-want +got): %v\n%s", err, diff)
	}
	page, next, err := s.Silences(ctx, true, 2, "")
	if diff := cmp.Diff([]store.Silence{later, here}, page); err != nil || diff != "" || next == "" {
		t.Errorf("all, first page: %v\n%s", err, diff)
	}
	page, next, err = s.Silences(ctx, true, 2, next)
	if diff := cmp.Diff([]store.Silence{over}, page); err != nil || diff != "" || next != "" {
		t.Errorf("all, second page: %v\n%s", err, diff)
	}
	if page, _, err = s.Silences(ctx, false, 10, ""); err != nil || len(page) != 2 {
		t.Errorf("those that are not over: %+v, %v", page, err)
	}
	changed := here
	changed.Ends, changed.Matchers, changed.Comment = now+3*hour, []string{`rule="b"`}, "else"
	got, err := s.SetSilence(ctx, changed)
	changed.Revision = 2
	if diff := cmp.Diff(changed, got); err != nil || diff != "" {
		t.Errorf("changed (-want +got): %v\n%s", err, diff)
	}
	if _, err := s.SetSilence(ctx, here); !is(err, store.ErrStale) {
		t.Errorf("a change of what was changed meanwhile: %v", err)
	}
	for _, none := range []string{"x", id(anIncident, 9)} {
		if _, err := s.Silence(ctx, none); !is(err, incident.ErrNotFound) {
			t.Errorf("silence %s: %v", none, err)
		}
		if _, err := s.SetSilence(ctx, store.Silence{ID: none, Revision: 1}); !is(err, incident.ErrNotFound) {
			t.Errorf("change of silence %s: %v", none, err)
		}
	}
}

// silenced: an alert that is silenced waits for its while, or for the end of what silences it, and one for good is not told.
func silenced(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	quiet, err := s.AddSilence(ctx, store.Silence{Matchers: []string{`rule="a"`}, Comment: "c", Ends: time.Now().Add(time.Hour).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	s.alert(alert(1, 1, "hook"), alert(2, 1, "hook"), alert(3, 1, "hook"))
	first := s.claim(longLease)
	if len(first) != 3 {
		t.Fatalf("claimed %d", len(first))
	}
	by := "silence " + quiet.ID
	if err := s.OutboxSilence(ctx, first[0].ID, 1, by, longLease, false); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxSilence(ctx, first[1].ID, 1, by, 0, true); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxSilence(ctx, first[2].ID, 7, by, 0, true); err != nil { // of another attempt
		t.Fatal(err)
	}
	stats, err := s.OutboxStats(ctx)
	if err != nil || stats.Pending != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	rows, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Silenced})
	if err != nil || len(rows) != 2 || rows[0].SilencedBy != by || rows[0].Finished == 0 || rows[1].Finished != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	if held, err := s.SilencedAlerts(ctx); err != nil || len(held) != 1 || held[quiet.ID] != 1 {
		t.Errorf("held are %v, %v", held, err)
	}
	receivers, err := s.OutboxReceivers(ctx)
	if err != nil || len(receivers) != 1 || receivers[0].Pending != 1 || receivers[0].Silenced != 1 || receivers[0].Receiver != "hook" {
		t.Errorf("%+v, %v", receivers, err)
	}
	wake := func() []store.OutboxRow {
		t.Helper()
		if err := s.OutboxWake(ctx, "incident "); err != nil {
			t.Fatal(err)
		}
		return s.claim(longLease)
	}
	if got := wake(); len(got) != 0 {
		t.Errorf("woke before its time: %+v", got)
	}
	quiet.Ends = 1
	if _, err := s.SetSilence(ctx, quiet); err != nil {
		t.Fatal(err)
	}
	got := wake()
	if len(got) != 1 || got[0].ID != first[0].ID || got[0].SilencedBy != by {
		t.Fatalf("after the silence: %+v", got)
	}
	rewrite := func(alert int64, attempt int, body string, want bool) {
		t.Helper()
		if done, err := s.OutboxRewrite(ctx, alert, attempt, []byte(body), "terms"); err != nil || done != want {
			t.Fatalf("rewritten %t, %v", done, err)
		}
	}
	rewrite(got[0].ID, got[0].Attempts, "new\x00", true)
	rewrite(got[0].ID, 77, "other", false)              // of another attempt
	rewrite(first[1].ID, 1, "other", false)             // silenced for good
	rewrite(got[0].ID+1000, got[0].Attempts, "", false) // there is none
	rows, _, err = s.ListOutbox(ctx, store.OutboxFilter{Incident: got[0].Incident})
	if err != nil || len(rows) != 1 || rows[0].Created <= got[0].Created {
		t.Errorf("what was silenced since %d is as old as it was: %+v, %v", got[0].Created, rows, err)
	}
	heard := func(n int) bool {
		t.Helper()
		h, hushed, err := s.OutboxHeard(ctx, id(anIncident, n), "hook")
		if err != nil || hushed != (n == 2) {
			t.Fatalf("hushed %t, %v", hushed, err)
		}
		return h
	}
	if heard(1) || heard(2) || heard(3) {
		t.Error("it was told what is silenced, or waits")
	}
	if err := s.OutboxSent(ctx, got[0].ID); err != nil {
		t.Fatal(err)
	}
	sent, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Sent})
	if err != nil || len(sent) != 1 || string(sent[0].Body) != "new\x00" || sent[0].Terms != "terms" || sent[0].SilencedBy != "" || !heard(1) {
		t.Errorf("%+v, %v", sent, err)
	}
}

// soon asks until there is something: a nanosecond is over when a store's clock says so, and that counts microseconds or milliseconds.
func soon[T any](t *testing.T, ask func() ([]T, error)) []T {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		got, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 || time.Now().After(end) {
			return got
		}
	}
}

// toldAgain: what a receiver forgets it is sent again while the incident is open, or for as long as was said.
func toldAgain(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	s.put(anOpen(aRule("a"), 1), anOpen(aRule("a"), 2))
	s.alert(alert(1, 1, "am"), alert(2, 1, "am"), alert(3, 1, "am"))
	keep := func(n int, change func(*store.Told)) {
		t.Helper()
		for _, r := range s.claim(longLease) {
			if r.Incident != id(anIncident, n) {
				if err := s.OutboxRetry(ctx, r.ID, r.Attempts, 0, ""); err != nil {
					t.Fatal(err)
				}
				continue
			}
			told := store.Told{Incident: r.Incident, Receiver: r.Receiver, Revision: r.Revision, Kind: r.Kind, Body: r.Body, Place: "here", Resend: time.Nanosecond}
			change(&told)
			if err := s.OutboxKeep(ctx, r.ID, told); err != nil {
				t.Fatal(err)
			}
			if err := s.OutboxKeep(ctx, r.ID, told); err != nil { // it is noted twice
				t.Fatal(err)
			}
		}
	}
	keep(1, func(*store.Told) {})
	keep(3, func(*store.Told) {}) // of an incident that is not there: it is over
	again := func() (out []string) {
		t.Helper()
		ts := soon(t, func() ([]store.Told, error) { return s.ToldAgain(ctx, "am", 10) })
		for _, x := range ts {
			if x.Place != "here" || len(x.Body) == 0 {
				t.Errorf("%+v", x)
			}
			out = append(out, x.Incident)
		}
		return out
	}
	for range 2 {
		if diff := cmp.Diff([]string{id(anIncident, 1)}, again()); diff != "" {
			t.Errorf("told again (-want +got):\n%s", diff)
		}
	}
	if place, err := s.ToldPlace(ctx, id(anIncident, 1), "am"); err != nil || place != "here" {
		t.Errorf("place %q, %v", place, err)
	}
	if place, err := s.ToldPlace(ctx, id(anIncident, 3), "am"); err != nil || place != "" {
		t.Errorf("place of what is over: %q, %v", place, err)
	}
	s.alert(alert(3, 2, "am"))
	keep(3, func(*store.Told) {})
	s.alert(alert(3, 3, "am")) // its end, which waits
	if got, err := s.ToldAgain(ctx, "am", 10); err != nil || len(got) != 1 {
		t.Errorf("told again: %+v, %v", got, err)
	}
	if place, err := s.ToldPlace(ctx, id(anIncident, 3), "am"); err != nil || place != "here" {
		t.Errorf("who is to hear of an end has no place: %q, %v", place, err)
	}
	keep(2, func(x *store.Told) { x.Over = true })
	if place, err := s.ToldPlace(ctx, id(anIncident, 2), "am"); err != nil || place != "" {
		t.Errorf("place of what is over and not to be told again: %q, %v", place, err)
	}
}

// reminders: an incident that stays open is told again, and that somebody works on it is told once.
func reminders(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	s.put(anOpen(aRule("a"), 1))
	s.alert(alert(1, 1, "pager"))
	for _, r := range s.claim(longLease) {
		told := store.Told{Incident: r.Incident, Receiver: r.Receiver, Revision: 1, Kind: r.Kind, Repeat: time.Nanosecond, Status: "new", Terms: "t"}
		if err := s.OutboxKeep(ctx, r.ID, told); err != nil {
			t.Fatal(err)
		}
	}
	remind := func() []store.OutboxRow {
		t.Helper()
		if err := s.Remind(ctx, 10, "pager", "other"); err != nil {
			t.Fatal(err)
		}
		return s.claim(longLease)
	}
	first := soon(t, func() ([]store.OutboxRow, error) { return remind(), nil })
	if len(first) != 1 || first[0].Kind != "reminded" || first[0].Detection != "again-1" || first[0].Terms != "t" || len(first[0].Body) != 0 {
		t.Fatalf("%+v", first)
	}
	told := store.Told{Incident: first[0].Incident, Receiver: "pager", Revision: 1, Kind: "reminded", Repeat: time.Hour, Status: "new", Terms: "t"}
	if err := s.OutboxKeep(ctx, first[0].ID, told); err != nil {
		t.Fatal(err)
	}
	if got := remind(); len(got) != 0 {
		t.Errorf("reminded within the hour: %+v", got)
	}
	working := incident.InProgress
	if _, err := s.SetWork(ctx, id(anIncident, 1), incident.Work{Status: &working}); err != nil {
		t.Fatal(err)
	}
	got := remind()
	if len(got) != 1 || got[0].Kind != "acknowledged" || got[0].Detection != "taken-2" {
		t.Fatalf("somebody works on it: %+v", got)
	}
	if got := remind(); len(got) != 0 {
		t.Errorf("told twice that somebody works on it: %+v", got)
	}
	told.Repeat, told.Status = time.Nanosecond, "in_progress"
	if err := s.OutboxKeep(ctx, got[0].ID, told); err != nil {
		t.Fatal(err)
	}
	if got := soon(t, func() ([]store.OutboxRow, error) { return remind(), nil }); len(got) != 1 {
		t.Fatalf("reminded again: %+v", got)
	}
	for range 30 { // it is due again and again
		if err := s.Remind(ctx, 10); err != nil {
			t.Fatal(err)
		}
	}
	if rows, _, err := s.ListOutbox(ctx, store.OutboxFilter{State: store.Pending}); err != nil || len(rows) != 1 {
		t.Errorf("while one waits %d do, %v", len(rows), err)
	}
}

// revival: all alerts that died since a time are pending again.
func revival(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	s.alert(alert(1, 1, "a"), alert(2, 1, "b"), alert(3, 1, "a"))
	for _, r := range s.claim(longLease) {
		if err := s.OutboxDead(ctx, r.ID, 1, "410"); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.OutboxReviveAll(ctx, time.Now().Add(time.Hour).UnixNano(), ""); n != 0 || err != nil {
		t.Errorf("since an hour from now: %d, %v", n, err)
	}
	if n, err := s.OutboxReviveAll(ctx, time.Now().Add(-time.Hour).UnixNano(), "a"); n != 2 || err != nil {
		t.Errorf("of one receiver: %d, %v", n, err)
	}
	if n, err := s.OutboxReviveAll(ctx, 0, ""); n != 1 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	if got := s.claim(longLease); len(got) != 3 {
		t.Errorf("%d are claimed", len(got))
	}
	// One whose incident's end was told stays dead: it would open again what nobody ends.
	s.alert(alert(4, 1, "a"))
	for _, r := range s.claim(longLease) {
		if err := s.OutboxDead(ctx, r.ID, r.Attempts, "400"); err != nil {
			t.Fatal(err)
		}
	}
	end := alert(4, 2, "a")
	end.Kind = "closed"
	s.alert(end)
	for _, r := range s.claim(longLease) {
		if err := s.OutboxSent(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.OutboxReviveAll(ctx, 0, ""); n != 0 || err != nil {
		t.Errorf("after the end was told: %d, %v", n, err)
	}
}

// waits: an alert with a wait is not claimed before.
func waits(t *testing.T, k Kind) {
	s := own(t, k)
	a, b := alert(1, 1, "hook"), alert(2, 1, "hook")
	a.Wait, a.Terms, b.Wait = time.Hour, "t", time.Nanosecond
	s.alert(a, b)
	got := soon(t, func() ([]store.OutboxRow, error) { return s.claim(longLease), nil })
	if len(got) != 1 || got[0].Incident != b.Incident {
		t.Errorf("%+v", got)
	}
	rows, _, err := s.ListOutbox(t.Context(), store.OutboxFilter{Incident: a.Incident})
	if err != nil || len(rows) != 1 || rows[0].Terms != "t" || (rows[0].NotBefore-rows[0].Created-int64(time.Hour))/int64(time.Second) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
}
