// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/event"
	"tocsin/incident"
)

// lokiWorld is an outbox, a router and a Loki, in a bubble of its own time.
type lokiWorld struct {
	t      *testing.T
	config Config
	router *Router
	outbox *memory
	loki   *lokitest.Server
	net    *lokitest.Network

	mu   sync.Mutex
	told int
}

func newLokiWorld(t *testing.T) *lokiWorld {
	t.Helper()
	w := &lokiWorld{t: t, outbox: &memory{}, loki: lokitest.New(t)}
	w.config = Config{Receivers: []Receiver{{
		Name: "logs", Type: Loki, URL: "http://loki:3100", Tenant: "soc", Token: "hush", Detections: true,
	}}}
	w.loki.Tenant, w.loki.Authorization = "soc", "Bearer hush"
	var err error
	if w.router, err = NewRouter(w.config, ""); err != nil {
		t.Fatal(err)
	}
	var stop func()
	w.net, stop = lokitest.Serve(w.loki)
	t.Cleanup(stop)
	return w
}

// tell puts the alerts of a change into the outbox. Each changes another incident, of one of two severities.
func (w *lokiWorld) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told++
	v := incident.View{
		ID: fmt.Sprintf("%032x", w.told%5), Revision: int64(w.told), Severity: []string{"high", "low"}[w.told%2],
		Rule: incident.RuleView{ID: "shell"}, Sources: []string{"falco"}, UpdatedAt: event.Stamp(time.Now().UnixNano()),
		Detections: []incident.DetectionView{{ID: fmt.Sprintf("%032x", 1000+w.told)}},
	}
	as, err := w.router.Alerts(v, incident.Opened, v.Detections[0].ID)
	if err != nil || len(as) != 2 {
		w.t.Errorf("%d alerts, %v", len(as), err)
	}
	w.outbox.tell(as)
}

// deliver runs a process for a span, or until so many alerts are sent.
func (w *lokiWorld) deliver(span time.Duration, enough ...int) {
	d, err := NewDeliverer(w.config, w.outbox, io.Discard, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		w.t.Error(err)
		return
	}
	transport := &http.Transport{DialContext: w.net.DialContext}
	defer transport.CloseIdleConnections()
	d.senders["logs"].(*loki).client.Transport = transport
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	time.AfterFunc(span, cancel)
	if len(enough) > 0 {
		var check func()
		check = func() {
			if w.outbox.states()["sent"] >= enough[0] {
				cancel()
			} else if ctx.Err() == nil {
				time.AfterFunc(time.Minute, check)
			}
		}
		check()
	}
	if err := d.Run(ctx); err != nil {
		w.t.Error(err)
	}
}

// verdict says what is wrong with what Loki has: each alert that was sent is there once, in the order of the outbox,
// with a time that does not go back.
func (w *lokiWorld) verdict() string {
	var got []string
	var last time.Time
	for _, e := range w.loki.Entries() {
		for _, m := range e.Metadata {
			if m.Name == "alert_key" {
				got = append(got, m.Value)
			}
		}
		if e.Time.Before(last) {
			return fmt.Sprintf("the entry of %v came after that of %v", e.Time, last)
		}
		last = e.Time
	}
	if diff := cmp.Diff(w.outbox.keys("sent"), got); diff != "" {
		return "entries (-sent +in Loki):\n" + diff
	}
	if refused := w.loki.Refused(); len(refused) > 0 {
		return "refused: " + strings.Join(refused, "\n")
	}
	return ""
}

