// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/alert/alerttest"
	"tocsin/api"
	"tocsin/incident"
)

// post sends records, under the source app.
func (s *serving) post(lines ...string) {
	s.t.Helper()
	resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/app", "application/json", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("post: %s", resp.Status)
	}
}

// follows opens a stream of server-sent events and returns a function that gives the next message with data, "" at its end.
func (s *serving) follows(ctx context.Context, path, lastID string) func() (id, kind, data string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.node.api.Addr().String()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s: %s %s", path, resp.Status, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	return func() (id, kind, data string) {
		for lines.Scan() {
			name, v, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = v
			case "event":
				kind = v
			case "data":
				return id, kind, v
			case "":
				if id != "" {
					return id, kind, ""
				}
			}
		}
		return "", "", ""
	}
}

func numbered(n int) string {
	return fmt.Sprintf(`{"timestamp":"%s","user.name":"u%d","n":%d}`, time.Now().UTC().Format(time.RFC3339Nano), n%2, n)
}

// TestEventsSearched: what was posted is found by an expression, in pages and from the command line.
func TestEventsSearched(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	for n := range 6 {
		s.post(numbered(n))
	}
	var page api.EventPage
	q := url.Values{"q": {`user.name == "u1"`}, "limit": {"2"}, "since": {"1h"}}
	if code := s.get("/api/v1/events?"+q.Encode(), &page); code != http.StatusOK || len(page.Items) != 2 || page.Complete || page.NextCursor == "" {
		t.Fatalf("%d %+v", code, page)
	}
	if string(page.Items[0].Raw) == "" || !strings.Contains(string(page.Items[0].Raw), `"n":5`) || !strings.Contains(string(page.Items[1].Raw), `"n":3`) {
		t.Errorf("the newest first: %s, %s", page.Items[0].Raw, page.Items[1].Raw)
	}
	q.Set("cursor", page.NextCursor)
	page = api.EventPage{}
	if code := s.get("/api/v1/events?"+q.Encode(), &page); code != http.StatusOK || len(page.Items) != 1 || !page.Complete || page.Searched < 1 || page.SearchedTo == 0 {
		t.Errorf("%d %+v", code, page)
	}
	out, errs, code := s.command(s.node.cfg.API.Token, "events", "search", `user.name == "u0"`, "--since", "1h", "-o", "json")
	if code != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(errs, "6 events searched: that is all") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	out, errs, code = s.command(s.node.cfg.API.Token, "events", "search", "--limit", "4", "--source", "app", "-o", "json")
	if code != 0 || strings.Count(out, "\n") != 4 || !strings.Contains(errs, "older ones: --cursor ") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if _, errs, code := s.command(s.node.cfg.API.Token, "events", "search", `usr.name == "u0"`); code != 1 || strings.Count(errs, `unknown field "usr.name" (did you mean "user.name"?)`) != 1 || !strings.Contains(errs, "line 1, column 1") {
		t.Errorf("%d %s", code, errs)
	}
}

// TestEventsStreamed: events come as they are posted, a client that comes again goes on where it was, and the stream ends with the
// server.
func TestEventsStreamed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := "/api/v1/events/stream?" + url.Values{"q": {`user.name == "u1"`}}.Encode()
	first, leave := context.WithCancel(ctx)
	next := s.follows(first, path, "")
	begun, _, _ := next() // the place before anything came
	s.post(numbered(0), numbered(1), numbered(2), numbered(3))
	at, kind, got := next()
	if begun == "" || kind != "event" || !strings.Contains(got, `"user.name":"u1"`) {
		t.Fatalf("%q %q %q %q", begun, at, kind, got)
	}
	leave()
	for from, want := range map[string]int{begun: 3, at: 2} {
		next := s.follows(ctx, path, from)
		for i := range want {
			if i == want-1 {
				s.post(numbered(5))
			}
			if id, kind, got := next(); kind != "event" || id == "" {
				t.Fatalf("after %s, event %d of %d: %q %q %q", from, i, want, id, kind, got)
			}
		}
	}
	next = s.follows(ctx, path, "9223372036854775807.0")
	if _, kind, got := next(); kind != "gap" || !strings.Contains(got, `"reason":"unknown"`) {
		t.Errorf("a place of another log: %q %s", kind, got)
	}
	stopped := make(chan int)
	go func() { stopped <- s.stop() }()
	for {
		if id, _, _ := next(); id == "" {
			break
		}
	}
	if code := <-stopped; code != 0 {
		t.Errorf("the server ended with %d", code)
	}
}

