// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/incident"
)

// oneIncident posts an event that a rule of the test fires on, and returns the incident.
func (s *serving) oneIncident(user string) incident.View {
	s.t.Helper()
	now := time.Now().UTC()
	sendAsVector(s.t, "http://"+s.node.ingest.Addr().String()+"/ingest/vector", []map[string]any{{
		"@timestamp": now.Format(time.RFC3339Nano), "event.id": user, "user.name": user, "event.action": "shell", "message": "a <shell> of " + user,
	}})
	var page struct{ Items []incident.View }
	waitFor(s.t, 30*time.Second, func() bool { return true }, func() error {
		s.get("/api/v1/incidents?entity=user:"+user, &page)
		if len(page.Items) != 1 {
			return fmt.Errorf("%d incidents of %s", len(page.Items), user)
		}
		return nil
	})
	return page.Items[0]
}

const shellRule = "rule: shell\ntitle: A shell\nseverity: high\nmatch: event.action == \"shell\"\nby: [user.name]\n"

// TestWorkOnAnIncident is what an analyst does with the command line, on each store: the history has all of it.
func TestWorkOnAnIncident(t *testing.T) {
	t.Parallel()
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			rule := writeFile(t, "shell.yml", shellRule)
			s := serveHere(t, url(t, data), data, func(c *Config) { c.Rules = []string{rule} })
			v, other := s.oneIncident("ana"), s.oneIncident("mo")
			for _, tt := range []struct {
				args []string
				code int
				want string
			}{
				{[]string{"assign", v.ID, "mo"}, 0, "is new, assigned to mo"},
				{[]string{"status", v.ID, "in_progress"}, 0, "is in_progress, assigned to mo"},
				{[]string{"comment", v.ID, "it was <b>me</b>"}, 0, "has the comment"},
				{[]string{"comment", v.ID, "\x1b[2J"}, 1, "control character U+001B"},
				{[]string{"merge", v.ID, v.ID}, 1, "into itself"},
				{[]string{"merge", v.ID, other.ID}, 0, "is shown with " + other.ID},
				{[]string{"status", v.ID, "on_hold"}, 1, "it was merged into " + other.ID},
				{[]string{"show", other.ID}, 0, "it was <b>me</b>"},
				{[]string{"unmerge", v.ID}, 0, "is shown by itself"},
				{[]string{"export", v.ID, "--format", "markdown"}, 0, "```text\nit was <b>me</b>"},
				{[]string{"export", v.ID, "--format", "pdf"}, 1, "format"},
				{[]string{"status", v.ID, "open"}, 2, "not \"open\""},
				{[]string{"status", v.ID, "closed"}, 2, "tocsin incidents close"},
				{[]string{"close", v.ID, "--verdict", "benign"}, 0, "is closed"},
				{[]string{"status", v.ID, "new"}, 1, "closing is final"},
				{[]string{"assign", v.ID, ""}, 0, "is closed, assigned to nobody"},
				{[]string{"show", v.ID}, 0, "it was <b>me</b>"},
				{[]string{"timeline", v.ID, "--kind", "act,detection"}, 0, "benign"},
				{[]string{"timeline", v.ID, "--kind", "acts"}, 1, "there is no \"acts\""},
			} {
				out, errs, code := s.command(s.node.cfg.API.Token, append([]string{"incidents"}, tt.args...)...)
				if code != tt.code || !strings.Contains(out+errs, tt.want) {
					t.Errorf("%v: %d %s%s, want %d %q", tt.args, code, out, errs, tt.code, tt.want)
				}
			}
			var page struct{ Items []incident.Moment }
			if code := s.get("/api/v1/incidents/"+v.ID+"/timeline?kind=event,detection,act", &page); code != http.StatusOK {
				t.Fatal(code)
			}
			var got []string
			for _, m := range page.Items {
				what, who, text := told(m)
				got = append(got, strings.TrimSpace(what+" "+who+" "+text))
			}
			want := "match vector a <shell> of ana, detected  1 events, assignee admin mo, status admin in_progress, comment admin it was <b>me</b>, merge admin " + other.ID + ", unmerge admin " + other.ID + ", close admin benign, assignee admin nobody"
			if strings.Join(got, ", ") != want {
				t.Errorf("timeline:\n%s\nwant\n%s", strings.Join(got, ", "), want)
			}
		})
	}
}

// TestAWholeIsClosedWithItsParts: nothing new is hidden in what is closed, and who closes a part does not speak of the whole.
func TestAWholeIsClosedWithItsParts(t *testing.T) {
	t.Parallel()
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			rule := writeFile(t, "shell.yml", shellRule)
			s := serveHere(t, url(t, data), data, func(c *Config) { c.Rules = []string{rule} })
			part, whole := s.oneIncident("ana"), s.oneIncident("mo")
			run := func(want string, args ...string) {
				t.Helper()
				if out, errs, _ := s.command(s.node.cfg.API.Token, append([]string{"incidents"}, args...)...); !strings.Contains(out+errs, want) {
					t.Errorf("%v: %s%s, want %q", args, out, errs, want)
				}
			}
			run("is shown with", "merge", part.ID, whole.ID)
			run("it was merged into "+whole.ID, "close", part.ID, "--verdict", "false_positive")
			run("is closed", "close", whole.ID, "--verdict", "benign")
			for _, id := range []string{part.ID, whole.ID} {
				waitFor(t, 30*time.Second, func() bool { return true }, func() error {
					var v incident.View
					if s.get("/api/v1/incidents/"+id, &v); v.Status != incident.Closed || v.Verdict == nil || *v.Verdict != incident.Benign {
						return fmt.Errorf("%s is %s, %v", id, v.Status, v.Verdict)
					}
					return nil
				})
			}
		})
	}
}
