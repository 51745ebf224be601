// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tocsin/api/auth"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	asAuth0 := func(cfg *auth.OIDCConfig) {
		cfg.Audience = "https://tocsin.example.org/api"
		cfg.Mapping.Roles = []string{"permissions", "https://tocsin.example.org/roles"}
		cfg.Mapping.Map = map[string]string{"siem:analyst": auth.Analyst, "boss": auth.Admin}
	}
	kc, a0 := keycloak(p, c.Now()), auth0(p, c.Now())
	for _, tt := range []struct {
		name   string
		change func(*auth.OIDCConfig)
		header map[string]any
		claims map[string]any
		who    string
		roles  []string
	}{
		{"Keycloak", func(*auth.OIDCConfig) {}, map[string]any{"typ": "JWT"}, kc, "ana", []string{auth.Analyst}},
		{"Keycloak, roles of a client", func(cfg *auth.OIDCConfig) {
			cfg.Mapping.Roles = []string{"resource_access.tocsin.roles"}
			cfg.Mapping.Map = map[string]string{"operator": auth.Engineer, "view-profile": auth.Admin}
		}, nil, kc, "ana", []string{auth.Engineer}},
		{"Keycloak, groups", func(cfg *auth.OIDCConfig) { cfg.Mapping.Roles = []string{"groups"} }, nil, with(kc, "groups", []string{"siem-admin", "siem-admin"}), "ana", []string{auth.Admin}},
		{"one audience as a text", func(*auth.OIDCConfig) {}, nil, with(kc, "aud", "tocsin-api"), "ana", []string{auth.Analyst}},
		{"Auth0", asAuth0, map[string]any{"typ": "JWT"}, a0, "auth0|5f7c", []string{auth.Analyst, auth.Admin}},
		{"Auth0, RFC 9068", asAuth0, map[string]any{"typ": "at+jwt"}, a0, "auth0|5f7c", []string{auth.Analyst, auth.Admin}},
		{"the whole type", asAuth0, map[string]any{"typ": "application/at+jwt"}, a0, "auth0|5f7c", []string{auth.Analyst, auth.Admin}},
		{"Auth0 without RBAC has no permissions", asAuth0, nil, with(a0, "permissions", nil, "https://tocsin.example.org/roles", nil), "auth0|5f7c", []string{}},
		{"roles that the map does not have", func(*auth.OIDCConfig) {}, nil, with(kc, "realm_access", map[string]any{"roles": []string{"admin", "viewer"}}), "ana", []string{}},
		{"roles of another form", func(*auth.OIDCConfig) {}, nil, with(kc, "realm_access", []any{"siem-admin"}), "ana", []string{}},
		{"a name that is ours", func(*auth.OIDCConfig) {}, nil, with(kc, "preferred_username", "admin"), "oidc:admin", []string{auth.Analyst}},
		{"a name like a token's", func(*auth.OIDCConfig) {}, nil, with(kc, "preferred_username", "token:ci"), "oidc:token:ci", []string{auth.Analyst}},
		{"a minute of skew", func(*auth.OIDCConfig) {}, nil, with(kc, "exp", c.Now().Add(-50*time.Second).Unix(), "nbf", c.Now().Add(50*time.Second).Unix()), "ana", []string{auth.Analyst}},
	} {
		o := known(t, p, c, tt.change)
		header := with(map[string]any{"kid": "one"})
		maps.Copy(header, tt.header)
		got, refused := o.Principal(t.Context(), sign(t, jose.RS256, p.key("one"), header, tt.claims))
		if refused != nil || got.Name != tt.who || !slices.Equal(got.Roles, tt.roles) || got.Via != auth.ViaOIDC || got.Scope != nil {
			t.Errorf("%s: %+v, %v; want %s with %v", tt.name, got, refused, tt.who, tt.roles)
		}
	}
}