// TestIncidentsStreamed: what happens to an incident comes to who follows, on each store, from where they were.
func TestIncidentsStreamed(t *testing.T) {
	t.Parallel()
	for kind, store := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serveHere(t, store(t, data), data, func(c *Config) {
				c.Rules = []string{writeFile(t, "r.yml", "rule: r\ntitle: Seen\nseverity: high\nmatch: exists(user.name)\nby: [user.name]\n")}
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			all := s.follows(ctx, "/api/v1/incidents/stream", "")
			opened := s.follows(ctx, "/api/v1/incidents/stream?status=new&severity=high", "")
			begun, _, _ := all()
			detections := s.follows(ctx, "/api/v1/detections/stream", "")
			closed := s.follows(ctx, "/api/v1/detections/stream?status=closed", "")
			detected, _, _ := detections()
			closed()
			if _, kind, _ := opened(); begun == "" || kind != "" {
				t.Fatalf("a stream begins with %q, %q", begun, kind)
			}
			s.post(numbered(1))
			_, kind, got := all()
			var v incident.View
			if err := json.Unmarshal([]byte(got), &v); err != nil || kind != "incident" || v.Status != incident.New {
				t.Fatalf("%q %s", kind, got)
			}
			if _, kind, got := opened(); kind != "incident" || !strings.Contains(got, v.ID) {
				t.Errorf("of a filter: %q %s", kind, got)
			}
			_, kind, got = detections()
			var d api.DetectionChange
			if err := json.Unmarshal([]byte(got), &d); err != nil || kind != "detection" || d.Incident.ID != v.ID || d.Incident.Severity != "high" || d.Detection.Key["user.name"] != "u1" {
				t.Errorf("%q %s", kind, got)
			}
			if _, kind, got := closed(); kind != "" || strings.Contains(got, v.ID) {
				t.Errorf("of a filter: %q %s", kind, got)
			}
			if _, kind, got := s.follows(ctx, "/api/v1/detections/stream", detected)(); kind != "detection" || !strings.Contains(got, d.Detection.ID) {
				t.Errorf("from where it was: %q %s", kind, got)
			}
			if _, errs, code := s.command(s.node.cfg.API.Token, "incidents", "close", v.ID, "--verdict", "benign"); code != 0 {
				t.Fatal(errs)
			}
			until := func(next func() (string, string, string), want string, has string) {
				t.Helper()
				for {
					id, kind, got := next()
					if kind == want && strings.Contains(got, has) {
						return
					}
					if id == "" || kind == "gap" || kind == "error" {
						t.Fatalf("before %s %s: %q %q %s", want, has, id, kind, got)
					}
				}
			}
			until(all, "incident", `"status":"closed"`)
			until(opened, "gone", v.ID)
			until(s.follows(ctx, "/api/v1/incidents/stream?last_event_id="+url.QueryEscape(begun), ""), "incident", `"status":"closed"`)
			if _, kind, got := s.follows(ctx, "/api/v1/incidents/stream", "9223372036854775806.")(); kind != "gap" || !strings.Contains(got, "unknown") {
				t.Errorf("a mark of another store: %q %s", kind, got)
			}
		})
	}
}

