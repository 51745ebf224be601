// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/incident"
)

// quietWorld is an outbox whose incidents are open or not, and a receiver.
type quietWorld struct {
	t *testing.T
	m *memory
	p *person
	d *Deliverer
}

func newQuietWorld(t *testing.T, c Config) *quietWorld {
	t.Helper()
	w := &quietWorld{t: t, m: &memory{views: make(map[string]incident.View)}, p: &person{start: time.Now()}}
	c.Receivers = []Receiver{{Name: "a", Type: Stdout}}
	var err error
	if w.d, err = NewDeliverer(c, w.m, io.Discard, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	w.d.senders = map[string]sender{"a": w.p}
	return w
}

// tell makes something of an incident: it is there, and its alert is in the outbox.
func (w *quietWorld) tell(v incident.View, kind Kind, terms Terms) {
	w.t.Helper()
	if kind.over() {
		v.Status = incident.Closed
	}
	body, err := Body(Message{Kind: kind, Receiver: "a", Incident: v})
	if err != nil {
		w.t.Fatal(err)
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.views[v.ID] = v
	w.m.put(Item{Incident: v.ID, Revision: v.Revision, Receiver: "a", Kind: kind, Body: body, Terms: terms})
}

func shell(n int, revision int64) incident.View {
	return incident.View{
		ID: fmt.Sprintf("%032x", n), Revision: revision, Status: incident.New, Severity: "high", Rule: incident.RuleView{ID: "shell"},
		Entities: []incident.Entity{{Type: "host", Name: fmt.Sprint("h", n%2)}},
	}
}

// quiet is a silence of an hour.
func quiet(matcher string) Silence {
	return Silence{ID: strings.Repeat("a", 32), Matchers: []string{matcher}, Ends: time.Now().Add(time.Hour)}
}

// TestASilence holds what waits, and what it held back is told when it ends, as the incident is by then; if that is over nobody is told.
func TestASilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.m.silences = []Silence{quiet(`rule="shell"`)}
		w.tell(shell(1, 1), Opened, Terms{})
		w.tell(shell(2, 1), Opened, Terms{})
		other := shell(3, 1)
		other.Rule.ID = "else"
		w.tell(other, Opened, Terms{})
		runFor(t, w.d, time.Minute)
		if diff := cmp.Diff(map[string]int{"silenced": 2, "sent": 1}, w.m.states()); diff != "" {
			t.Fatal(diff)
		}
		if by := w.m.rows[0].SilencedBy; by != "silence "+strings.Repeat("a", 32) {
			t.Errorf("silenced by %q", by)
		}
		w.tell(shell(2, 2), Closed, Terms{}) // while nobody hears, and nobody heard that it opened
		grown := shell(1, 3)
		grown.EventCount = 42
		w.m.views[grown.ID] = grown
		runFor(t, w.d, 2*time.Hour)
		if diff := cmp.Diff(map[string]int{"silenced": 2, "sent": 2}, w.m.states()); diff != "" {
			t.Fatal(diff)
		}
		if got := w.p.got; len(got) != 2 || got[1] != shell(1, 1).ID+":a:1" || w.p.at[1] < time.Hour || w.p.at[1] > time.Hour+time.Minute {
			t.Errorf("told %v at %v", got, w.p.at)
		}
		var said struct {
			ID   string
			Data struct {
				Events int64 `json:"event_count"`
			}
		}
		if err := json.Unmarshal(w.m.rows[0].Body, &said); err != nil || said.Data.Events != 42 || said.ID != shell(1, 1).ID+":a:1" {
			t.Errorf("it was told as it was: %s, %v", w.m.rows[0].Body, err)
		}
	})
}

// TestWhoHeardOfItHearsOfItsEnd, silence or not.
func TestWhoHeardOfItHearsOfItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		w.m.silences = []Silence{quiet(`rule="shell"`)}
		w.tell(shell(1, 2), Reminded, Terms{})
		w.tell(shell(1, 3), Closed, Terms{})
		runFor(t, w.d, time.Minute)
		if diff := cmp.Diff(map[string]int{"silenced": 1, "sent": 2}, w.m.states()); diff != "" || w.m.rows[2].state != "sent" {
			t.Error(diff)
		}
	})
}

