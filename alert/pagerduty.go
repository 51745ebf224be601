// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tocsin/event"
)

// PagerDuty's Events API v2; the EU has another host.
const (
	pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"
	maxSummary   = 1024
)

const pagerDutyTitle = `{{ .Title }}{{ with entities . }} ({{ . | cut 300 }}){{ end }}`

// pagerDuty keeps an alert of PagerDuty's in step with each incident: the incident's id is its dedup_key, so whatever is sent twice
// is there once.
type pagerDuty struct {
	url, key string
	texts    texts
	external string
	client   *http.Client
}

func (r Receiver) validatePagerDuty(at string) error {
	switch {
	case r.URL != "" && !webAddress(r.URL):
		return wrong(at+".url", "not an http or https address with a host: %s, or https://events.eu.pagerduty.com/v2/enqueue", pagerDutyURL)
	case !regexp.MustCompile(`^[A-Za-z0-9]{32}$`).MatchString(r.RoutingKey):
		return wrong(at+".routing_key", "an integration's key has 32 letters and digits")
	}
	return r.validateSecrets(at)
}

func newPagerDuty(r Receiver, c Config) (*pagerDuty, error) {
	t, err := newTexts(r, pagerDutyTitle, "", func(s string) string { return s }) // it shows text as it is
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	p := &pagerDuty{url: r.URL, key: r.RoutingKey, texts: t, external: c.ExternalURL, client: newClient(c.guard())}
	if p.url == "" {
		p.url = pagerDutyURL
	}
	return p, nil
}

type pagerDutyEvent struct {
	RoutingKey  string            `json:"routing_key"`
	EventAction string            `json:"event_action"`
	DedupKey    string            `json:"dedup_key"`
	Client      string            `json:"client,omitempty"`
	ClientURL   string            `json:"client_url,omitempty"`
	Payload     *pagerDutyPayload `json:"payload,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp event.Stamp    `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

// event makes what is sent of an alert.
func (p *pagerDuty) event(it Item, a about) pagerDutyEvent {
	e := pagerDutyEvent{RoutingKey: p.key, DedupKey: a.ID, EventAction: "trigger", Client: "tocsin", ClientURL: a.URL}
	switch {
	case a.Kind.over():
		e.EventAction = "resolve"
	case a.Kind == Acknowledged:
		e.EventAction = "acknowledge"
	}
	if e.EventAction != "trigger" {
		return e
	}
	summary, _ := p.texts.render(a)
	source := "tocsin"
	if len(a.Sources) > 0 {
		source = strings.Join(a.Sources, ",")
	}
	component := ""
	if len(a.Entities) > 0 {
		component = show(a.Entities[0])
	}
	shown := a.Entities[:min(len(a.Entities), 50)]
	e.Payload = &pagerDutyPayload{
		Summary: ellipsis(summary, maxSummary), Source: ellipsis(source, 255), Severity: pagerDutySeverity(a.Severity), Timestamp: a.FirstEvent,
		Component: ellipsis(component, 255), Class: ellipsis(a.Rule.ID, 255),
		Details: map[string]any{
			"alert_key": it.Key(), "rule": a.Rule.Title, "severity": a.Severity, "events": a.EventCount, "detections": a.DetectionCount,
			"entities": ellipsis(strings.Join(list(shown), ", "), 4096), "techniques": strings.Join(a.Attack.Techniques, ", "),
			"description": ellipsis(a.Description, 4096), "runbook": ellipsis(a.Runbook, 4096), "last_event": a.LastEvent,
		},
	}
	return e
}

// pagerDutySeverity is one of the four that PagerDuty has.
func pagerDutySeverity(severity string) string {
	switch severity {
	case "critical":
		return "critical"
	case "high":
		return "error"
	case "medium":
		return "warning"
	}
	return "info"
}

func (p *pagerDuty) send(ctx context.Context, it Item) error {
	a, err := readAbout(it.Body, p.external)
	if err != nil {
		return err
	}
	body, err := json.Marshal(p.event(it, a))
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := time.Now()
	resp, err := postJSON(ctx, p.client, p.url, body, "")
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusAccepted {
		return nil
	}
	// Another 2xx is not PagerDuty's: somebody took the event to nowhere.
	err = unwelcome(resp.Response, at)
	if w := words(resp.said, p.key); w != "" && resp.StatusCode == http.StatusBadRequest {
		return fmt.Errorf("%w: %s", err, w)
	}
	return err
}

func (p *pagerDuty) close() { p.client.CloseIdleConnections() }
