// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/alert/alerttest"
	"tocsin/api"
	"tocsin/incident"
)

// pager is a PagerDuty that notes what it is asked to do.
type pager struct {
	mu   sync.Mutex
	acts []string
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e struct {
		Action string `json:"event_action"`
		Key    string `json:"dedup_key"`
	}
	if json.NewDecoder(r.Body).Decode(&e) != nil || len(e.Key) != 32 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, e.Action)
	w.WriteHeader(http.StatusAccepted)
}

func (p *pager) has(want ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.acts, want) {
		return fmt.Errorf("the pager heard %v, want %v", p.acts, want)
	}
	return nil
}

// TestAlertsFromTheSilenceToTheEnd is the life of an incident's alerts as a person on call has it, on each store: silenced, told when the
// silence ends, acknowledged, closed.
func TestAlertsFromTheSilenceToTheEnd(t *testing.T) {
	t.Parallel()
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			hook, pd := alerttest.New(t, nil), &pager{}
			server := httptest.NewServer(pd)
			t.Cleanup(server.Close)
			data := t.TempDir()
			s := serveHere(t, url(t, data), data, func(c *Config) {
				c.Alert.Receivers = []alert.Receiver{
					{Name: "hook", Type: alert.Webhook, URL: hook.URL},
					{Name: "pager", Type: alert.PagerDuty, URL: server.URL, RoutingKey: strings.Repeat("k", 32), Secrets: []string{strings.Repeat("s", 32)}},
				}
				c.Alert.Route = alert.Tree{Receiver: "hook", Routes: []alert.Tree{{Matchers: []string{`user="ana"`}, Receiver: "pager", Continue: true}, {}}}
			})
			admin := s.node.cfg.API.Token
			said := func(args ...string) string {
				t.Helper()
				out, errs, code := s.command(admin, args...)
				if code != 0 {
					t.Fatalf("%v: %d %s%s", args, code, out, errs)
				}
				return out
			}
			id := strings.TrimSpace(said("silences", "add", `user="ana"`, "--comment", "an exercise", "--for", "1h"))
			start := time.Now().Add(-time.Minute).UTC()
			var lines strings.Builder
			for i := range 6 {
				outcome := "failure"
				if i == 5 {
					outcome = "success"
				}
				fmt.Fprintf(&lines, `{"event.id":"l%d","timestamp":%q,"event.category":"authentication","event.outcome":%q,"user.name":"ana","source.ip":"203.0.113.9"}`+"\n",
					i, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), outcome)
			}
			resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/vector", "application/x-ndjson", strings.NewReader(lines.String()))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", resp, err)
			}
			_ = resp.Body.Close()
			alerts := func(state string) (out []api.AlertView) {
				t.Helper()
				if err := json.Unmarshal([]byte(said("alerts", "list", "--state", state, "-o", "json")), &out); err != nil {
					t.Fatal(err)
				}
				return out
			}
			always := func() bool { return true }
			var held []api.AlertView
			waitFor(t, 30*time.Second, always, func() error {
				if held = alerts("silenced"); len(held) < 2 {
					return fmt.Errorf("%d alerts are silenced", len(held))
				}
				return nil
			})
			for _, a := range held {
				if a.SilencedBy != "silence "+id || !strings.Contains(a.Title, "ana") {
					t.Errorf("%+v, silenced by %q, titled %q", a, a.SilencedBy, a.Title)
				}
			}
			if n := len(hook.Deliveries()); n != 0 || pd.has() != nil {
				t.Fatalf("%d webhooks in the silence; %v", n, pd.has())
			}
			if out := said("silences", "list"); !strings.Contains(out, "an exercise") || !strings.Contains(out, "active") {
				t.Error(out)
			}
			said("silences", "expire", id)
			told := hook.Wait(len(held)/2, 30*time.Second)
			waitFor(t, 30*time.Second, always, func() error { return pd.has(slices.Repeat([]string{"trigger"}, len(held)/2)...) })

			about := told[0].Subject
			for range 2 { // PagerDuty says what it is not sure of twice
				acknowledge(t, s.node.api.Addr().String(), strings.Repeat("s", 32), "01ACK", about)
			}
			if v, err := s.node.store.Incident(t.Context(), about); err != nil || v.Status != incident.InProgress || !strings.HasSuffix(v.Version, "-1") {
				t.Errorf("%s %s, %v", v.Status, v.Version, err)
			}
			if out := said("audit"); strings.Count(out, "pagerduty:Tex") != 1 || !strings.Contains(out, "hook-pagerduty") {
				t.Error(out)
			}
			heard := append(slices.Repeat([]string{"trigger"}, len(held)/2), "acknowledge")
			waitFor(t, 30*time.Second, always, func() error { return pd.has(heard...) })
			// What came when there was nothing to do does nothing either when it comes again: somebody gave the incident back meanwhile.
			acknowledge(t, s.node.api.Addr().String(), strings.Repeat("s", 32), "02ACK", about)
			said("incidents", "status", about, "new")
			for _, event := range []string{"01ACK", "02ACK"} {
				acknowledge(t, s.node.api.Addr().String(), strings.Repeat("s", 32), event, about)
			}
			if v, err := s.node.store.Incident(t.Context(), about); err != nil || v.Status != incident.New {
				t.Errorf("%s, %v", v.Status, err)
			}
			said("incidents", "close", about, "--verdict", "benign")
			waitFor(t, 30*time.Second, always, func() error { return pd.has(append(slices.Clone(heard), "resolve")...) })
			last := hook.Wait(len(told)+1, 30*time.Second)
			if got := last[len(last)-1]; got.Subject != about || got.Type != "io.tocsin.incident.closed.v1" {
				t.Errorf("%+v", got)
			}
			if out := said("alerts", "receivers"); !strings.Contains(out, "pagerduty") || strings.Contains(out, "failing") {
				t.Error(out)
			}
			if out := said("alerts", "retry", "--since", "1h"); strings.TrimSpace(out) != "0" {
				t.Error(out)
			}
		})
	}
}

