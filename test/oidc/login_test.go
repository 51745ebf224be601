// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestLogin is a login and a logout at the console, with a provider of each shape.
func TestLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		shape shape
		yaml  string
		name  string
		roles []string
		scope []string
	}{
		{asKeycloak("tocsin-api", "account"), keycloakYAML, "test-user2", []string{"analyst"}, []string{"prod/shop"}},
		{asAuth0(false), auth0YAML, "test-user2@zitadel.ch", []string{"analyst", "viewer"}, nil},
	} {
		t.Run(tt.shape.name, func(t *testing.T) {
			t.Parallel()
			api := freePort(t)
			p := newProvider(t, tt.shape, "http://"+api+"/auth/callback")
			p.up(t)
			serve(t, api, config(p, api, tt.yaml))
			b := newBrowser(t, api)
			if got := b.me(); got.Authenticated || !got.Login.OIDC {
				t.Fatalf("before: %+v", got)
			}
			until(t, func() error {
				b.way = nil
				if code, body := b.ask(http.MethodGet, "/auth/login?return=/incidents%3Fstatus=new"); code == http.StatusServiceUnavailable {
					return fmt.Errorf("%d %s", code, body)
				}
				return nil
			})
			if last := b.way[len(b.way)-1]; last.RequestURI() != "/incidents?status=new" {
				t.Errorf("the login ends at %s, by %v", last, b.way)
			}
			q := b.way[0].Query()
			if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" || q.Get("audience") == "" {
				t.Errorf("the login asks %v", q)
			}
			got := b.me()
			if !got.Authenticated || got.Name != tt.name || got.Via != "session" || !slices.Equal(got.Roles, tt.roles) || !slices.Equal(got.Scope, tt.scope) {
				t.Errorf("after: %+v", got)
			}
			if code, body := b.ask(http.MethodGet, "/api/v1/incidents"); code != http.StatusOK {
				t.Errorf("%d %s", code, body)
			}
			if code, body := b.ask(http.MethodPost, "/auth/logout", "Sec-Fetch-Site", "cross-site"); code != http.StatusForbidden {
				t.Errorf("another site logs out: %d %s", code, body)
			}
			id := cookieOf(b, "tocsin_session")
			if code, body := b.ask(http.MethodPost, "/auth/logout"); code != http.StatusOK || !strings.Contains(body, p.url) {
				t.Errorf("logout: %d %s", code, body)
			}
			if got := b.me(); got.Authenticated {
				t.Errorf("after the logout: %+v", got)
			}
			// The session has ended at the server, and not in the browser alone.
			if code, body := newBrowser(t, api).ask(http.MethodGet, "/api/v1/incidents", "Cookie", "tocsin_session="+id); code != http.StatusUnauthorized || !strings.Contains(body, "#session-ended") {
				t.Errorf("the cookie of before: %d %s", code, body)
			}
			_, audit := b.ask(http.MethodGet, "/api/v1/audit", "Authorization", "Bearer the-admin")
			for _, want := range []string{`"operation":"login"`, `"actor":"` + tt.name + `"`, `"operation":"POST /auth/logout"`} {
				if !strings.Contains(audit, want) {
					t.Errorf("the audit log has no %s: %s", want, audit)
				}
			}
		})
	}
}

func cookieOf(b *browser, name string) string {
	u, err := url.Parse(b.api)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	b.t.Fatalf("there is no cookie %s", name)
	return ""
}

