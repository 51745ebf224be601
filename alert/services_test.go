// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/incident"
)

// far is the far end of a kind of receiver.
type far struct {
	receiver Receiver
	service  func(*troubled) service
	// serve is instead of service for what does not speak HTTP.
	serve func(*troubled) (n *lokitest.Network, stop func())
	// not are troubles that it cannot have, or cannot tell from an answer.
	not []string
}

// farEnds are all that are reached over a network of the test's own; natstrouble_test.go has NATS, alertmanager_test.go a true Alertmanager.
func farEnds() map[string]far {
	return map[string]far{
		"slack webhook": {
			receiver: Receiver{Type: Slack, URL: "http://slack/services/T1/B1/hush", PerMinute: 6000},
			service:  func(s *troubled) service { return newSlackService(s) },
		},
		"slack bot":    {receiver: slackBot(), service: func(s *troubled) service { return newSlackService(s) }},
		"pagerduty":    {receiver: pagerDutyReceiver(), service: func(s *troubled) service { return &pagerDutyService{s} }},
		"alertmanager": {receiver: Receiver{Type: Alertmanager, URLs: []string{"http://am"}}, service: func(s *troubled) service { return newAlertmanagerService(s) }},
		"webhook":      {receiver: Receiver{Type: Webhook, URL: "http://hook/", Secrets: []string{"whsec_" + strings.Repeat("k", 32)}}, service: func(s *troubled) service { return &webhookService{s} }, not: []string{"login page"}},
		"loki":         {receiver: Receiver{Type: Loki, URL: "http://loki"}, service: func(s *troubled) service { return &lokiService{lokitest.New(s.t)} }},
		"teams": {
			receiver: Receiver{Type: Webhook, URL: "http://hook/", Body: teamsBody}, service: func(s *troubled) service { return &teamsService{s} }, not: []string{"login page"},
		},
		"discord": {receiver: shoutrrrTo("discord://hush-hush@118233"), service: func(s *troubled) service { return &discordService{s} }},
		"ntfy":    {receiver: shoutrrrTo("ntfy://ana:hush-hush@ntfy.example.org/alerts"), service: func(s *troubled) service { return &ntfyService{s} }},
		"gotify":  {receiver: shoutrrrTo("gotify://push.example.org/AhushhushhushX1?disabletls=yes"), service: func(s *troubled) service { return &gotifyService{s} }},
		"email": {
			receiver: Receiver{Type: Email, URL: "smtp://mail:25", AllowPlaintext: true, From: "tocsin@example.org", To: []string{"soc@example.org"}},
			serve: func(s *troubled) (*lokitest.Network, func()) {
				n := lokitest.NewNetwork()
				server := smtp.NewServer(&mailServer{open: true, troubled: s})
				server.Domain = "mail.example.org"
				return n, n.Run(server.Serve, server.Close)
			},
			not: []string{"redirect", "login page"},
		},
	}
}

// TestServicesLoseNothing: through every trouble each alert is taken, in the order of its incident, once; once more for each failure of
// which nobody can know whether it was one, and then under the same key.
func TestServicesLoseNothing(t *testing.T) {
	t.Parallel()
	for name, f := range farEnds() {
		for _, trouble := range []string{"outage", "429", "500", "redirect", "login page", "half-open", "slow", "ambiguous"} {
			if slices.Contains(f.not, trouble) {
				continue
			}
			t.Run(name+"/"+trouble, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { loseNothing(t, f, trouble) })
			})
		}
	}
}

func loseNothing(t *testing.T, f far, trouble string) {
	s := &troubled{t: t, trouble: func(n int) string {
		if n <= 3 && trouble != "outage" {
			return trouble
		}
		return ""
	}}
	var network *lokitest.Network
	var stop func()
	if f.serve != nil {
		network, stop = f.serve(s)
	} else {
		s.service = f.service(s)
		network, stop = lokitest.Serve(s)
	}
	defer stop()
	if trouble == "outage" {
		network.Down()
		time.AfterFunc(10*time.Minute, network.Up)
	}
	m, r := &memory{}, f.receiver
	r.Name = "a"
	for n := range 5 {
		tellOf(t, m, r, testIncident(n, 1), incident.Opened)
		tellOf(t, m, r, testIncident(n, 2), incident.ClosedByPerson)
	}
	deliverTo(t, m, r, network, 30*time.Minute)
	if diff := cmp.Diff(map[string]int{"sent": 10}, m.states()); diff != "" {
		t.Fatalf("%s\n%v", diff, m.rows[0].reason)
	}
	times, last := make(map[string]int), make(map[string]string)
	for _, key := range s.all() {
		times[key]++
		in, rest, _ := strings.Cut(key, ":")
		if last[in] > rest {
			t.Errorf("%s came after %s", key, last[in])
		}
		last[in] = rest
	}
	extra := 0
	for _, n := range times {
		extra += n - 1
	}
	most := 0
	if trouble == "ambiguous" {
		most = 3
	}
	if len(times) != 10 || extra > most {
		t.Errorf("%d of 10 were taken, %d too often: %v", len(times), extra, slices.Sorted(maps.Keys(times)))
	}
	if trouble != "outage" && s.requests <= 3 {
		t.Errorf("it had its trouble in %d requests", s.requests)
	}
}

// webhookService takes CloudEvents whose id is in the header.
type webhookService struct{ s *troubled }

func (f *webhookService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var e struct{ ID string }
	key := r.Header.Get("Webhook-Id")
	if err := json.Unmarshal(body, &e); err != nil || e.ID != key || r.Header.Get("Webhook-Signature") == "" {
		return f.s.problem(w, "webhook: %v: %s", err, body)
	}
	w.WriteHeader(http.StatusNoContent)
	return key
}

// teamsBody is that of docs/alerts.md.
const teamsBody = `{"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {
  "type": "AdaptiveCard", "version": "1.4", "body": [
    {"type": "TextBlock", "weight": "bolder", "wrap": true, "text": "{{ .Kind | toUpper }}: {{ .Title }}"},
    {"type": "TextBlock", "wrap": true, "text": "{{ .Severity }}, {{ entities . | cut 300 }}"}]}}]}`

// teamsService is a workflow of Teams that posts cards.
type teamsService struct{ s *troubled }

func (f *teamsService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var m struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     struct{ Body []struct{ Type, Text string } }
		}
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Type != "message" || len(m.Attachments) != 1 || len(m.Attachments[0].Content.Body) != 2 || r.Header.Get("Content-Type") != "application/json" {
		return f.s.problem(w, "teams: %v: %s", err, body)
	}
	if text := m.Attachments[0].Content.Body[0].Text; !strings.Contains(text, hostile) {
		return f.s.problem(w, "teams: %q", text)
	}
	w.WriteHeader(http.StatusAccepted)
	return r.Header.Get("Webhook-Id")
}

// lokiService is a Loki, which drops what it has.
type lokiService struct{ loki *lokitest.Server }

func (f *lokiService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	before := len(f.loki.Entries())
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.loki.ServeHTTP(w, r)
	for _, e := range f.loki.Entries()[before:] {
		for _, m := range e.Metadata {
			if m.Name == "alert_key" {
				return m.Value
			}
		}
	}
	return ""
}