// TestAfterALongSilence: what was silenced for longer than an alert is tried has all of that time still, also where another one
// fails before it, and is told.
func TestAfterALongSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		long := quiet(`rule="shell"`)
		long.Ends = time.Now().Add(25 * time.Hour)
		w.m.silences = []Silence{long}
		w.tell(shell(1, 1), Opened, Terms{})
		w.tell(shell(2, 1), Detected, Terms{})
		w.tell(shell(3, 1), Opened, Terms{})
		failing := true
		w.p.answer = func(int, Item) error {
			if failing {
				return fmt.Errorf("503")
			}
			return nil
		}
		runFor(t, w.d, 26*time.Hour)
		failing = false
		runFor(t, w.d, 2*time.Hour)
		if diff := cmp.Diff(map[string]int{"sent": 3}, w.m.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestASilenceThatIsExpired while it is noted what it holds: a later look finds it gone.
func TestASilenceThatIsExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		long := quiet(`rule="shell"`)
		long.Ends = time.Now().Add(30 * 24 * time.Hour)
		w.m.silences = []Silence{long}
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		w.m.silences = nil
		runFor(t, w.d, time.Hour)
		if w.m.states()["sent"] != 1 {
			t.Error(w.m.states())
		}
	})
}

// TestAnEndWithoutABody is told to who heard of the beginning, as the incident is; who is not configured any more is let alone.
func TestAnEndWithoutABody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		closed := shell(1, 1)
		closed.Status = incident.Closed
		w.m.mu.Lock()
		w.m.views[closed.ID] = closed
		w.m.put(Item{Incident: closed.ID, Revision: 2, Receiver: "a", Kind: Closed})
		w.m.put(Item{Incident: closed.ID, Revision: 2, Receiver: "gone", Kind: Closed})
		w.m.mu.Unlock()
		runFor(t, w.d, 25*time.Hour)
		if diff := cmp.Diff(map[string]int{"sent": 2, "silenced": 1}, w.m.states()); diff != "" {
			t.Error(diff)
		}
		if a, err := readAbout(w.m.rows[1].Body, ""); err != nil || a.Kind != Closed || a.Status != incident.Closed {
			t.Errorf("%s, %v", w.m.rows[1].Body, err)
		}
	})
}

// TestNoEndWithoutABeginning: an incident that is over when its silence ends is not told of, whichever comes first.
func TestNoEndWithoutABeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.m.silences = []Silence{quiet(`rule="shell"`)}
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		w.m.silences = nil
		w.tell(shell(1, 2), Closed, Terms{})
		w.tell(shell(2, 1), Retracted, Terms{}) // nothing of it was held back
		runFor(t, w.d, 2*time.Hour)
		if diff := cmp.Diff(map[string]int{"silenced": 2, "sent": 1}, w.m.states()); diff != "" || len(w.p.got) != 1 || w.p.got[0] != shell(2, 1).ID+":a:1" {
			t.Error(diff, w.p.got)
		}
	})
}

// TestASilenceMadeNow holds an alert that waits for a receiver that is down.
func TestASilenceMadeNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		w.p.answer = func(int, Item) error { return fmt.Errorf("refused") }
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, 10*time.Minute)
		w.m.silences = []Silence{quiet(`host="h1"`)}
		w.p.answer = nil
		runFor(t, w.d, 10*time.Minute)
		if w.m.states()["silenced"] != 1 {
			t.Error(w.m.states())
		}
	})
}

// TestMutedRoutes: an alert waits for the end of the times that its route is closed in.
func TestMutedRoutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // a bubble begins at midnight
		w := newQuietWorld(t, Config{MuteTimeIntervals: []MuteTimes{{Name: "nights", TimeIntervals: []TimeInterval{{Times: []TimeRange{{"00:00", "06:00"}}}}}}})
		w.tell(shell(1, 1), Opened, Terms{Mutes: []string{"nights"}})
		w.tell(shell(2, 1), Opened, Terms{Mutes: []string{"times that there are not any more"}})
		runFor(t, w.d, 5*time.Hour)
		if diff := cmp.Diff(map[string]int{"silenced": 1, "sent": 1}, w.m.states()); diff != "" || w.m.rows[0].SilencedBy != "mute time nights" {
			t.Fatal(diff, w.m.rows[0].SilencedBy)
		}
		runFor(t, w.d, 2*time.Hour)
		if len(w.p.got) != 2 || w.p.at[1] < 6*time.Hour || w.p.at[1] > 6*time.Hour+5*time.Second {
			t.Errorf("told at %v", w.p.at)
		}
	})
}

