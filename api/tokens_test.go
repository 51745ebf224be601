// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
)

// movable is a clock that a test moves.
type movable struct{ ns atomic.Int64 }

func newMovable() *movable {
	m := &movable{}
	m.ns.Store(now.UnixNano())
	return m
}

func (m *movable) Now() time.Time        { return time.Unix(0, m.ns.Load()) }
func (m *movable) pass(by time.Duration) { m.ns.Add(int64(by)) }

// keeper is a server with a store and a clock of the test's own.
func keeper(_ *testing.T, change ...func(*api.Config)) (http.Handler, *authtest.Memory, *movable) {
	clock := newMovable()
	store := &authtest.Memory{Now: clock.Now}
	c := config(&fake{})
	c.Store, c.Now = store, clock.Now
	for _, fn := range change {
		fn(&c)
	}
	return api.New(c), store, clock
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	h, store, clock := keeper(t)
	w := ask(h, http.MethodPost, "/api/v1/tokens", `{"name":"ci","roles":["viewer","viewer"],"scope":["prod/shop"],"expires":"1h"}`)
	var made api.NewToken
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(made.Roles) != 1 || made.CreatedBy != "admin" || made.Name != "ci" || !strings.HasPrefix(made.Token, "tocsin_") {
		t.Errorf("%+v", made)
	}
	if list := ask(h, http.MethodGet, "/api/v1/tokens", "").Body.String(); strings.Contains(list, made.Token) || !strings.Contains(list, `"name":"ci"`) {
		t.Errorf("the list: %s", list)
	}
	if w := ask(h, http.MethodPost, "/api/v1/tokens", `{"name":"ci","roles":["viewer"]}`); w.Code != http.StatusConflict {
		t.Errorf("the name again: %d %s", w.Code, w.Body)
	}

	use := func() (int, string) {
		w := with(h, made.Token, http.MethodGet, "/api/v1/status", "")
		return w.Code, w.Body.String()
	}
	for range 10 {
		if code, body := use(); code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
	}
	if lookups, touches := store.Asked(); lookups != 1 || touches != 1 {
		t.Errorf("ten requests at once look the token up %d times and note it %d times", lookups, touches)
	}
	clock.pass(70 * time.Second)
	use()
	if lookups, touches := store.Asked(); lookups != 2 || touches != 2 {
		t.Errorf("a minute later: %d lookups, %d notes", lookups, touches)
	}

	if w := ask(h, http.MethodDelete, "/api/v1/tokens/"+made.ID, ""); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if code, body := use(); code != http.StatusUnauthorized || !strings.Contains(body, "#token-revoked") {
		t.Errorf("revoked here: %d %s", code, body)
	}
}

// A replica that has just used a token hears of its revocation by another within seconds.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	h, store, clock := keeper(t)
	secret := tokenOf(t, store, "ci", nil, auth.Viewer)
	code := func() int { return with(h, secret, http.MethodGet, "/api/v1/status", "").Code }
	if got := code(); got != http.StatusOK {
		t.Fatal(got)
	}
	if err := store.RevokeToken(t.Context(), fmt.Sprintf("%032x", 1)); err != nil {
		t.Fatal(err)
	}
	clock.pass(3 * time.Second)
	if got := code(); got != http.StatusUnauthorized {
		t.Errorf("%d after 3 s", got)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, store, clock := keeper(t, func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	old, hash := auth.NewSecret()
	if _, err := store.AddToken(t.Context(), auth.Token{Name: "old", Hash: hash, Roles: []string{auth.Admin}, Expires: clock.Now().UnixNano()}); err != nil {
		t.Fatal(err)
	}
	unknown, _ := auth.NewSecret()
	whole := tokenOf(t, store, "ci", nil, auth.Admin)
	before, _ := store.Asked()
	for _, tt := range []struct{ name, secret, want string }{
		{"one character less", whole[:len(whole)-1], "#token-malformed"},
		{"another character", whole[:20] + swap(whole[20]) + whole[21:], "#token-malformed"},
		{"in capitals", strings.ToUpper(whole), "#token-unknown"},
		{"a prefix", "tocsin_", "#token-malformed"},
		{"a JWT without a provider", "a.b.c", "#token-unknown"},
	} {
		if w := with(h, tt.secret, http.MethodGet, "/api/v1/status", ""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
	if after, _ := store.Asked(); after != before {
		t.Error("the store was asked for what cannot be a token")
	}
	if w := with(h, old, http.MethodGet, "/api/v1/status", ""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "#token-expired") {
		t.Errorf("at the moment of its end: %d %s", w.Code, w.Body)
	}
	if w := with(h, unknown, http.MethodGet, "/api/v1/status", ""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "#token-unknown") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/status", nil)) // proves nothing, and says so
	if n, says := strings.Count(log.String(), "a proof was refused"), "reason=token-expired remote=192.0.2.1"; n != 7 || !strings.Contains(log.String(), says) {
		t.Errorf("%d lines, and %q must be there:\n%s", n, says, log.String())
	}
	store.Break(true)
	clock.pass(time.Minute)
	w := with(h, whole, http.MethodGet, "/api/v1/status", "")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("the store is down: %d %s", w.Code, w.Body)
	}
	if w := ask(h, http.MethodGet, "/api/v1/status", ""); w.Code != http.StatusOK {
		t.Errorf("the store is down, and the admin token needs none: %d", w.Code)
	}
}

func swap(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}

func TestNobodyGivesAwayWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	h, store, _ := keeper(t)
	bounded := tokenOf(t, store, "bounded", []string{"prod/*"}, auth.Admin)
	for _, tt := range []struct {
		name, secret, body string
		code               int
		want               string
	}{
		{"a scope that is wider", bounded, `{"name":"a","roles":["viewer"],"scope":["*/shop"]}`, 403, "more than yours"},
		{"a scope within", bounded, `{"name":"b","roles":["viewer"],"scope":["prod/shop"]}`, 201, `"scope":["prod/shop"]`},
		{"no scope is one's own", bounded, `{"name":"c","roles":["viewer"]}`, 201, `"scope":["prod/*"]`},
		{"a role that there is not", token, `{"name":"d","roles":["root"]}`, 422, `there is no \"root\"`},
		{"no role", token, `{"name":"e","roles":[]}`, 422, "roles"},
		{"a scope that is none", token, `{"name":"f","roles":["viewer"],"scope":["prod"]}`, 422, "write prod/shop"},
		{"an end that is past", token, `{"name":"g","roles":["viewer"],"expires":"2020-01-01T00:00:00Z"}`, 422, "expires"},
		{"an end that is none", token, `{"name":"h","roles":["viewer"],"expires":"soon"}`, 422, "or never"},
		{"never", token, `{"name":"i","roles":["viewer"],"expires":"never"}`, 201, `"expires":null`},
		{"ninety days", token, `{"name":"j","roles":["viewer"]}`, 201, `"expires":"2027-02-18T10:00:00`},
		{"a name with a colon", token, `{"name":"token:x","roles":["viewer"]}`, 422, "name"},
	} {
		if w := with(h, tt.secret, http.MethodPost, "/api/v1/tokens", tt.body); w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}