// TestAttacks has each token that must not be taken: 401, with a reason that a client can act on.
func TestAttacks(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	evil := newProvider(t) // another issuer, whose keys are its own
	evil.rotate("one", rsaKey(t))
	o := known(t, p, c)
	now := c.Now()
	good, mine := keycloak(p, now), p.key("one")
	kid := map[string]any{"kid": "one"}
	public, _ := mine.Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	asSecret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	hs256 := func(secret []byte) string {
		text := unsigned(t, map[string]any{"alg": "HS256", "kid": "one"}, good, "")
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(strings.TrimSuffix(text, ".")))
		return text + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	whole := sign(t, jose.RS256, mine, kid, good)
	head, rest, _ := strings.Cut(whole, ".")
	body, signature, _ := strings.Cut(rest, ".")
	_, admin, _ := strings.Cut(unsigned(t, kid, with(good, "realm_access", map[string]any{"roles": []string{"siem-admin"}}), ""), ".")

	for _, tt := range []struct{ name, token, want, says string }{
		{"expired", sign(t, jose.RS256, mine, kid, with(good, "exp", now.Add(-61*time.Second).Unix())), auth.ExpiredToken, "get a new one"},
		{"without an end", sign(t, jose.RS256, mine, kid, with(good, "exp", nil)), auth.MalformedToken, "no exp"},
		{"not yet valid", sign(t, jose.RS256, mine, kid, with(good, "nbf", now.Add(62*time.Second).Unix())), auth.EarlyToken, "nbf"},
		{"issued in the future", sign(t, jose.RS256, mine, kid, with(good, "iat", now.Add(time.Hour).Unix())), auth.EarlyToken, "clock"},
		{"unsigned", unsigned(t, map[string]any{"alg": "none"}, good, ""), auth.WrongAlgorithm, "RS256"},
		{"unsigned, in other letters", unsigned(t, map[string]any{"alg": "nOnE"}, good, ""), auth.WrongAlgorithm, "RS256"},
		{"without an algorithm", unsigned(t, kid, good, signature), auth.WrongAlgorithm, ""},
		{"the signature taken away", head + "." + body + ".", auth.WrongSignature, ""},
		{"HMAC with the public key", hs256(asSecret), auth.WrongAlgorithm, "HS256"},
		{"HMAC with the public key's bytes", hs256(der), auth.WrongAlgorithm, "HS256"},
		{"RS384, which is not in the list", sign(t, jose.RS384, mine, kid, good), auth.WrongAlgorithm, "RS384"},
		{"another key of the same name", sign(t, jose.RS256, evil.key("one"), kid, good), auth.WrongSignature, "key"},
		{"another claim", head + "." + strings.TrimSuffix(admin, ".") + "." + signature, auth.WrongSignature, ""},
		{"another issuer, by its own key", sign(t, jose.RS256, evil.key("one"), kid, keycloak(evil, now)), auth.WrongIssuer, evil.URL},
		{"another issuer, by our key", sign(t, jose.RS256, mine, kid, with(good, "iss", evil.URL)), auth.WrongIssuer, "last slash"},
		{"the issuer with a slash", sign(t, jose.RS256, mine, kid, with(good, "iss", p.URL+"/")), auth.WrongIssuer, "last slash"},
		{"another audience", sign(t, jose.RS256, mine, kid, with(good, "aud", "billing")), auth.WrongAudience, "tocsin-api"},
		{"Keycloak without a mapper", sign(t, jose.RS256, mine, kid, with(good, "aud", "account")), auth.WrongAudience, `client "siem-cli" a mapper of the type Audience`},
		{"Keycloak without any audience", sign(t, jose.RS256, mine, kid, with(good, "aud", nil)), auth.WrongAudience, "mapper"},
		{"the client is no audience", sign(t, jose.RS256, mine, kid, with(good, "aud", nil, "azp", "tocsin-api")), auth.WrongAudience, "mapper"},
		{"a kid that is an address", sign(t, jose.RS256, evil.key("one"), map[string]any{"kid": evil.URL + "/keys"}, good), auth.WrongSignature, ""},
		{"a kid that is a file", sign(t, jose.RS256, evil.key("one"), map[string]any{"kid": "../../../dev/null"}, good), auth.WrongSignature, ""},
		{"jku", sign(t, jose.RS256, evil.key("one"), map[string]any{"kid": "one", "jku": evil.URL + "/keys"}, good), auth.WrongSignature, ""},
		{"x5u", sign(t, jose.RS256, evil.key("one"), map[string]any{"kid": "one", "x5u": evil.URL + "/cert"}, good), auth.WrongSignature, ""},
		{"a key in the header", sign(t, jose.RS256, evil.key("one"), map[string]any{"jwk": jose.JSONWebKey{Key: evil.key("one").Public()}}, good), auth.WrongSignature, ""},
		{"an ID token", sign(t, jose.RS256, mine, kid, with(good, "typ", "ID")), auth.WrongKind, "access token"},
		{"an ID token of another provider", sign(t, jose.RS256, mine, kid, with(good, "typ", nil, "at_hash", "x")), auth.WrongKind, "access token"},
		{"a refresh token", sign(t, jose.RS256, mine, kid, with(good, "typ", "Refresh")), auth.WrongKind, "access token"},
		{"another type of JWT", sign(t, jose.RS256, mine, map[string]any{"kid": "one", "typ": "logout+jwt"}, good), auth.WrongKind, "logout+jwt"},
		{"nobody", sign(t, jose.RS256, mine, kid, with(good, "sub", nil, "preferred_username", nil, "email", nil)), auth.MalformedToken, "names nobody"},
		{"Auth0's opaque token", "xB9Zq3fYkqWn2J0g7", auth.MalformedToken, "audience=tocsin-api"},
		{"Auth0's encrypted token", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn", auth.MalformedToken, "audience=tocsin-api"},
		{"no JSON", "a.b.c", auth.MalformedToken, "no JWT"},
		{"empty parts", "..", auth.MalformedToken, "no JWT"},
	} {
		got, refused := o.Principal(t.Context(), tt.token)
		if refused == nil || refused.Status != http.StatusUnauthorized || refused.Reason != tt.want || !strings.Contains(refused.Detail, tt.says) {
			t.Errorf("%s: %+v, %v; want %s", tt.name, got, refused, tt.want)
			continue
		}
		for _, inner := range []string{"oidc:", "jose", "goroutine", "panic"} {
			if strings.Contains(refused.Detail, inner) {
				t.Errorf("%s tells what is inside: %s", tt.name, refused.Detail)
			}
		}
	}
	if _, refused := o.Principal(t.Context(), whole); refused != nil {
		t.Errorf("the token that all these were made from: %v", refused)
	}
	if n := evil.fetched.Load() + evil.others.Load(); n != 0 {
		t.Errorf("somebody else's server was asked %d times", n)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	o := known(t, p, c, func(cfg *auth.OIDCConfig) { cfg.Algorithms = []string{"RS256", "ES256"} })
	old := sign(t, jose.RS256, p.key("one"), map[string]any{"kid": "one"}, keycloak(p, c.Now()))
	ok := func(name, token string, want string) {
		t.Helper()
		_, refused := o.Principal(t.Context(), token)
		if got := ""; refused != nil && refused.Reason != want || refused == nil && want != got {
			t.Errorf("%s: %v, want %q", name, refused, want)
		}
	}
	ok("the first key", old, "")
	p.rotate("two", ecKey(t))
	next := sign(t, jose.ES256, p.key("two"), map[string]any{"kid": "two"}, keycloak(p, c.Now()))
	ok("a new key, a moment after the keys were fetched", next, auth.WrongSignature)
	c.pass(keysEvery)
	ok("the same, when they may be fetched again", next, "")
	ok("the old key, which is no longer published", old, auth.WrongSignature)

	// Whoever makes up keys has them fetched once in a while, and keeps nobody out.
	before := p.fetched.Load()
	for range 50 {
		ok("a key that there is not", sign(t, jose.ES256, ecKey(t), map[string]any{"kid": "none"}, keycloak(p, c.Now())), auth.WrongSignature)
		ok("the key that is in use meanwhile", next, "")
	}
	if n := p.fetched.Load() - before; n > 1 {
		t.Errorf("50 keys that there are not had the keys fetched %d times", n)
	}
}

// keysEvery is a little more than how often keys are fetched at most.
const keysEvery = 11 * time.Second

func TestTheProviderIsAway(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	p.setDown(true)
	o := auth.NewOIDC(auth.OIDCConfig{Issuer: p.URL, Audience: "tocsin-api", Client: p.Client(), Now: c.Now, Log: discard()})
	text := sign(t, jose.RS256, p.key("one"), map[string]any{"kid": "one"}, keycloak(p, c.Now()))
	if err := o.Discover(t.Context()); err == nil || o.Problem() == "" {
		t.Errorf("Discover of a provider that is down: %v, %q", err, o.Problem())
	}
	if _, refused := o.Principal(t.Context(), text); refused == nil || refused.Status != http.StatusServiceUnavailable || refused.Reason != auth.NoProvider {
		t.Errorf("a token meanwhile: %v", refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.Run(ctx)
	}()
	p.setDown(false)
	<-done // it asks until it is answered
	cancel()
	if o.Problem() != "" {
		t.Errorf("after it came: %q", o.Problem())
	}
	p.setDown(true)
	if _, refused := o.Principal(t.Context(), text); refused == nil || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("its keys cannot be fetched: %v", refused)
	}
	p.setDown(false)
	c.pass(2 * time.Second)
	if _, refused := o.Principal(t.Context(), text); refused != nil {
		t.Errorf("its keys can be fetched again: %v", refused)
	}
}

// A provider that says that it is another is none: whoever is on the way could be it.
func TestDiscoveryOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Config.Handler.ServeHTTP(w, r) }))
	defer front.Close()
	o := auth.NewOIDC(auth.OIDCConfig{Issuer: front.URL, Audience: "tocsin-api", Client: front.Client(), Now: c.Now, Log: discard()})
	if err := o.Discover(t.Context()); err == nil || !strings.Contains(err.Error(), p.URL) {
		t.Errorf("Discover: %v", err)
	}
}

