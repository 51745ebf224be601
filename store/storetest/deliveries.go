// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
	"tocsin/store"
)

func markOfDelivery(d store.Delivery) string { return d.Mark }

// deliveries: what became of each attempt comes once and in order, also of those at one alert, and nothing of what was no attempt.
func deliveries(t *testing.T, k Kind) {
	s, ctx := own(t, k), t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mark, err := s.LastDelivery(ctx)
	ok(err)
	first := mark
	var all []string
	read := func(limit int, want ...string) {
		t.Helper()
		var got []string
		for _, d := range readOn(t, &mark, limit, len(want), s.Deliveries, markOfDelivery) {
			got = append(got, fmt.Sprintf("%s: %s %d %s", d.Receiver, d.Outcome, d.Attempt, d.Why))
			if d.Time == 0 || d.Incident != id(anIncident, 1) || d.Revision != 1 || d.Kind != "opened" {
				t.Errorf("%+v", d)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		all = append(all, want...)
	}
	s.alert(alert(1, 1, "hook"), alert(1, 1, "mail"), alert(1, 1, "pager"))
	claimed := s.claim(longLease)
	hook, mail, pager := claimed[0].ID, claimed[1].ID, claimed[2].ID
	again := func(alert int64, attempt int) {
		t.Helper()
		if rows := s.claim(longLease); len(rows) != 1 || rows[0].ID != alert || rows[0].Attempts != attempt {
			t.Fatalf("claimed is %+v", rows)
		}
	}
	ok(s.OutboxRetry(ctx, hook, 1, -time.Second, "503\x00"))
	again(hook, 2)
	ok(s.OutboxRetry(ctx, hook, 1, 0, "it was claimed again"))
	ok(s.OutboxRetry(ctx, hook, 2, -time.Second, "503"))
	ok(s.OutboxSilence(ctx, mail, 1, "silence x", -time.Second, false))
	again(hook, 3)
	ok(s.OutboxSent(ctx, hook))
	ok(s.OutboxSent(ctx, hook)) // whoever else claimed it
	read(2, "hook: retry 1 503\uFFFD", "hook: retry 2 503", "mail: silenced 1 silence x", "hook: sent 3 ")
	// What silences it still does; then something else, and then for good.
	for _, by := range []string{"silence x", "silence y", "silence y"} {
		ok(s.OutboxWake(ctx, "nothing"))
		attempt := s.claim(longLease)[0].Attempts
		ok(s.OutboxSilence(ctx, mail, attempt, by, -time.Second, attempt == 4))
	}
	read(2, "mail: silenced 3 silence y", "mail: silenced 4 silence y")
	// One that is not tried is no delivery, nor is one that is revived.
	ok(s.OutboxPutOff(ctx, pager, 1, -time.Second, "many wait before it"))
	again(pager, 2)
	ok(s.OutboxDead(ctx, pager, 2, "410"))
	ok(s.OutboxRevive(ctx, pager))
	again(pager, 3)
	ok(s.OutboxKeep(ctx, pager, store.Told{Incident: id(anIncident, 1), Receiver: "pager", Revision: 1, Kind: "opened"}))
	read(2, "pager: dead 2 410", "pager: sent 3 ")
	last, err := s.LastDelivery(ctx)
	if err != nil || last != mark {
		t.Errorf("the last is %s, %v, want %s", last, err, mark)
	}
	read(2)
	mark = first
	read(3, all...)
	for bad, want := range map[string]error{"": incident.ErrBadCursor, "x.": incident.ErrBadCursor, "9223372036854775806.": incident.ErrUnknownMark} {
		if _, err := s.Deliveries(ctx, bad, 1); !is(err, want) {
			t.Errorf("after %q: %v, want %v", bad, err, want)
		}
	}
}

// deliveriesOfMany: senders at once; who reads meanwhile hears of each attempt once, and of those at one alert in order.
func deliveriesOfMany(t *testing.T, k Kind) {
	const senders, each = 4, 8
	s := own(t, k)
	mark, err := s.LastDelivery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range senders {
		s.alert(alert(n, 1, "hook"))
	}
	heard, left := make(map[int64][]int), senders*each
	read := func() {
		for {
			got, err := s.Deliveries(t.Context(), mark, 4)
			if err != nil {
				t.Error(err)
				return
			}
			if len(got) == 0 {
				return
			}
			for _, d := range got {
				heard[d.Alert], mark, left = append(heard[d.Alert], d.Attempt), d.Mark, left-1
			}
		}
	}
	var wg sync.WaitGroup
	var sent atomic.Int32
	for range senders {
		wg.Go(func() {
			for sent.Load() < senders && !t.Failed() {
				rows, err := s.ClaimOutbox(t.Context(), "sender", 1, longLease)
				if err == nil && len(rows) > 0 && rows[0].Attempts < each {
					err = s.OutboxRetry(t.Context(), rows[0].ID, rows[0].Attempts, -time.Second, "503")
				} else if err == nil && len(rows) > 0 {
					err = s.OutboxSent(t.Context(), rows[0].ID)
					sent.Add(1)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	readWhile(&wg, read)
	// What others in the same database have under way holds the last of ours back, no longer than it lasts.
	for end := time.Now().Add(patience); left > 0 && time.Now().Before(end) && !t.Failed(); {
		read()
	}
	var want []int
	for n := range each {
		want = append(want, n+1)
	}
	for alert, got := range heard {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("alert %d: %s", alert, diff)
		}
	}
	if len(heard) != senders {
		t.Errorf("%d alerts are told of", len(heard))
	}
}