// TestDeliveriesStreamed: what becomes of each attempt to tell an alert comes to who follows, on each store, once and from where they were.
func TestDeliveriesStreamed(t *testing.T) {
	t.Parallel()
	for kind, store := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			hook := alerttest.New(t, func(n int, _ alerttest.Delivery) alerttest.Answer {
				return alerttest.Answer{Status: [...]int{1: http.StatusServiceUnavailable, 2: http.StatusServiceUnavailable, 3: 0, 4: http.StatusGone}[n]}
			})
			s := serveHere(t, store(t, data), data, func(c *Config) {
				c.Rules = []string{writeFile(t, "r.yml", "rule: r\ntitle: Seen\nseverity: high\nmatch: exists(user.name)\nby: [user.name]\n")}
				c.Alert.Receivers = []alert.Receiver{{Name: "hook", Type: alert.Webhook, URL: hook.URL}}
				c.Alert.Route = alert.Tree{Receiver: "hook"}
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			all := s.follows(ctx, "/api/v1/alerts/stream", "")
			dead := s.follows(ctx, "/api/v1/alerts/stream?receiver=hook&outcome=dead", "")
			begun, _, _ := all()
			dead()
			marks := []string{begun}
			hears := func(next func() (string, string, string), outcome string, attempt int) (d api.Delivery) {
				t.Helper()
				id, kind, got := next()
				if err := json.Unmarshal([]byte(got), &d); err != nil || kind != "delivery" || d.Delivery.Outcome != outcome || d.Delivery.Attempt != attempt ||
					d.Delivery.Receiver != "hook" || d.Incident.Title == "" || d.Incident.Severity != "high" {
					t.Fatalf("%q %s, want %s %d", kind, got, outcome, attempt)
				}
				marks = append(marks, id)
				return d
			}
			s.post(numbered(1))
			if d := hears(all, "retry", 1); !strings.Contains(d.Delivery.Error, "503") || d.Delivery.Kind != "opened" || d.Delivery.Time == 0 {
				t.Errorf("%+v", d)
			}
			hears(all, "retry", 2)
			first := hears(all, "sent", 3)
			s.post(numbered(2))
			second := hears(all, "dead", 1)
			if first.Incident.ID == second.Incident.ID || !strings.Contains(second.Delivery.Error, "410") {
				t.Errorf("%+v", second)
			}
			for range 3 { // ids alone
				if id, kind, got := dead(); id == "" || kind != "" || got != "" {
					t.Errorf("of a filter: %q %q %s", id, kind, got)
				}
			}
			hears(dead, "dead", 1)
			// Where somebody was cut off they go on, and nothing comes twice.
			if d := hears(s.follows(ctx, "/api/v1/alerts/stream", marks[3]), "dead", 1); d.Incident.ID != second.Incident.ID {
				t.Errorf("from where it was: %+v", d)
			}
			again := s.follows(ctx, "/api/v1/alerts/stream?last_event_id="+url.QueryEscape(begun), "")
			hears(again, "retry", 1)
			hears(again, "retry", 2)
			if _, kind, got := s.follows(ctx, "/api/v1/alerts/stream", "9223372036854775806.")(); kind != "gap" || !strings.Contains(got, "unknown") {
				t.Errorf("a mark of another store: %q %s", kind, got)
			}
		})
	}
}

// TestAWholeIsStreamed: what comes to an incident that people merged into another changes that other, and who follows hears of it.
func TestAWholeIsStreamed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
		c.Rules = []string{writeFile(t, "r.yml", "rule: r\ntitle: Seen\nseverity: high\nmatch: exists(user.name)\nby: [user.name]\n")}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next := s.follows(ctx, "/api/v1/incidents/stream?status=new", "")
	next()
	hears := func(has func(incident.View) bool) (v incident.View) {
		t.Helper()
		for !has(v) {
			_, kind, got := next()
			if kind == "incident" {
				v = incident.View{}
				if err := json.Unmarshal([]byte(got), &v); err != nil {
					t.Fatal(err)
				}
			}
			if ctx.Err() != nil {
				t.Fatalf("the last was %q %s", kind, got)
			}
		}
		return v
	}
	of := func(user string) func(incident.View) bool {
		return func(v incident.View) bool { return v.Key["user.name"] == user }
	}
	s.post(numbered(0))
	whole := hears(of("u0"))
	s.post(numbered(1))
	part := hears(of("u1"))
	if code := s.ask(t, http.MethodPost, "/api/v1/incidents/"+part.ID+"/merge", map[string]string{"into": whole.ID}, nil); code != http.StatusOK {
		t.Fatal(code)
	}
	hears(func(v incident.View) bool { return v.ID == whole.ID && v.EventCount == 2 })
	s.post(numbered(3)) // of the part
	hears(func(v incident.View) bool { return v.ID == whole.ID && v.EventCount == 3 })
}
