// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/api"
	"tocsin/incident"
)

func TestErrorsAreProblems(t *testing.T) {
	t.Parallel()
	down := errors.New("dial postgres://admin:hunter2@db: refused")
	closing := "/api/v1/incidents/" + known + "/close"
	tests := []struct {
		name, method, path, body string
		err                      error
		want                     int
	}{
		{"unknown incident", "GET", "/api/v1/incidents/" + other, "", nil, 404},
		{"an id of another form", "GET", "/api/v1/incidents/x", "", nil, 422},
		{"evidence of none", "GET", "/api/v1/incidents/" + other + "/evidence", "", nil, 404},
		{"a cursor of another list", "GET", "/api/v1/incidents/" + known + "/evidence?cursor=x", "", nil, 422},
		{"unknown rule", "GET", "/api/v1/rules/none", "", nil, 404},
		{"unknown path", "GET", "/api/v1/nothing", "", nil, 404},
		{"unknown alert", "POST", "/api/v1/alerts/8/retry", "", nil, 404},
		{"closing what is not there", "POST", "/api/v1/incidents/" + other + "/close", `{"verdict":"benign"}`, nil, 404},
		{"closing twice", "POST", closing, `{"verdict":"benign"}`, api.ErrClosed, 409},
		{"unknown verdict", "POST", closing, `{"verdict":"maybe"}`, nil, 422},
		{"no verdict", "POST", closing, `{}`, nil, 422},
		{"no JSON", "POST", closing, `{`, nil, 400},
		{"a body over the cap", "POST", closing, `{"verdict":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413},
		{"the store is down", "GET", "/api/v1/incidents", "", down, 503},
		{"the store is down for rules", "GET", "/api/v1/rules", "", down, 503},
		{"the store is down for status", "GET", "/api/v1/status", "", down, 503},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := ask(handler(&fake{err: tt.err}), tt.method, tt.path, tt.body)
			if w.Code != tt.want {
				t.Fatalf("%d, want %d: %s", w.Code, tt.want, w.Body)
			}
			isProblem(t, w)
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("the answer tells what is the server's own: %s", w.Body)
			}
		})
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	for path, items := range map[string]int{
		"/api/v1/incidents": 1, "/api/v1/incidents/" + known + "/evidence": 1, "/api/v1/rules": 1, "/api/v1/alerts": 0,
	} {
		w := ask(handler(&fake{}), http.MethodGet, path, "")
		var page struct {
			Items []any
			Next  *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Items == nil || len(page.Items) != items || page.Next == nil || *page.Next != "" {
			t.Errorf("%s: %v: %s", path, err, w.Body)
		}
		if w.Header().Get("Link") != "" || strings.Contains(w.Body.String(), "$schema") {
			t.Errorf("%s: Link %q: %s", path, w.Header().Get("Link"), w.Body)
		}
	}
}

func TestEvidenceKeepsItsBytes(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{}), http.MethodGet, "/api/v1/incidents/"+known+"/evidence", "")
	if !strings.Contains(w.Body.String(), `{"n":9007199254740993}`) {
		t.Error(w.Body)
	}
}

// TestWhoCloses is whose proof it is, whatever the body says.
func TestWhoCloses(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]string{``: "admin", `,"by":"admin"`: "admin", `,"by":" ana "`: "admin for ana", `,"by":"ana for bob"`: "admin for ana for bob"} {
		f := &fake{}
		w := ask(handler(f), http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign"`+by+`}`)
		if w.Code != http.StatusOK || f.verdict != incident.Benign || f.by != want || !strings.Contains(w.Body.String(), `"status":"closed"`) {
			t.Errorf("%s: %d, %q by %q: %s", by, w.Code, f.verdict, f.by, w.Body)
		}
	}
	f := &fake{}
	if w := ask(handler(f), http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign","by":"ana\nroot"}`); w.Code != http.StatusUnprocessableEntity || f.by != "" {
		t.Errorf("%d by %q: %s", w.Code, f.by, w.Body)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	if w := ask(h, http.MethodPost, "/api/v1/alerts/7/retry", ""); w.Code != http.StatusNoContent {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestRuleIsShown(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{}), http.MethodGet, "/api/v1/rules/shell", "")
	var got api.RuleInfo
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []api.PatternView{{Name: "a", Expression: `user.name == "x"`}, {Name: "b", Expression: `detection("other")`}}
	if diff := cmp.Diff(want, got.Patterns); diff != "" || got.Stats["matches"] != 3 || got.Severity != "high" || got.Within != "1m0s" {
		t.Errorf("%s%s", diff, w.Body)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	tests := []struct {
		path, header string
		want         int
	}{
		{"/api/v1/incidents", "", 401},
		{"/api/v1/incidents", "Bearer", 401},
		{"/api/v1/incidents", "Bearer ", 401},
		{"/api/v1/incidents", "Bearer a-toke", 401},
		{"/api/v1/incidents", "Bearer a-token2", 401},
		{"/api/v1/incidents", "Basic a-token", 401},
		{"/api/v1/incidents", "a-token", 401},
		{"/api/v1/events/tail", "", 401},
		{"/api/v1/nothing", "", 401},
		{"/api//v1/incidents", "", 401},
		{"/api/v1/incidents", "bearer a-token", 200},
		{"/openapi.json", "", 200},
		{"/", "", 200},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s with %q: %d, want %d", tt.path, tt.header, w.Code, tt.want)
		}
		if w.Code == http.StatusUnauthorized {
			isProblem(t, w)
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", tt.path)
			}
		}
	}
}

