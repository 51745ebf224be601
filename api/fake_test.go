// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/console"
	"tocsin/incident"
	"tocsin/rules"
)

const (
	token = "a-token"
	known = "0123456789abcdef0123456789abcdef"
	other = "ffffffffffffffffffffffffffffffff"
)

var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// fake is a backend with one incident; it keeps what it was asked.
type fake struct {
	filter  incident.Filter
	by      string
	verdict incident.Verdict
	next    string
	err     error
	tail    func(ctx context.Context, fn func(any) error) error
}

func (f *fake) view() incident.View {
	return incident.View{ID: known, Title: "<b>", Severity: "high", Detections: []incident.DetectionView{}}
}

func (f *fake) Incidents(_ context.Context, x incident.Filter) ([]incident.View, string, error) {
	f.filter = x
	return []incident.View{f.view()}, f.next, f.err
}

func (f *fake) Incident(_ context.Context, id string) (incident.View, error) {
	if id != known {
		return incident.View{}, incident.ErrNotFound
	}
	return f.view(), f.err
}

func (f *fake) Evidence(_ context.Context, id string, _ int, cursor string) ([]incident.EvidenceItem, string, error) {
	if id != known {
		return nil, "", incident.ErrNotFound
	}
	if cursor != "" {
		return nil, "", incident.ErrBadCursor
	}
	return []incident.EvidenceItem{{EventID: "e", Raw: json.RawMessage(`{"n":9007199254740993}`), SHA256: "ab"}}, f.next, f.err
}

func (f *fake) Close(_ context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	if id != known {
		return incident.View{}, incident.ErrNotFound
	}
	f.verdict, f.by = verdict, by
	v := f.view()
	v.Status = incident.Closed
	return v, f.err
}

func (f *fake) Rules() []*rules.Rule {
	return []*rules.Rule{{
		ID: "shell", Title: "Shell", Severity: rules.High, Within: time.Minute,
		Patterns: []rules.Pattern{{Name: "a", Source: `user.name == "x"`, Child: -1}, {Name: "b"}}, Children: []*rules.Rule{{ID: "other"}},
	}}
}

func (f *fake) ReloadRules(context.Context) (api.Reloaded, error) {
	return api.Reloaded{Set: "ab", Rules: 1, Changed: true, Added: []string{"shell"}}, f.err
}

func (f *fake) RuleStats(context.Context) (map[string]map[string]int64, error) {
	return map[string]map[string]int64{"shell": {"matches": 3}}, f.err
}

func (f *fake) Status(context.Context) (api.Status, error) { return api.Status{Outbox: 2}, f.err }

func (f *fake) Alerts(context.Context, string, int, string) ([]api.AlertView, string, error) {
	return nil, f.next, f.err
}

func (f *fake) Sources(context.Context) ([]api.SourceView, error) {
	return []api.SourceView{{Source: "falco", Host: "node-a", Records: 7}}, f.err
}

func (f *fake) RetryAlert(_ context.Context, id int64) error {
	if id != 7 {
		return incident.ErrNotFound
	}
	return nil
}

func (f *fake) Tail(ctx context.Context, fn func(any) error) error { return f.tail(ctx, fn) }

func handler(f *fake) http.Handler {
	return api.New(api.Config{Backend: f, Token: token, Console: console.Handler(), Now: func() time.Time { return now }})
}

// ask makes one request with the token.
func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// isProblem checks the form that every error has.
func isProblem(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if !strings.HasPrefix(p.Type, "https://tocsin.dev/problems/") || p.Status != w.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("not a problem of ours: %s", w.Body)
	}
}