// Loki's receiver survives outage, 429 and 5xx without a lost or reordered entry (issue 3).
func TestLokiSurvives(t *testing.T) {
	t.Parallel()
	n := func(n int, a lokitest.Answer) []lokitest.Answer {
		out := make([]lokitest.Answer, n)
		for i := range out {
			out[i] = a
		}
		return out
	}
	tests := []struct {
		name   string
		script []lokitest.Answer
		// quiet is how long after its first answer Loki must not be asked again, repeated how many entries come twice.
		quiet    time.Duration
		repeated int
	}{
		{"nothing", nil, 0, 0},
		{"429", n(5, lokitest.Answer{Status: 429}), 0, 0},
		{"429 with Retry-After", n(1, lokitest.Answer{Status: 429, RetryAfter: "600"}), 10 * time.Minute, 0},
		{"503 with a date", n(1, lokitest.Answer{Status: 503, RetryAfter: "Sat, 01 Jan 2000 00:20:00 GMT"}), 19 * time.Minute, 0},
		{"500", n(8, lokitest.Answer{Status: 500}), 0, 0},
		{"a timeout", n(3, lokitest.Answer{Hang: true}), 0, 0},
		{"connections break", n(4, lokitest.Answer{Cut: true}), 0, 0},
		{"answers are lost", n(4, lokitest.Answer{Lost: true}), 0, 4},
		{"a login page", n(2, lokitest.Answer{Status: 200, Body: "<html>"}), 0, 0},
		{"a redirect", n(2, lokitest.Answer{Status: 302}), 0, 0},
		{"all of it", append(append(n(2, lokitest.Answer{Status: 502}), n(2, lokitest.Answer{Lost: true})...), n(2, lokitest.Answer{Status: 429})...), 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newLokiWorld(t)
				w.loki.Script(tt.script...)
				for i := range 20 {
					time.AfterFunc(time.Duration(i)*7*time.Second, w.tell)
				}
				w.deliver(2*time.Hour, 40)
				if diff := cmp.Diff(map[string]int{"sent": 40}, w.outbox.states()); diff != "" {
					t.Error(diff)
				}
				if wrong := w.verdict(); wrong != "" {
					t.Error(wrong)
				}
				at := w.loki.Pushes()
				if len(at) != 40+len(tt.script) || w.loki.Repeated() != tt.repeated {
					t.Errorf("%d pushes, %d repeated", len(at), w.loki.Repeated())
				}
				if wait := at[1].Sub(at[0]); wait < tt.quiet {
					t.Errorf("asked again after %v, want at least %v", wait, tt.quiet)
				}
			})
		})
	}
}

// An outage longer than an hour is where order decides: an entry an hour behind its stream is refused for good.
func TestLokiSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLokiWorld(t)
		w.net.Down()
		time.AfterFunc(5*time.Hour, w.net.Up)
		for i := range 100 { // two alerts each: more than a lane holds
			time.AfterFunc(time.Duration(i)*3*time.Minute, w.tell)
		}
		w.deliver(6*time.Hour, 200)
		if diff := cmp.Diff(map[string]int{"sent": 200}, w.outbox.states()); diff != "" {
			t.Error(diff)
		}
		if wrong := w.verdict(); wrong != "" {
			t.Error(wrong)
		}
		if n := w.net.Dials(); n > 600 {
			t.Errorf("%d connections were tried in an outage of five hours", n)
		}
	})
}

// What is older than a day when Loki is still away is dead, soon and without an attempt each; the rest arrives.
func TestLokiAwayForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLokiWorld(t)
		w.net.Down()
		for range 30 {
			w.tell()
		}
		time.AfterFunc(10*time.Hour, w.tell)
		time.AfterFunc(maxAge+20*time.Minute, func() {
			if diff := cmp.Diff(map[string]int{"dead": 60, "pending": 2}, w.outbox.states()); diff != "" {
				t.Error(diff)
			}
			w.net.Up()
		})
		w.deliver(maxAge + time.Hour)
		if diff := cmp.Diff(map[string]int{"dead": 60, "sent": 2}, w.outbox.states()); diff != "" {
			t.Error(diff)
		}
		if wrong := w.verdict(); wrong != "" {
			t.Error(wrong)
		}
		// Somebody revives one: it is not put behind what Loki has.
		w.outbox.revive(7)
		w.deliver(time.Minute)
		if len(w.loki.Entries()) != 3 || len(w.loki.Refused()) != 0 {
			t.Errorf("%d entries, %v", len(w.loki.Entries()), w.loki.Refused())
		}
	})
}

