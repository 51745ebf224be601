// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tocsin/api/auth"
)

// TestEndsOfLogins has a provider, or whoever is on the way, answer a login in many ways; test/oidc has a true one.
func TestEndsOfLogins(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	o := known(t, p, c, func(cfg *auth.OIDCConfig) {
		cfg.ClientID, cfg.Redirect, cfg.Scopes, cfg.Session = "console", "https://tocsin.example.org/auth/callback", []string{"openid"}, time.Hour
	})
	now := c.Now()
	kid := map[string]any{"kid": "one"}
	access := func(changes ...any) string {
		return sign(t, jose.RS256, p.key("one"), kid, with(keycloak(p, now), changes...))
	}
	id := map[string]any{"iss": p.URL, "sub": "f3b0", "aud": "console", "azp": "console", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "at_hash": "x"}
	for _, tt := range []struct {
		name   string
		state  string // "" is the right one
		id     func(claims map[string]any) string
		access string
		roles  []string
		says   string // "" is a login that goes well
	}{
		{name: "well", access: access(), roles: []string{auth.Analyst}},
		{name: "an access token that is opaque", access: "opaque", roles: []string{}},
		{name: "an access token for another", access: access("aud", "billing"), roles: []string{}},
		{name: "an access token of somebody else", access: access("sub", "other"), roles: []string{}},
		{name: "roles in the ID token", access: "opaque", id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "realm_access", map[string]any{"roles": []string{"siem-admin"}}))
		}, roles: []string{auth.Admin}},
		{name: "another state", state: "of another browser", access: access(), says: "not the login that this browser began"},
		{name: "another nonce", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "nonce", "of another login"))
		}, says: "of another login"},
		{name: "no nonce", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "nonce", nil))
		}, says: "of another login"},
		{name: "an ID token for another client", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "aud", "billing"))
		}, says: "is refused"},
		{name: "an ID token made for another client", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "aud", []string{"console", "billing"}, "azp", "billing"))
		}, says: "another client"},
		{name: "several audiences and no azp", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "aud", []string{"console", "billing"}, "azp", nil))
		}, says: "another client"},
		{name: "an ID token that has expired", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, p.key("one"), kid, with(claims, "exp", now.Add(-2*time.Minute).Unix()))
		}, says: "expired"},
		{name: "an ID token that is not signed", access: access(), id: func(claims map[string]any) string {
			return unsigned(t, map[string]any{"alg": "none"}, claims, "")
		}, says: "is refused"},
		{name: "an ID token of another's key", access: access(), id: func(claims map[string]any) string {
			return sign(t, jose.RS256, rsaKey(t), kid, claims)
		}, says: "is refused"},
		{name: "no ID token", access: access(), id: func(map[string]any) string { return "" }, says: "is refused"},
	} {
		to, attempt, refused := o.Begin("/")
		if refused != nil || !strings.Contains(to, "nonce="+attempt.Nonce) || strings.Contains(to, attempt.Verifier) {
			t.Fatalf("Begin = %s, %v", to, refused)
		}
		claims := with(id, "nonce", attempt.Nonce)
		token := sign(t, jose.RS256, p.key("one"), kid, claims)
		if tt.id != nil {
			token = tt.id(claims)
		}
		p.mu.Lock()
		p.answer = map[string]any{"access_token": tt.access, "token_type": "Bearer", "id_token": token}
		p.mu.Unlock()
		state := attempt.State
		if tt.state != "" {
			state = tt.state
		}
		who, subject, refused := o.Finish(t.Context(), attempt, url.Values{"state": {state}, "code": {"c"}})
		switch {
		case tt.says != "":
			if refused == nil || refused.Status != 401 || !strings.Contains(refused.Detail, tt.says) {
				t.Errorf("%s: %+v, %v", tt.name, who, refused)
			}
		case refused != nil || subject != "f3b0" || who.Via != auth.ViaSession || !slices.Equal(who.Roles, tt.roles):
			t.Errorf("%s: %+v of %s, %v", tt.name, who, subject, refused)
		case (len(tt.roles) == 0) != (o.NoRoles(who) != nil):
			t.Errorf("%s: %v", tt.name, o.NoRoles(who))
		}
	}
	if _, _, refused := o.Finish(t.Context(), auth.Attempt{}, url.Values{"state": {""}, "code": {"c"}}); refused == nil {
		t.Error("a login that nobody began")
	}
}
