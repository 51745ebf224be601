// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/incident"
)

var notTimes = cmpopts.IgnoreFields(auth.Entry{}, "ID", "At", "Finished", "Request")

func TestWhatIsDoneIsWrittenDown(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h, store, _ := keeper(t, func(c *api.Config) { c.Backend = f })
	viewer := tokenOf(t, store, "ci", nil, auth.Viewer)
	closing := "/api/v1/incidents/" + known + "/close"
	ask(h, http.MethodGet, "/api/v1/incidents", "")
	with(h, viewer, http.MethodGet, "/api/v1/status", "")
	w := ask(h, http.MethodPost, closing, `{"verdict":"benign"}`)
	ask(h, http.MethodPost, closing, `{"verdict":"maybe"}`)
	with(h, viewer, http.MethodPost, closing, `{"verdict":"benign"}`)
	with(h, viewer, http.MethodGet, "/api/v1/audit", "")
	with(h, "nonsense", http.MethodPost, closing, `{"verdict":"benign"}`)
	ask(h, http.MethodPost, "/api/v1/nothing", "{}")
	want := []auth.Entry{
		{Actor: "admin", Via: "config", Operation: "close-incident", Object: closing, Remote: "192.0.2.1", Outcome: auth.Done, Status: 200},
		{Actor: "admin", Via: "config", Operation: "close-incident", Object: closing, Remote: "192.0.2.1", Outcome: auth.Failed, Status: 422},
		{Actor: "token:ci", Via: "token", Operation: "close-incident", Object: closing, Remote: "192.0.2.1", Outcome: auth.Refused, Status: 403},
		{Actor: "token:ci", Via: "token", Operation: "list-audit", Object: "/api/v1/audit", Remote: "192.0.2.1", Outcome: auth.Refused, Status: 403},
	}
	got := store.Entries()
	if diff := cmp.Diff(want, got, notTimes); diff != "" {
		t.Error(diff)
	}
	if id := w.Header().Get("X-Request-Id"); id == "" || got[0].Request != id {
		t.Errorf("the answer names the request %q, the entry %q", id, got[0].Request)
	}
	if w := ask(h, http.MethodGet, "/api/v1/audit?actor=token:ci", ""); strings.Count(w.Body.String(), `"actor":"token:ci"`) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// witness sees what is in the audit log while something is done, and panics if it is told to.
type witness struct {
	*fake
	during func()
	panics bool
}

func (f *witness) Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	f.during()
	if f.panics {
		panic("a fault of ours")
	}
	return f.fake.Close(ctx, id, verdict, by)
}

func TestItIsWrittenBeforeItIsDone(t *testing.T) {
	t.Parallel()
	f := &witness{fake: &fake{}}
	h, store, _ := keeper(t, func(c *api.Config) { c.Backend = f })
	var outcome string
	f.during = func() { outcome = store.Entries()[0].Outcome }
	ask(h, http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign"}`)
	if outcome != auth.Started || store.Entries()[0].Outcome != auth.Done {
		t.Errorf("%q while it was done, %+v after", outcome, store.Entries())
	}
	f.panics = true
	func() {
		defer func() { _ = recover() }()
		ask(h, http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign"}`)
	}()
	if last := store.Entries()[1]; last.Outcome != auth.Failed || last.Status != http.StatusInternalServerError {
		t.Errorf("after a panic: %+v", last)
	}
}

func TestNothingIsDoneThatCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h, store, _ := keeper(t, func(c *api.Config) { c.Backend = f })
	store.Break(true)
	w := ask(h, http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign"}`)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "#audit-unavailable") || f.verdict != "" {
		t.Errorf("%d %s, closed as %q", w.Code, w.Body, f.verdict)
	}
	h = api.New(api.Config{Backend: f, Token: token, Now: clock})
	if w := ask(h, http.MethodPost, "/api/v1/incidents/"+known+"/close", `{"verdict":"benign"}`); w.Code != http.StatusServiceUnavailable || f.verdict != "" {
		t.Errorf("without a store: %d %s, closed as %q", w.Code, w.Body, f.verdict)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	h, store, clock := keeper(t, func(c *api.Config) { c.PrincipalRate, c.AddressRate = 2, 4 })
	a, b := tokenOf(t, store, "a", nil, auth.Viewer), tokenOf(t, store, "b", nil, auth.Viewer)
	status := func(secret string) *httptest.ResponseRecorder {
		return with(h, secret, http.MethodGet, "/api/v1/status", "")
	}
	for i := range 4 {
		w := status(a)
		if w.Code != http.StatusOK {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
		if got := w.Header().Values("RateLimit"); i == 0 && cmp.Diff([]string{`"address";r=7;t=1`, `"principal";r=3;t=1`}, got) != "" {
			t.Errorf("RateLimit %q", got)
		}
	}
	w := status(a)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "#rate-limited") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := status(b); w.Code != http.StatusOK {
		t.Errorf("somebody else: %d", w.Code)
	}
	status("wrong")
	status("wrong")
	if w := status(b); w.Code != http.StatusTooManyRequests {
		t.Errorf("the eighth of an address has passed: %d", w.Code)
	}
	clock.pass(time.Second)
	if w := status(a); w.Code != http.StatusOK {
		t.Errorf("a second later: %d", w.Code)
	}
}

func TestProxiesAreBelievedIfTheyAreTrusted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, remote, forwarded string
		want                    string
	}{
		{"nobody forwards", "203.0.113.9:1", "", "203.0.113.9"},
		{"a stranger says so", "203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"a proxy says so", "10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"what a client made up comes first", "10.0.0.1:1", "1.2.3.4, 198.51.100.1", "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"nonsense", "10.0.0.1:1", "1.2.3.4, x", "10.0.0.1"},
		{"only proxies", "10.0.0.1:1", "10.0.0.3", "10.0.0.3"},
	} {
		h, store, _ := keeper(t, func(c *api.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
		r := httptest.NewRequest(http.MethodPost, "/api/v1/rules/reload", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got := store.Entries()[0].Remote; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAnotherSiteCannotActForWhoIsLoggedIn(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h, store, clock := keeper(t, func(c *api.Config) { c.Backend = f })
	session := auth.Session{Hash: auth.HashOf("s"), Name: "ana", Roles: []string{auth.Analyst}, Expires: clock.Now().Add(time.Hour).UnixNano()}
	if err := store.AddSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	closing := func(method string, headers ...string) *httptest.ResponseRecorder {
		path := "/api/v1/incidents/" + known
		if method == http.MethodPost {
			path += "/close"
		}
		r := httptest.NewRequest(method, path, strings.NewReader(`{"verdict":"benign"}`))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: auth.SessionCookie, Value: "s"})
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	planted := httptest.NewRequest(http.MethodGet, "/api/v1/incidents", nil)
	planted.AddCookie(&http.Cookie{Name: auth.PlainSessionCookie, Value: "s"})
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, planted); w.Code != http.StatusUnauthorized {
		t.Errorf("a cookie that another host could have set: %d", w.Code)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		if w := closing(http.MethodPost, headers...); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "#cross-origin") || f.verdict != "" {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
	if w := closing(http.MethodGet, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusOK {
		t.Errorf("a link from elsewhere: %d", w.Code)
	}
	if w := closing(http.MethodPost, "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusOK || f.by != "ana" {
		t.Errorf("the page itself: %d %s, by %q", w.Code, w.Body, f.by)
	}
	clock.pass(time.Hour)
	if w := closing(http.MethodGet); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "#session-ended") {
		t.Errorf("an hour later: %d %s", w.Code, w.Body)
	}
}
