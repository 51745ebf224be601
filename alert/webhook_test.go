// SPDX-License-Identifier: Apache-2.0

package alert_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tocsin/alert"
	"tocsin/alert/alerttest"
	"tocsin/event"
	"tocsin/incident"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// once is an outbox with one alert, which is due again at once.
type once struct {
	mu      sync.Mutex
	item    *alert.Item
	attempt int
	ended   chan string // how it went: sent, or dead and why
	retries []string
}

func (o *once) Claim(context.Context, int, time.Duration, ...string) ([]alert.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.item == nil {
		return nil, nil
	}
	it := *o.item
	o.item = nil
	o.attempt++
	it.Attempt = o.attempt
	return []alert.Item{it}, nil
}

func (o *once) Sent(context.Context, alert.Item) error { o.ended <- "sent"; return nil }

func (o *once) Retry(_ context.Context, it alert.Item, _ time.Duration, reason string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.item = &it
	o.retries = append(o.retries, reason)
	return nil
}

func (o *once) PutOff(ctx context.Context, it alert.Item, after time.Duration, reason string) error {
	return o.Retry(ctx, it, after, "not tried: "+reason)
}

func (o *once) Dead(_ context.Context, _ alert.Item, reason string) error {
	o.ended <- "dead: " + reason
	return nil
}

// Nothing is silenced, kept or told again here.
func (o *once) Silence(context.Context, alert.Item, string, time.Duration, bool) error { return nil }

func (o *once) Wake(context.Context, ...string) error { return nil }

func (o *once) Rewrite(context.Context, alert.Item, []byte, alert.Terms) (bool, error) {
	return true, nil
}

func (o *once) Heard(context.Context, string, string) (heard, hushed bool, err error) {
	return false, false, nil
}

func (o *once) Incident(context.Context, string) (incident.View, error) {
	return incident.View{}, incident.ErrNotFound
}

func (o *once) Open(context.Context, int) ([]incident.View, error) { return nil, nil }

func (o *once) Silences(context.Context) ([]alert.Silence, error) { return nil, nil }

func (o *once) Keep(context.Context, alert.Item, alert.Told) error { o.ended <- "sent"; return nil }

func (o *once) Place(context.Context, string, string) (string, error) { return "", nil }

func (o *once) Again(context.Context, string, int) ([]alert.Told, error) { return nil, nil }

// tell delivers one alert to a receiver and returns how it ended and why it was tried again.
func tell(t *testing.T, url string, secrets ...string) (string, []string, alert.Alert) {
	t.Helper()
	config := alert.Config{Receivers: []alert.Receiver{{Name: "hook", Type: alert.Webhook, URL: url, Secrets: secrets}}}
	router, err := alert.NewRouter(config, "https://tocsin.example.org")
	if err != nil {
		t.Fatal(err)
	}
	v := incident.View{ID: "0123456789abcdef0123456789abcdef", Title: "ü <b>", Severity: "high", Revision: 3, UpdatedAt: event.Stamp(1)}
	alerts, err := router.Alerts(v, incident.Opened)
	if err != nil || len(alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	a := alerts[0]
	o := &once{item: &alert.Item{ID: 1, Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Body: a.Body}, ended: make(chan string, 1)}
	d, err := alert.NewDeliverer(config, o, io.Discard, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var how string
	select {
	case how = <-o.ended:
	case <-time.After(20 * time.Second):
		t.Error("the alert did not end")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return how, o.retries, a
}

// The receiver knows Standard Webhooks and CloudEvents and nothing of this package.
func TestAStrangerCanVerify(t *testing.T) {
	for _, secrets := range [][]string{nil, {oldSecret}, {newSecret, oldSecret}} {
		r := alerttest.New(t, nil, secrets...)
		how, _, a := tell(t, r.URL+"/hooks?x=1", secrets...)
		got := r.Deliveries()
		if how != "sent" || len(got) != 1 {
			t.Fatalf("%s, %d deliveries", how, len(got))
		}
		if got[0].Key != a.Incident+":hook:3" || got[0].Type != "io.tocsin.incident.opened.v1" || string(got[0].Body) != string(a.Body) {
			t.Errorf("%+v", got[0])
		}
	}
}

func TestARepetitionIsTheSame(t *testing.T) {
	r := alerttest.New(t, func(n int, _ alerttest.Delivery) alerttest.Answer {
		return alerttest.Answer{Status: []int{500, 204}[n-1]}
	}, oldSecret)
	how, retries, _ := tell(t, r.URL, oldSecret)
	got := r.Deliveries()
	if how != "sent" || len(got) != 2 || len(retries) != 1 {
		t.Fatalf("%s, %d deliveries, %v", how, len(got), retries)
	}
	got[0].At, got[1].At = time.Time{}, time.Time{}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Error(diff)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		code int
		want string // how it ends if the second answer is 204
	}{
		{200, "sent"},
		{202, "sent"},
		{302, "sent"},
		{400, "dead"},
		{401, "dead"},
		{404, "dead"},
		{408, "sent"},
		{410, "dead"},
		{429, "sent"},
		{500, "sent"},
		{503, "sent"},
	}
	for _, tt := range tests {
		t.Run(http.StatusText(tt.code), func(t *testing.T) {
			r := alerttest.New(t, func(n int, _ alerttest.Delivery) alerttest.Answer {
				if n == 1 {
					return alerttest.Answer{Status: tt.code, Body: strings.Repeat("x", 1<<20)}
				}
				return alerttest.Answer{}
			})
			how, _, _ := tell(t, r.URL)
			if !strings.HasPrefix(how, tt.want) {
				t.Errorf("%d ends %q, want %s", tt.code, how, tt.want)
			}
			want := 2
			if tt.code < 300 || tt.want == "dead" {
				want = 1
			}
			if n := len(r.Deliveries()); n != want {
				t.Errorf("%d deliveries, want %d", n, want)
			}
		})
	}
}

// A redirect would carry the body to somebody whom nobody configured.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	if how, _, _ := tell(t, s.URL); how != "sent" {
		t.Error(how)
	}
}

// What is kept of a failure is shown: the address may hold a password or a token.
func TestAFailureTellsNoAddress(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	var once sync.Once
	s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "ana" || password != "hunter2" {
			t.Errorf("credentials %q, %q", user, password)
		}
		once.Do(func() { panic(http.ErrAbortHandler) }) // the connection breaks
	})
	defer s.Close()
	how, retries, _ := tell(t, strings.Replace(s.URL, "http://", "http://ana:hunter2@", 1)+"/token-hunter3")
	if how != "sent" || len(retries) != 1 || strings.Contains(retries[0], "hunter") {
		t.Errorf("%s, %q", how, retries)
	}
}

// TestABodyIsJSON whatever is in the incident, or stops the start.
func TestABodyIsJSON(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"text": "{{ .Title }}", "n": {{ .EventCount }}}`: "",
		`{"text": {{ .Title }}}`:                           "it makes no JSON",
		`{"text": "{{ .Titel }}"}`:                         "Titel",
		`{"text": "{{ .Title }`:                            "alert.receivers[0].body",
	} {
		err := alert.Config{Receivers: []alert.Receiver{{Name: "a", Type: alert.Webhook, URL: "http://x", Body: body}}}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