// A server that was given no token lets nobody in.
func TestNoTokenIsNoEntry(t *testing.T) {
	t.Parallel()
	h := api.New(api.Config{Backend: &fake{}, Now: time.Now})
	r := httptest.NewRequest(http.MethodGet, "/api/v1/status", nil)
	r.Header["Authorization"] = []string{"Bearer "}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/app.js", "/openapi.json", "/api/v1/incidents", "/api/v1/nothing"} {
		w := ask(handler(&fake{}), http.MethodGet, path, "")
		h := w.Header()
		csp := h.Get("Content-Security-Policy")
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %v", path, h)
		}
		if strings.HasPrefix(path, "/api/") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", path)
		}
	}
}

func TestDurationsAreObserved(t *testing.T) {
	t.Parallel()
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "d"}, []string{"handler", "code"})
	srv := api.New(api.Config{Backend: &fake{}, Token: token, Durations: h, Now: time.Now})
	ask(srv, http.MethodGet, "/api/v1/incidents", "")
	ask(srv, http.MethodGet, "/api/v1/incidents/"+other, "")
	reg := prometheus.NewRegistry()
	reg.MustRegister(h)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 2 {
		t.Errorf("%v, %v; want one series for 200 and one for 404", families, err)
	}
}

// Every path that is served is in the document, the streamed one too.
func TestOpenAPIHasEveryPath(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{}), http.MethodGet, "/openapi.json", "")
	var doc struct{ Paths map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"/api/v1/incidents", "/api/v1/incidents/{id}", "/api/v1/incidents/{id}/evidence", "/api/v1/incidents/{id}/close", "/api/v1/rules",
		"/api/v1/rules/{id}", "/api/v1/status", "/api/v1/alerts", "/api/v1/alerts/{id}/retry", "/api/v1/events/tail",
	} {
		if doc.Paths[p] == nil {
			t.Errorf("%s is not in the document", p)
		}
	}
}

func TestTailStreams(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	f := &fake{tail: func(ctx context.Context, fn func(any) error) error {
		if err := fn(map[string]string{"event_id": "<1>"}); err != nil {
			return err
		}
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}}
	s := httptest.NewServer(handler(f))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/events/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != "{\"event_id\":\"<1>\"}\n" {
		t.Errorf("%q, %v", line, err)
	}
	cancel() // the backend hears that the client went away
	<-ended
}

func TestTailSaysWhyItEnded(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{tail: func(context.Context, func(any) error) error { return io.ErrUnexpectedEOF }}), http.MethodGet, "/api/v1/events/tail", "")
	if !strings.Contains(w.Body.String(), `"status":503`) {
		t.Error(w.Body)
	}
}
