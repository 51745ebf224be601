// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/incident"
)

// TestALogIsSentAgain: when an incident is closed and forgotten its log comes again, and opens nothing; then something new comes beside it, and
// is told of.
func TestALogIsSentAgain(t *testing.T) {
	t.Parallel()
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data, hook := t.TempDir(), newHook(t)
			rule := writeFile(t, "shell.yml", shellRule+"incident: {quiet: 1s}\n")
			s := serveHere(t, url(t, data), data, func(c *Config) {
				c.Rules, c.Lateness = []string{rule}, time.Second
				c.Alert.Receivers = []alert.Receiver{{Name: "hook", Type: alert.Webhook, URL: hook.URL}}
				c.Alert.Routes = []alert.Route{{Receiver: "hook"}}
			})
			start := time.Now().UTC()
			send := func(n int, user string) {
				t.Helper()
				s.post(fmt.Sprintf(`{"event.id":"%s-%d","timestamp":%q,"user.name":%q,"event.action":"shell"}`,
					user, n, start.Add(time.Duration(n)*time.Millisecond).Format(time.RFC3339Nano), user))
				s.settled()
			}
			forgotten := func() {
				t.Helper()
				waitFor(t, 30*time.Second, func() bool { return true }, func() error {
					for partition, p := range s.node.owners.Progress() {
						if n := p.Cells.Load(); n > 0 {
							return fmt.Errorf("partition %d has %d cells", partition, n)
						}
					}
					return nil
				})
			}
			told := func() []string {
				hook.mu.Lock()
				defer hook.mu.Unlock()
				return slices.Collect(maps.Keys(hook.opened))
			}
			list := func(user string) (out []incident.View) {
				t.Helper()
				var page struct{ Items []incident.View }
				s.get("/api/v1/incidents?entity=user:"+user, &page)
				return page.Items
			}
			send(1, "ana")
			if first := list("ana"); len(first) != 1 {
				t.Fatalf("%d incidents", len(first))
			} else if out, errs, code := s.command(s.node.cfg.API.Token, "incidents", "close", first[0].ID, "--verdict", "benign"); code != 0 {
				t.Fatalf("%s%s", out, errs)
			}
			forgotten()
			send(1, "ana")
			send(1, "ben") // told of after whatever there was of the copy
			waitFor(t, 30*time.Second, func() bool { return true }, func() error { return hook.complete(2, 0) })
			if items := list("ana"); len(items) != 1 || items[0].Status != incident.Closed || len(told()) != 2 {
				t.Errorf("after the copy there are %d incidents, and %d were told of", len(items), len(told()))
			}
			send(2, "ana")
			waitFor(t, 30*time.Second, func() bool { return true }, func() error { return hook.complete(3, 0) })
			items := list("ana")
			if len(items) != 2 || items[0].Status != incident.New || !slices.Contains(told(), items[0].ID) {
				t.Errorf("with something new: %+v", items)
			}
			forgotten()
			send(1, "ana")
			send(2, "ana")
			if again := list("ana"); len(again) != 2 || again[0].ID != items[0].ID {
				t.Errorf("all of it again: %+v", again)
			}
		})
	}
}
