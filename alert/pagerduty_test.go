// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func pagerDutyReceiver() Receiver {
	return Receiver{Name: "a", Type: PagerDuty, URL: "http://pagerduty/v2/enqueue", RoutingKey: strings.Repeat("k", 32)}
}

// pagerDutyService is the Events API v2.
type pagerDutyService struct{ s *troubled }

func (f *pagerDutyService) take(w http.ResponseWriter, _ *http.Request, body []byte) string {
	var e struct {
		RoutingKey  string `json:"routing_key"`
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Payload     *struct {
			Summary, Source, Severity, Timestamp string
			Details                              map[string]any `json:"custom_details"`
		}
	}
	if err := json.Unmarshal(body, &e); err != nil || len(e.RoutingKey) != 32 || e.DedupKey == "" || len(e.DedupKey) > 255 || len(body) > 512<<10 {
		return f.s.problem(w, "pagerduty: %v: %s", err, body)
	}
	key := e.DedupKey + ":" + e.EventAction
	switch e.EventAction {
	case "trigger":
		if e.Payload == nil || e.Payload.Summary == "" || utf8.RuneCountInString(e.Payload.Summary) > 1024 || e.Payload.Source == "" ||
			!slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity) {
			return f.s.problem(w, "pagerduty: %s", body)
		}
		key = fmt.Sprint(e.Payload.Details["alert_key"])
	case "acknowledge", "resolve":
	default:
		return f.s.problem(w, "pagerduty: %s", body)
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"status":"success","dedup_key":%q}`, e.DedupKey)
	return key
}

func TestPagerDutyFollowsTheIncident(t *testing.T) {
	t.Parallel()
	p, err := newPagerDuty(pagerDutyReceiver(), Config{ExternalURL: "https://tocsin.example.org/"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for kind, want := range map[Kind]string{Opened: "trigger", Reminded: "trigger", Acknowledged: "acknowledge", Closed: "resolve", Retracted: "resolve", Merged: "resolve"} {
		v := testIncident(1, 1)
		body, err := Body(Message{Kind: kind, Receiver: "a", Incident: v})
		if err != nil {
			t.Fatal(err)
		}
		a, err := readAbout(body, p.external)
		if err != nil {
			t.Fatal(err)
		}
		e := p.event(Item{Incident: v.ID, Receiver: "a", Revision: 1, Body: body}, a)
		if e.EventAction != want || e.DedupKey != v.ID || (e.Payload != nil) != (want == "trigger") || e.ClientURL != "https://tocsin.example.org/incidents/"+v.ID {
			t.Errorf("%s: %+v", kind, e)
		}
	}
}