// TestInhibition: an incident waits while one that is worse is open on the same host.
func TestInhibition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{InhibitRules: []InhibitRule{{
			SourceMatchers: []string{`severity="critical"`}, TargetMatchers: []string{`severity="high"`}, Equal: []string{"host", "user"},
		}}})
		worse := shell(1, 1)
		worse.Severity = "critical"
		w.tell(worse, Opened, Terms{})
		w.tell(shell(2, 1), Opened, Terms{}) // on another host
		w.tell(shell(3, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		if diff := cmp.Diff(map[string]int{"silenced": 1, "sent": 2}, w.m.states()); diff != "" || w.m.rows[2].SilencedBy != "incident "+worse.ID {
			t.Fatal(diff, w.m.rows[2].SilencedBy)
		}
		// As long as it is open nothing else is to be seen.
		looks := w.m.looks
		runFor(t, w.d, 5*time.Minute)
		if w.m.looks != looks || w.m.rows[2].Attempt != 1 {
			t.Errorf("the open incidents were read %d times more, and the alert claimed %d times", w.m.looks-looks, w.m.rows[2].Attempt)
		}
		worse.Revision = 2
		w.tell(worse, Closed, Terms{})
		runFor(t, w.d, 5*time.Second)
		if diff := cmp.Diff(map[string]int{"sent": 4}, w.m.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestInhibitionHasOneClock: what was looked at before an incident opened says nothing of it, however far the store's clock is behind.
func TestInhibitionHasOneClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{InhibitRules: []InhibitRule{{SourceMatchers: []string{`severity="critical"`}, TargetMatchers: []string{`severity="high"`}, Equal: []string{"host"}}}})
		w.m.behind = 10 * time.Second
		w.tell(shell(2, 1), Opened, Terms{}) // the open incidents are looked at
		time.AfterFunc(300*time.Millisecond, func() {
			worse := shell(1, 1)
			worse.Severity = "critical"
			w.tell(worse, Opened, Terms{})
			w.tell(shell(3, 1), Opened, Terms{})
		})
		runFor(t, w.d, time.Minute)
		if diff := cmp.Diff(map[string]int{"silenced": 1, "sent": 2}, w.m.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestARewriteThatCameTooLate: whoever has the alert by now tells it; two would say two things under one key.
func TestARewriteThatCameTooLate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*kept){"claimed": func(r *kept) { r.Attempt++ }, "gone": func(r *kept) { r.state = "dead" }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newQuietWorld(t, Config{})
				w.tell(shell(1, 1), Opened, Terms{Anew: true})
				w.m.beforeRewrite = change
				runFor(t, w.d, time.Minute)
				if len(w.p.got) != 0 {
					t.Errorf("told %v", w.p.got)
				}
			})
		})
	}
}

// TestNothingHoldsItselfBack, though it matches both sides of a rule.
func TestNothingHoldsItselfBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		both := []string{`severity="high"`}
		w := newQuietWorld(t, Config{InhibitRules: []InhibitRule{{SourceMatchers: both, TargetMatchers: both}}})
		w.tell(shell(1, 1), Opened, Terms{})
		runFor(t, w.d, time.Minute)
		if w.m.states()["sent"] != 1 {
			t.Error(w.m.states())
		}
	})
}

// TestTwoDoNotHoldEachOtherBack, though each matches both sides of a rule.
func TestTwoDoNotHoldEachOtherBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		both := []string{`severity="high"`}
		w := newQuietWorld(t, Config{InhibitRules: []InhibitRule{{SourceMatchers: both, TargetMatchers: both, Equal: []string{"host"}}}})
		w.tell(shell(1, 1), Opened, Terms{})
		w.tell(shell(3, 1), Opened, Terms{}) // on the same host
		runFor(t, w.d, time.Minute)
		if w.m.states()["sent"] != 2 {
			t.Error(w.m.states())
		}
	})
}

// TestAnAlertThatWaited is told of the incident as it is by then, and the same at every attempt.
func TestAnAlertThatWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t, Config{})
		var bodies []string
		w.p.answer = func(n int, it Item) error {
			bodies = append(bodies, string(it.Body))
			v := shell(1, 5)
			v.EventCount = int64(100 + n)
			w.m.mu.Lock()
			w.m.views[v.ID] = v
			w.m.mu.Unlock()
			if n == 1 {
				return fmt.Errorf("refused")
			}
			return nil
		}
		w.tell(shell(1, 1), Opened, Terms{Anew: true})
		v := shell(1, 4)
		v.EventCount = 7
		w.m.views[v.ID] = v
		runFor(t, w.d, 10*time.Minute)
		if len(bodies) != 2 || bodies[0] != bodies[1] || !strings.Contains(bodies[0], `"event_count":7`) || !strings.Contains(bodies[0], `"revision":1`) {
			t.Errorf("told %q", bodies)
		}
	})
}

func TestTermsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, want := range []Terms{{}, {Anew: true}, {Repeat: time.Hour, Mutes: []string{"a", "b"}}} {
		if diff := cmp.Diff(want, ReadTerms(want.String())); diff != "" {
			t.Errorf("%s:\n%s", want, diff)
		}
	}
	if diff := cmp.Diff(Terms{}, ReadTerms("{")); diff != "" {
		t.Error(diff)
	}
}