// TestLoginsThatFail: without a role, with another's answer, twice with the same, and when nobody logs in at the provider.
func TestLoginsThatFail(t *testing.T) {
	t.Parallel()
	api := freePort(t)
	p := newProvider(t, asKeycloak("tocsin-api"), "http://"+api+"/auth/callback")
	p.up(t)
	serve(t, api, config(p, api, keycloakYAML))
	b := newBrowser(t, api)
	p.as("test-user@127.0.0.1")
	until(t, func() error {
		code, body := b.ask(http.MethodGet, "/auth/login")
		switch {
		case code == http.StatusServiceUnavailable:
			return fmt.Errorf("%d %s", code, body)
		case code != http.StatusForbidden || !strings.Contains(body, "#permission-missing") || !strings.Contains(body, "realm_access.roles"):
			t.Errorf("without a role: %d %s", code, body)
		}
		return nil
	})
	if got := b.me(); got.Authenticated {
		t.Errorf("without a role: %+v", got)
	}
	p.as("test-user2")
	if code, _ := b.ask(http.MethodGet, "/auth/login"); code != http.StatusNotFound && code != http.StatusOK {
		t.Errorf("with one: %d", code)
	}
	used := b.way[len(b.way)-2]
	if used.Path != "/auth/callback" {
		t.Fatalf("the way was %v", b.way)
	}
	// Somebody else is sent to the end of this login, and the same browser is sent there again.
	for _, who := range []*browser{newBrowser(t, api), b} {
		if code, body := who.ask(http.MethodGet, used.RequestURI()); code != http.StatusUnauthorized || !strings.Contains(body, "#login-failed") {
			t.Errorf("the end of a login again: %d %s", code, body)
		}
	}
	// A browser that has begun a login is sent to the end of another's.
	c := newBrowser(t, api)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if code, _ := c.ask(http.MethodGet, "/auth/login"); code != http.StatusSeeOther {
		t.Fatalf("the beginning of a login: %d", code)
	}
	if code, body := c.ask(http.MethodGet, used.RequestURI()); code != http.StatusUnauthorized || c.me().Authenticated {
		t.Errorf("the end of another's: %d %s", code, body)
	}
	if code, _ := c.ask(http.MethodGet, "/auth/login?return=//evil.example"); code != http.StatusSeeOther {
		t.Fatalf("the beginning of a login: %d", code)
	}
	state := cookieState(t, c)
	if code, body := c.ask(http.MethodGet, "/auth/callback?error=access_denied&error_description=no&state="+state); code != http.StatusUnauthorized || !strings.Contains(body, "access_denied") {
		t.Errorf("the provider says no: %d %s", code, body)
	}
}

// cookieState reads what a login has begun with.
func cookieState(t *testing.T, b *browser) string {
	t.Helper()
	var a struct {
		State  string `json:"s"`
		Return string `json:"r"`
	}
	text, err := decode(cookieOf(b, "tocsin_login"))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil || a.Return != "/" {
		t.Fatalf("%v %+v", err, a)
	}
	return a.State
}

// TestAudiences: what a provider's access tokens are worth at the API, before and after somebody has set it up.
func TestAudiences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		shape shape
		yaml  string
		code  int
		want  string
	}{
		{"Keycloak with a mapper", asKeycloak("tocsin-api", "account"), keycloakYAML, 200, `"via":"oidc"`},
		{"Keycloak without", asKeycloak("account"), keycloakYAML, 401, "#token-audience"},
		{"Auth0 with audience", asAuth0(false), auth0YAML, 200, `"via":"oidc"`},
		{"Auth0 without", asAuth0(true), auth0YAML, 401, "ask"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := freePort(t)
			p := newProvider(t, tt.shape, "http://"+api+"/auth/callback")
			p.up(t)
			serve(t, api, config(p, api, tt.yaml))
			token := p.accessToken(t, "http://"+api+"/auth/callback")
			b := newBrowser(t, api)
			until(t, func() error {
				code, body := b.ask(http.MethodGet, "/api/v1/me", "Authorization", "Bearer "+token)
				if code == http.StatusServiceUnavailable {
					return fmt.Errorf("%d %s", code, body)
				}
				if code != tt.code || !strings.Contains(body, tt.want) {
					t.Errorf("%d %s", code, body)
				}
				return nil
			})
		})
	}
}

// TestTheProviderComesLater: the server starts without it, says so, and takes its tokens when it is there.
func TestTheProviderComesLater(t *testing.T) {
	t.Parallel()
	api := freePort(t)
	p := newProvider(t, asKeycloak("tocsin-api"), "http://"+api+"/auth/callback")
	out := serve(t, api, config(p, api, keycloakYAML))
	b := newBrowser(t, api)
	if code, body := b.ask(http.MethodGet, "/auth/login"); code != http.StatusServiceUnavailable || !strings.Contains(body, "#provider-unavailable") {
		t.Errorf("a login meanwhile: %d %s", code, body)
	}
	if code, body := b.ask(http.MethodGet, "/api/v1/incidents", "Authorization", "Bearer the-admin"); code != http.StatusOK {
		t.Errorf("the admin meanwhile: %d %s", code, body)
	}
	until(t, func() error {
		if !strings.Contains(out.String(), "the OIDC provider does not answer") {
			return fmt.Errorf("it is not said:\n%s", out)
		}
		return nil
	})
	p.up(t)
	until(t, func() error {
		b.ask(http.MethodGet, "/auth/login")
		if got := b.me(); !got.Authenticated {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
}
