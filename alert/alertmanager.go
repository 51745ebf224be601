// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	alertmanagerPath = "/api/v2/alerts"
	// defaultResend is what Prometheus does; an alert that is not sent again is over for an Alertmanager after its resolve_timeout.
	defaultResend = time.Minute
	// resolvedFor is how long it is said again that an incident is over: an Alertmanager may have been away.
	resolvedFor = 5 * time.Minute
	// patience is how many intervals may be missed before an Alertmanager takes an alert for over.
	patience = 4

	alertmanagerTitle = `{{ .Title }}`
	alertmanagerText  = `{{ .Description }}`
)

// alertmanager posts to every replica of an Alertmanager, which forget: an incident that is open is told again at an interval. One replica
// that takes an alert is enough for it to be sent: the others get it with the next interval, as they do from Prometheus.
type alertmanager struct {
	urls     []string
	auth     string
	secrets  []string
	every    time.Duration
	texts    texts
	external string
	client   *http.Client
	now      func() time.Time
}

func (r Receiver) validateAlertmanager(at string) error {
	if len(r.URLs) == 0 {
		return wrong(at+".urls", "a list with the address of each Alertmanager, as in [http://alertmanager-0:9093, http://alertmanager-1:9093]")
	}
	for i, text := range r.URLs {
		u, err := url.Parse(text)
		if err != nil || !webAddress(text) {
			return wrong(fmt.Sprintf("%s.urls[%d]", at, i), "not an http or https address with a host")
		}
		if u.User != nil {
			return wrong(fmt.Sprintf("%s.urls[%d]", at, i), "user and password are keys of their own, for all of the list")
		}
	}
	if r.Resend != 0 {
		if err := between(r.Resend, 10*time.Second, time.Hour); err != nil {
			return wrong(at+".resend", "%w", err)
		}
	}
	return r.validateCredentials(at, false)
}

// between checks the bounds of a duration.
func between(d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("it is between %v and %v, not %v", least, most, d)
	}
	return nil
}

func newAlertmanager(r Receiver, c Config) (*alertmanager, error) {
	t, err := newTexts(r, alertmanagerTitle, alertmanagerText, func(s string) string { return s })
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	m := &alertmanager{every: cmp.Or(r.Resend, defaultResend), texts: t, external: c.ExternalURL, client: newClient(c.guard()), now: time.Now}
	for _, text := range r.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: the url is no address", r.Name)
		}
		if !strings.HasSuffix(u.Path, alertmanagerPath) {
			u.Path = strings.TrimSuffix(u.Path, "/") + alertmanagerPath
		}
		m.urls = append(m.urls, u.String())
	}
	switch {
	case r.Token != "":
		m.auth, m.secrets = "Bearer "+r.Token, []string{r.Token}
	case r.User != "":
		pair := base64.StdEncoding.EncodeToString([]byte(r.User + ":" + r.Password))
		m.auth, m.secrets = "Basic "+pair, []string{pair, r.Password}
	}
	return m, nil
}

// posted is an alert as Alertmanager's API has it.
type posted struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// identity returns the labels of an incident's alert: what is the same as long as it lives. They are those of its first alert, since
// entities come to an incident, and an alert with another label is another one.
func identity(a about) map[string]string {
	l := map[string]string{"alertname": a.Rule.ID, "severity": a.Severity, "incident_id": a.ID}
	for name, from := range map[string]string{"cluster": "cluster", "namespace": "namespace", "tactic": "tactic"} {
		if v := a.Labels[from]; len(v) > 0 {
			l[name] = cut(v[0], maxLabel)
		}
	}
	if len(a.Entities) > 0 {
		l["entity_kind"] = a.Entities[0].Type
	}
	return l
}

// alert makes what is posted. place has the labels of the first alert about the incident, as JSON, "" if this is it.
func (m *alertmanager) alert(body []byte, place string) (posted, string, error) {
	a, err := readAbout(body, m.external)
	if err != nil {
		return posted{}, place, err
	}
	labels := make(map[string]string)
	if place == "" {
		labels = identity(a)
		b, err := json.Marshal(labels)
		if err != nil {
			return posted{}, place, fmt.Errorf("%w: %w", errPermanent, err)
		}
		place = string(b)
	} else if err := json.Unmarshal([]byte(place), &labels); err != nil {
		return posted{}, place, fmt.Errorf("%w: the labels that are kept: %w", errPermanent, err)
	}
	title, text := m.texts.render(a)
	now := m.now()
	starts := time.Unix(0, int64(a.FirstEvent))
	if starts.After(now) {
		starts = now // else it would wait until then
	}
	ends := now
	if !a.Kind.over() {
		ends = now.Add(patience * m.every)
	}
	p := posted{
		Labels: labels, StartsAt: starts.UTC().Format(time.RFC3339Nano), EndsAt: ends.UTC().Format(time.RFC3339Nano), GeneratorURL: a.URL,
		Annotations: map[string]string{"summary": ellipsis(title, 1024)},
	}
	for name, v := range map[string]string{
		"description": text, "runbook": a.Runbook, "incident_url": a.URL, "technique": strings.Join(a.Attack.Techniques, ","),
		"entities": strings.Join(list(a.Entities), ", "),
	} {
		if v != "" {
			p.Annotations[name] = ellipsis(v, 4096)
		}
	}
	return p, place, nil
}

func (m *alertmanager) send(ctx context.Context, it Item) error {
	_, err := m.sendAt(ctx, it, "")
	return err
}

func (m *alertmanager) sendAt(ctx context.Context, it Item, place string) (string, error) {
	p, place, err := m.alert(it.Body, place)
	if err != nil {
		return place, err
	}
	return place, m.post(ctx, []posted{p})
}

// interval is after what time an Alertmanager is told again.
func (m *alertmanager) interval() time.Duration { return m.every }

// resend tells again what was told. What cannot be made into an alert any more is left out.
func (m *alertmanager) resend(ctx context.Context, ts []Told) error {
	var all []posted
	for _, t := range ts {
		if p, _, err := m.alert(t.Body, t.Place); err == nil {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return m.post(ctx, all)
}

// post posts to each replica at once. It fails if none took the alerts: for good, if each of them said so.
func (m *alertmanager) post(ctx context.Context, alerts []posted) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	errs := make([]error, len(m.urls))
	var wg sync.WaitGroup
	for i, u := range m.urls {
		wg.Go(func() { errs[i] = m.postTo(ctx, u, body) })
	}
	wg.Wait()
	// A failure that may pass counts for more than one that will not.
	var worst error
	for _, err := range errs {
		if err == nil {
			return nil
		}
		if worst == nil || errors.Is(worst, errPermanent) {
			worst = err
		}
	}
	return worst
}

func (m *alertmanager) postTo(ctx context.Context, address string, body []byte) error {
	at := m.now()
	resp, err := postJSON(ctx, m.client, address, body, m.auth)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		if len(resp.said) > 0 && resp.said[0] == '<' {
			return errors.New("it answered with a page: that is somebody before it")
		}
		return nil
	}
	err = unwelcome(resp.Response, at)
	if w := words(resp.said, m.secrets...); w != "" && resp.StatusCode == http.StatusBadRequest {
		return fmt.Errorf("%w: %s", err, w)
	}
	return err
}

func (m *alertmanager) close() { m.client.CloseIdleConnections() }
