// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func testDeliverer(m outbox, senders map[string]sender) (*Deliverer, *prometheus.Registry) {
	reg := prometheus.NewRegistry()
	d, err := NewDeliverer(Config{}, m, io.Discard, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		panic(err)
	}
	d.senders = senders
	return d, reg
}

// runFor runs the deliverer for a span of the bubble's time and waits for its end.
func runFor(t *testing.T, d *Deliverer, span time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // as a signal does
	defer cancel()
	time.AfterFunc(span, cancel)
	if err := d.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestEachAlertIsSentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, p := &memory{}, &person{start: time.Now()}
		for i := range 200 {
			m.add(fmt.Sprintf("i%d", i%50), int64(i), "a")
		}
		d, reg := testDeliverer(m, map[string]sender{"a": p})
		runFor(t, d, time.Minute)
		if diff := cmp.Diff(map[string]int{"sent": 200}, m.states()); diff != "" {
			t.Error(diff)
		}
		seen := make(map[string]bool)
		last := make(map[string]int64)
		for _, key := range p.got {
			var revision int64
			incident, rest, _ := strings.Cut(key, ":a:")
			_, _ = fmt.Sscan(rest, &revision)
			if seen[key] || revision < last[incident] {
				t.Errorf("%s came again, or after a later revision", key)
			}
			seen[key], last[incident] = true, revision
		}
		families, err := reg.Gather()
		if err != nil || len(families) != 2 || len(families[0].GetMetric()) != 1 || families[0].GetMetric()[0].GetCounter().GetValue() != 200 {
			t.Errorf("the metrics are %v, %v; want 200 deliveries of one receiver and outcome", families, err)
		}
	})
}

// A receiver that takes ten seconds for each of a hundred alerts costs the others nothing.
func TestASlowReceiverStallsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		slow, quick := &person{start: time.Now(), slow: 9 * time.Second}, &person{start: time.Now()}
		for i := range 100 {
			m.add(fmt.Sprintf("s%d", i), 1, "slow")
		}
		d, _ := testDeliverer(m, map[string]sender{"slow": slow, "quick": quick})
		time.AfterFunc(20*time.Second, func() { m.add("q", 1, "quick") })
		runFor(t, d, 30*time.Second)
		if len(quick.got) != 1 || quick.at[0] > 22*time.Second {
			t.Errorf("the quick one heard %v at %v, want it within two seconds of 20s", quick.got, quick.at)
		}
	})
}

// A receiver that is down for an hour gets few attempts, gets all alerts soon after, each once, and costs the others nothing.
func TestAReceiverThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		up := time.Now().Add(time.Hour)
		tries := 0
		down := &person{start: time.Now(), answer: func(int, Item) error {
			if time.Now().Before(up) {
				tries++
				return errors.New("connection refused")
			}
			return nil
		}}
		other := &person{start: time.Now()}
		for i := range 300 {
			m.add(fmt.Sprintf("d%d", i), 1, "down")
		}
		m.add("o", 1, "other")
		d, _ := testDeliverer(m, map[string]sender{"down": down, "other": other})
		runFor(t, d, time.Hour+15*time.Minute)
		if diff := cmp.Diff(map[string]int{"sent": 301}, m.states()); diff != "" {
			t.Error(diff)
		}
		if tries > 200 {
			t.Errorf("%d attempts in an hour of being down", tries)
		}
		if n := len(down.got) - tries; n != 300 {
			t.Errorf("%d alerts were taken, want each of 300 once", n)
		}
		if len(other.at) != 1 || other.at[0] > 2*time.Second {
			t.Errorf("the other one heard at %v", other.at)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		p := &person{start: time.Now(), answer: func(n int, _ Item) error {
			if n == 1 {
				return &retryLater{10 * time.Minute, errors.New("answered 429")}
			}
			return nil
		}}
		m.add("i", 1, "a")
		m.add("j", 1, "a") // another alert would be as unwelcome
		d, _ := testDeliverer(m, map[string]sender{"a": p})
		runFor(t, d, 20*time.Minute)
		if len(p.at) != 3 || p.at[1] < 10*time.Minute || p.at[2] < 10*time.Minute || m.states()["sent"] != 2 {
			t.Errorf("attempts at %v, states %v", p.at, m.states())
		}
	})
}

func TestWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer error
		want   map[string]int
		soon   bool
	}{
		{"a refusal for good is dead at once", fmt.Errorf("%w: answered 400", errPermanent), map[string]int{"dead": 1}, true},
		{"a failure is dead after a day", errors.New("answered 500"), map[string]int{"dead": 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, p := &memory{}, &person{start: time.Now(), answer: func(int, Item) error { return tt.answer }}
				m.add("i", 1, "a")
				d, _ := testDeliverer(m, map[string]sender{"a": p})
				runFor(t, d, 23*time.Hour)
				if dead := m.states()["dead"] == 1; dead != tt.soon {
					t.Errorf("after 23 hours: %v", m.states())
				}
				runFor(t, d, 2*time.Hour)
				if diff := cmp.Diff(tt.want, m.states()); diff != "" {
					t.Error(diff)
				}
				if m.rows[0].reason == "" || m.rows[0].off || tt.soon && len(p.got) != 1 {
					t.Errorf("%d attempts, reason %q", len(p.got), m.rows[0].reason)
				}
			})
		})
	}
}

// While replicas are replaced, one may not know a receiver yet that another one has written alerts for.
func TestAnUnknownReceiverIsNoReasonToGiveUpAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add("i", 1, "new")
		old, _ := testDeliverer(m, map[string]sender{"a": &person{}})
		runFor(t, old, time.Minute)
		if m.states()["pending"] != 1 || !strings.Contains(m.rows[0].reason, `"new"`) || !m.rows[0].off {
			t.Fatalf("%v, %q", m.states(), m.rows[0].reason)
		}
		p := &person{}
		next, _ := testDeliverer(m, map[string]sender{"a": &person{}, "new": p})
		runFor(t, next, 10*time.Minute)
		if len(p.got) != 1 || m.states()["sent"] != 1 {
			t.Errorf("%v, %v", p.got, m.states())
		}
	})
}

// What a receiver took is written down also when the store comes back only later: it must not come twice.
func TestAStoreThatIsDownCostsNoSecondDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, p := &memory{down: true}, &person{start: time.Now()}
		m.add("i", 1, "a")
		d, _ := testDeliverer(m, map[string]sender{"a": p})
		time.AfterFunc(30*time.Second, func() { m.mu.Lock(); m.down = false; m.mu.Unlock() })
		runFor(t, d, time.Hour)
		if len(p.got) != 1 || m.states()["sent"] != 1 {
			t.Errorf("%d deliveries, %v", len(p.got), m.states())
		}
	})
}

// A stop lets the request under way end, writes down how, and gives back what was only claimed.
func TestAStopGivesBackWhatWasClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, p := &memory{}, &person{start: time.Now(), slow: 4 * time.Second}
		for i := range 10 {
			m.add(fmt.Sprintf("i%d", i), 1, "a")
		}
		d, _ := testDeliverer(m, map[string]sender{"a": p})
		start := time.Now()
		runFor(t, d, time.Second)
		if took := time.Since(start); took > timeout+2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if len(p.got) != 1 || m.states()["sent"] != 1 {
			t.Errorf("%v, %v", p.got, m.states())
		}
		for _, r := range m.rows {
			if r.state == "pending" && (r.leased.After(time.Now()) || r.due.After(time.Now())) {
				t.Errorf("%s is kept from the next process", r.Key())
			}
		}
	})
}

func TestPrinterWritesWholeLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := (printer{mu: &mu, out: &out}).send(t.Context(), Item{Body: []byte(`{"a":1}`)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if out.String() != strings.Repeat("{\"a\":1}\n", 20) {
		t.Error(out.String())
	}
}

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for n := -1; n < 100; n++ {
		if d := backoff(n, 0.999999); d < 0 || d >= maxDelay || n > 9 && d < maxDelay*9/10 || n <= 1 && d > firstDelay {
			t.Errorf("backoff(%d) = %v", n, d)
		}
		if d := backoff(n, 0); d != 0 {
			t.Errorf("backoff(%d, 0) = %v", n, d)
		}
	}
}