// What Loki refuses for good is dead, says why, and holds nobody up.
func TestLokiRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLokiWorld(t)
		for range 3 {
			w.tell()
		}
		w.outbox.rows[1].Created = time.Now().Add(-8 * 24 * time.Hour) // older than Loki takes
		w.loki.Script(lokitest.Answer{}, lokitest.Answer{}, lokitest.Answer{Status: 400, Body: "parse error\nof \x00 hush"}, lokitest.Answer{Status: 413})
		w.deliver(time.Minute)
		states := w.outbox.states()
		if diff := cmp.Diff(map[string]int{"dead": 2, "sent": 4}, states); diff != "" {
			t.Fatal(diff)
		}
		if r := w.outbox.rows[2].reason; r != "refused for good: answered 400 Bad Request: parse error of  xxxxx" {
			t.Errorf("the reason is %q", r)
		}
		if r := w.outbox.rows[3].reason; r != "refused for good: answered 413 Request Entity Too Large" {
			t.Errorf("the reason is %q", r)
		}
		// The one whose time is behind that of the stream before it was put after it.
		if wrong := w.verdict(); wrong != "" {
			t.Error(wrong)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newLokiWorld(t)
		w.tell()
		w.outbox.rows[0].Created = time.Now().Add(-8 * 24 * time.Hour)
		w.deliver(time.Minute)
		if diff := cmp.Diff(map[string]int{"dead": 1, "sent": 1}, w.outbox.states()); diff != "" {
			t.Error(diff)
		}
		if r := w.outbox.rows[0].reason; !strings.Contains(r, "timestamp too old") {
			t.Errorf("the reason is %q", r)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newLokiWorld(t)
		w.loki.Authorization = "Bearer other"
		w.tell()
		w.deliver(time.Minute)
		if diff := cmp.Diff(map[string]int{"dead": 2}, w.outbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// Whatever Loki does, however often processes end and start, and with two at once: nothing that was not refused is
// lost, and nothing is reordered.
func TestLokiSurvivesAnything(t *testing.T) {
	answer := rapid.SampledFrom([]lokitest.Answer{
		{}, {Status: 429, RetryAfter: "90"}, {Status: 429}, {Status: 500}, {Status: 503, RetryAfter: "4000"}, {Hang: true}, {Lost: true}, {Cut: true}, {Status: 200},
	})
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(answer, 0, 30).Draw(rt, "script")
		at := rapid.SliceOfN(rapid.IntRange(0, 5_000), 1, 20).Draw(rt, "told after")
		outages := rapid.SliceOfN(rapid.IntRange(0, 5_000), 0, 4).Draw(rt, "outages")
		runs := rapid.SliceOfN(rapid.IntRange(1, 8_000), 0, 4).Draw(rt, "restarts after")
		processes := rapid.IntRange(1, 2).Draw(rt, "processes")
		var wrong string
		synctest.Test(t, func(t *testing.T) {
			w := newLokiWorld(t)
			w.loki.Script(script...)
			for _, s := range at {
				time.AfterFunc(time.Duration(s)*time.Second, w.tell)
			}
			for _, s := range outages {
				time.AfterFunc(time.Duration(s)*time.Second, w.net.Down)
				time.AfterFunc(time.Duration(s)*time.Second+20*time.Minute, w.net.Up)
			}
			var wg sync.WaitGroup
			for range processes {
				wg.Go(func() {
					for _, s := range runs {
						w.deliver(time.Duration(s)*time.Second, 2*len(at))
					}
					w.deliver(20*time.Hour, 2*len(at))
				})
			}
			wg.Wait()
			if n := w.outbox.states()["sent"]; n != 2*len(at) {
				wrong = fmt.Sprintf("%v of %d", w.outbox.states(), 2*len(at))
				return
			}
			wrong = w.verdict()
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