// acknowledge says what PagerDuty does when somebody acknowledges an incident there.
func acknowledge(t *testing.T, address, secret, event, about string) {
	t.Helper()
	body := fmt.Sprintf(`{"event":{"id":%q,"event_type":"incident.acknowledged","agent":{"type":"user_reference","summary":"Tex"},"data":{"incident_key":%q}}}`, event, about)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/v1/hooks/pagerduty", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
}

// TestAlertsRoute prints the way of an incident, and says what is wrong with a label or a route.
func TestAlertsRoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const receivers = "alert:\n  receivers: [{name: a, type: stdout}, {name: b, type: stdout}]\n"
	tree := file("tree.yaml", receivers+`  route:
    receiver: a
    routes:
      - matchers: ['severity="high"']
        receiver: b
        group_wait: 30s
        repeat_interval: 4h
`)
	flat := file("flat.yaml", receivers+"  routes: [{receiver: b, severity: high}, {receiver: a, rules: ['x*']}]\n")
	wrong := file("wrong.yaml", receivers+"  route: {receiver: a, routs: []}\n")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--config", tree, "--labels", "severity=high", "--labels", "rule=x"}, 0, "b         alert.route.routes[0]  30s    each 4h"},
		{[]string{"--config", tree}, 0, "a         alert.route"},
		{[]string{"--config", flat, "--labels", "severity=critical"}, 0, "b         alert.routes[0]"},
		{[]string{"--config", flat, "--labels", "severity=low"}, 1, "nobody is told"},
		{[]string{"--config", flat, "--labels", "sevrity=low"}, 2, "there is no label"},
		{[]string{"--config", wrong}, 2, `did you mean "routes"?`},
		{[]string{"--labels", "severity!=low"}, 2, "name=value"},
	} {
		var out bytes.Buffer
		code := run(context.Background(), append([]string{"alerts", "route"}, tt.args...), strings.NewReader(""), &out, &out)
		if code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%v: %d\n%s\nwant %d and %q", tt.args, code, &out, tt.code, tt.want)
		}
	}
}
