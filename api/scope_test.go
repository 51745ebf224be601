// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
	"tocsin/incident"
)

// tokenOf adds a token to a store and returns its secret.
func tokenOf(t *testing.T, m *authtest.Memory, name string, scope []string, roles ...string) string {
	t.Helper()
	secret, hash := auth.NewSecret()
	if _, err := m.AddToken(t.Context(), auth.Token{Name: name, Hash: hash, Roles: roles, Scope: scope}); err != nil {
		t.Fatal(err)
	}
	return secret
}

// with asks with a proof of its own.
func with(h http.Handler, secret, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// scopedFake has an incident, its alert and an event, all of one place.
type scopedFake struct{ *fake }

func (f scopedFake) Alerts(context.Context, string, int, string) ([]api.AlertView, string, error) {
	return []api.AlertView{{ID: 1, Incident: known}}, "more", nil
}

func (f scopedFake) Status(context.Context) (api.Status, error) {
	return api.Status{Incidents: map[string]int64{known: 1}}, nil
}

func (f scopedFake) Tail(_ context.Context, fn func(any) error) error {
	for _, v := range []any{
		map[string]any{"event_id": known, "fields": map[string]any{"k8s.cluster.name": f.place.Cluster, "k8s.namespace.name": f.place.Namespace}},
		map[string]any{"error": known},
	} {
		if err := fn(v); err != nil {
			return err
		}
	}
	return nil
}

// TestAScopeFiltersEveryOperation that says of itself that it does: what is out of scope is in no answer, what is in scope is.
// An operation that is new has to be added to the requests here.
func TestAScopeFiltersEveryOperation(t *testing.T) {
	t.Parallel()
	requests := map[string][3]string{
		"list-incidents":   {"GET", "/api/v1/incidents"},
		"get-incident":     {"GET", "/api/v1/incidents/" + known},
		"list-evidence":    {"GET", "/api/v1/incidents/" + known + "/evidence"},
		"close-incident":   {"POST", "/api/v1/incidents/" + known + "/close", `{"verdict":"benign"}`},
		"comment-incident": {"POST", "/api/v1/incidents/" + known + "/comments", `{"text":"x"}`},
		"patch-incident":   {}, "bulk-incidents": {},
		"merge-incident":   {"POST", "/api/v1/incidents/" + known + "/merge", `{"into":"` + known + `"}`},
		"unmerge-incident": {"POST", "/api/v1/incidents/" + known + "/unmerge"},
		"list-related":     {"GET", "/api/v1/incidents/" + known + "/related"},
		"get-graph":        {"GET", "/api/v1/incidents/" + known + "/graph"},
		"get-entity":       {"GET", "/api/v1/entities/pod/shop%2Fweb-1"},
		"export-incident":  {"GET", "/api/v1/incidents/" + known + "/export?format=json"},
		"bundle-incident":  {"GET", "/api/v1/incidents/" + known + "/bundle"},
		"list-timeline":    {"GET", "/api/v1/incidents/" + known + "/timeline"},
		"status":           {"GET", "/api/v1/status"},
		"tail-events":      {"GET", "/api/v1/events/tail"},
		"stream-incidents": {"GET", "/api/v1/incidents/stream"},

		"stream-detections": {"GET", "/api/v1/detections/stream"},
		"near-misses":       {"GET", "/api/v1/rules/shell/near"},
		"search-events":     {"GET", "/api/v1/events"},
		"stream-events":     {"GET", "/api/v1/events/stream"},
		"list-alerts":       {"GET", "/api/v1/alerts"},
		"stream-alerts":     {"GET", "/api/v1/alerts/stream"},
		"create-token":      {"POST", "/api/v1/tokens", `{"name":"t` + known[:8] + `","roles":["viewer"],"scope":["prod/pay"]}`},
	}
	answer := func(place incident.Place, r [3]string) *httptest.ResponseRecorder {
		f := scopedFake{&fake{place: place, next: ""}}
		c := config(f.fake)
		store := &authtest.Memory{Now: clock}
		c.Backend, c.Store, c.Proofs = f, store, newProofs(t)
		return with(api.New(c), tokenOf(t, store, "shop", []string{"prod/shop"}, auth.Admin), r[0], r[1], r[2])
	}
	for id, op := range auth.Operations() {
		if op.Scoping != auth.Filtered {
			continue
		}
		r, ok := requests[id]
		if !ok {
			t.Errorf("%s keeps to a scope, as it says, and no request here looks whether it does", id)
			continue
		}
		if id == "patch-incident" || id == "bulk-incidents" {
			continue // TestWorkOutOfScope
		}
		marks := []string{known, "<b>", "9007199254740993", `"token":"tocsin_`}
		w := answer(incident.Place{Cluster: "prod", Namespace: "pay"}, r)
		for _, mark := range marks {
			if strings.Contains(w.Body.String(), mark) {
				t.Errorf("%s shows what is out of scope: %s", id, w.Body)
			}
		}
		if strings.Contains(r[1], known) && w.Code != http.StatusNotFound {
			t.Errorf("%s out of scope: %d, want 404: %s", id, w.Code, w.Body)
		}
		if id == "status" || id == "create-token" {
			continue // what they leave out is left out in every scope
		}
		w = answer(incident.Place{Cluster: "prod", Namespace: "shop"}, r)
		if text := unpacked(t, w); w.Code/100 != 2 || !strings.Contains(text, known) && !strings.Contains(text, "9007199254740993") {
			t.Errorf("%s in scope: %d %s", id, w.Code, w.Body)
		}
	}
}

// TestWorkOutOfScope: what is out of scope is as if it were not there, and nothing is done with it.
func TestWorkOutOfScope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		namespace, method, path, body string
		want                          string
	}{
		{"pay", "PATCH", "/api/v1/incidents/" + known, `{"status":"on_hold"}`, `"status":404`},
		{"shop", "PATCH", "/api/v1/incidents/" + known, `{"status":"on_hold"}`, known},
		{"pay", "POST", "/api/v1/incidents/bulk", `{"ids":["` + known + `"],"status":"on_hold"}`, `"status":404`},
		{"shop", "POST", "/api/v1/incidents/bulk", `{"ids":["` + known + `"],"status":"on_hold"}`, `"status":200`},
	} {
		f := &fake{place: incident.Place{Cluster: "prod", Namespace: tt.namespace}}
		c, store := config(f), &authtest.Memory{Now: clock}
		c.Store = store
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+tokenOf(t, store, "shop", []string{"prod/shop"}, auth.Analyst))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", `"3-1"`)
		w := httptest.NewRecorder()
		api.New(c).ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), tt.want) || (f.work.Status != nil) != (tt.namespace == "shop") {
			t.Errorf("%s %s of %s: %d %s, want %s; done %+v", tt.method, tt.path, tt.namespace, w.Code, w.Body, tt.want, f.work)
		}
	}
}

func TestTheTailLeavesOutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := scopedFake{&fake{place: incident.Place{Cluster: "prod", Namespace: "shop"}}}
	c, store := config(f.fake), &authtest.Memory{Now: clock}
	c.Backend, c.Store = f, store
	h := api.New(c)
	if w := with(h, tokenOf(t, store, "shop", []string{"prod/shop"}, auth.Viewer), "GET", "/api/v1/events/tail", ""); strings.Count(w.Body.String(), "\n") != 1 {
		t.Errorf("in a scope: %s", w.Body)
	}
	if w := with(h, tokenOf(t, store, "all", nil, auth.Viewer), "GET", "/api/v1/events/tail", ""); strings.Count(w.Body.String(), "\n") != 2 {
		t.Errorf("without one: %s", w.Body)
	}
}

func TestMeSaysWhoAndWhat(t *testing.T) {
	t.Parallel()
	c, store := config(&fake{}), &authtest.Memory{Now: clock}
	c.Store = store
	h := api.New(c)
	me := func(secret string) (out api.Me, code int) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/me", nil)
		if secret != "" {
			r.Header.Set("Authorization", "Bearer "+secret)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out, w.Code
	}
	if got, code := me(""); code != http.StatusOK || got.Authenticated || got.Login.OIDC || got.Scope == nil || len(got.Scope) != 0 {
		t.Errorf("nobody: %d %+v", code, got)
	}
	if got, _ := me(token); !got.Authenticated || got.Name != "admin" || got.Via != auth.ViaConfig || got.Scope != nil || len(got.Permissions) != 1 {
		t.Errorf("the admin: %+v", got)
	}
	got, _ := me(tokenOf(t, store, "shop", []string{"prod/shop"}, auth.Viewer))
	if got.Name != "token:shop" || got.Via != auth.ViaToken || len(got.Scope) != 1 || len(got.Permissions) < 5 {
		t.Errorf("a token: %+v", got)
	}
	if _, code := me("tocsin_nonsense"); code != http.StatusUnauthorized {
		t.Errorf("a proof that is none: %d", code)
	}
}