func TestScopeOfAClaim(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	o := known(t, p, c, func(cfg *auth.OIDCConfig) { cfg.Mapping.Scope = "tocsin_scope" })
	for _, tt := range []struct {
		name   string
		claim  any
		want   []string
		reason string
	}{
		{"a list", []string{"prod/shop", "test/*"}, []string{"prod/shop", "test/*"}, ""},
		{"a text", "prod/shop test/*", []string{"prod/shop", "test/*"}, ""},
		{"everything", []string{"test/a", "*/*"}, nil, ""},
		{"no claim is nothing", nil, []string{}, ""},
		{"an empty list is nothing", []string{}, []string{}, ""},
		{"another form is nothing", 7, []string{}, ""},
		{"what is no scope", []string{"shop"}, nil, auth.OutsideScope},
	} {
		got, refused := o.Principal(t.Context(), sign(t, jose.RS256, p.key("one"), map[string]any{"kid": "one"}, with(keycloak(p, c.Now()), "tocsin_scope", tt.claim)))
		switch {
		case tt.reason != "":
			if refused == nil || refused.Reason != tt.reason {
				t.Errorf("%s: %+v, %v", tt.name, got, refused)
			}
		case refused != nil || (got.Scope == nil) != (tt.want == nil) || !slices.Equal(got.Scope.Texts(), tt.want):
			t.Errorf("%s: %v, %v", tt.name, got.Scope, refused)
		}
	}
}

// FuzzToken never lets in what was not signed, and never panics.
func FuzzToken(f *testing.F) {
	p, c := newProvider(f), newClock()
	o := known(f, p, c)
	good := sign(f, jose.RS256, p.key("one"), map[string]any{"kid": "one"}, keycloak(p, c.Now()))
	if _, refused := o.Principal(f.Context(), good); refused != nil {
		f.Fatal(refused)
	}
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	f.Add(head, body, "")
	f.Add("eyJhbGciOiJub25lIn0", body, signature)
	f.Fuzz(func(t *testing.T, h, b, s string) {
		text := h + "." + b + "." + s
		if text == good {
			return
		}
		if got, refused := o.Principal(context.Background(), text); refused == nil {
			t.Errorf("%q is %+v", text, got)
		}
	})
}
