// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"
)

// Two replicas with one slow receiver: what waits in a lane longer than its claim is the other one's.
func TestReplicasSendEachAlertOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, p := &memory{}, &person{start: time.Now(), slow: 9 * time.Second}
		for i := range 60 {
			m.add(fmt.Sprintf("i%d", i), 1, "a")
		}
		var wg sync.WaitGroup
		for range 2 {
			d, _ := testDeliverer(m, map[string]sender{"a": p})
			wg.Go(func() { runFor(t, d, 20*time.Minute) })
		}
		wg.Wait()
		if len(p.got) != 60 || m.states()["sent"] != 60 {
			t.Errorf("%d deliveries of 60 alerts, %v", len(p.got), m.states())
		}
	})
}

// Claims of what waits for a receiver end and are made again; a lane holds each alert once all the same.
func TestALaneHoldsEachAlertOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		p := &person{start: time.Now(), answer: func(int, Item) error { return &retryLater{30 * time.Minute, errors.New("answered 503")} }}
		for i := range 100 {
			m.add(fmt.Sprintf("i%d", i), 1, "a")
		}
		d, _ := testDeliverer(m, map[string]sender{"a": p})
		time.AfterFunc(25*time.Minute, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, r := range m.rows {
				if strings.Contains(r.reason, "wait before it") {
					t.Errorf("%s found no place in a lane with room for all", r.Key())
				}
			}
		})
		runFor(t, d, 26*time.Minute)
	})
}

// A receiver that never comes back leaves nothing pending long after the greatest age.
func TestABacklogEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		p := &person{start: time.Now(), answer: func(int, Item) error { return errors.New("connection refused") }}
		for i := range 100 {
			m.add(fmt.Sprintf("i%d", i), 1, "a")
		}
		d, _ := testDeliverer(m, map[string]sender{"a": p})
		runFor(t, d, maxAge+30*time.Minute)
		if diff := cmp.Diff(map[string]int{"dead": 100}, m.states()); diff != "" {
			t.Error(diff)
		}
		for _, r := range m.rows {
			if r.reason != "connection refused" {
				t.Errorf("%s is dead of %q", r.Key(), r.reason)
			}
		}
	})
}

// TestARateIsKept, and costs only what is sent: what is silenced is out of the way at once.
func TestARateIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.d.rates["a"] = rate.NewLimiter(rate.Every(2*time.Second), 1)
		for n := range 10 {
			w.tell(shell(2*n, 1), Opened, Terms{})
		}
		start := time.Now()
		runFor(t, w.d, time.Minute)
		if took := w.p.at[len(w.p.at)-1] - start.Sub(w.p.start); len(w.p.got) != 10 || took < 15*time.Second || took > 25*time.Second {
			t.Errorf("%d alerts in %v", len(w.p.got), took)
		}
		w.m.silences = []Silence{quiet(`rule="shell"`)}
		for n := range 100 {
			w.tell(shell(1000+n, 1), Opened, Terms{})
		}
		runFor(t, w.d, 10*time.Second)
		if w.m.states()["silenced"] != 100 {
			t.Error(w.m.states())
		}
	})
}
