// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"tocsin/api/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider publishes who it is and its keys, as Keycloak and Auth0 do.
type provider struct {
	*httptest.Server
	t testing.TB
	// fetched counts how often the keys were asked for, others what else was.
	fetched, others atomic.Int64

	mu   sync.Mutex
	keys map[string]crypto.Signer
	down bool
	// answer is what a code is worth.
	answer map[string]any
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{t: t, keys: make(map[string]crypto.Signer)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if p.isDown() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.write(w, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetched.Add(1)
		if p.isDown() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		var set jose.JSONWebKeySet
		for kid, key := range p.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
		}
		p.write(w, set)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.write(w, p.answer)
	})
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { p.others.Add(1) })
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.rotate("one", rsaKey(t))
	return p
}

func (p *provider) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

func (p *provider) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// rotate has the provider sign with another key, and forget the ones before.
func (p *provider) rotate(kid string, key crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = map[string]crypto.Signer{kid: key}
}

func (p *provider) key(kid string) crypto.Signer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[kid]
}

func (p *provider) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// rsaKey makes a key.
func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sign makes a token with a header of one's own.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, header, claims map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for name, v := range header {
		opts = opts.WithHeader(jose.HeaderKey(name), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unsigned makes a token that is as a header says, with a signature of one's own.
func unsigned(t testing.TB, header, claims map[string]any, signature string) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(header) + "." + part(claims) + "." + signature
}

// clock is one that a test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Now().UnixNano())
	return c
}

func (c *clock) Now() time.Time        { return time.Unix(0, c.ns.Load()) }
func (c *clock) pass(by time.Duration) { c.ns.Add(int64(by)) }

// with returns claims with some changed; nil takes one away.
func with(claims map[string]any, changes ...any) map[string]any {
	out := maps.Clone(claims)
	for i := 0; i < len(changes); i += 2 {
		name, _ := changes[i].(string)
		if out[name] = changes[i+1]; changes[i+1] == nil {
			delete(out, name)
		}
	}
	return out
}

// keycloak is what an access token of Keycloak's says, once it has an audience mapper.
func keycloak(p *provider, now time.Time) map[string]any {
	return map[string]any{
		"exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "jti": "onrtac:1", "iss": p.URL, "aud": []string{"tocsin-api", "account"},
		"sub": "f3b0", "typ": "Bearer", "azp": "siem-cli", "sid": "s1", "scope": "openid email profile", "email_verified": true,
		"realm_access":       map[string]any{"roles": []string{"offline_access", "siem-analyst", "uma_authorization"}},
		"resource_access":    map[string]any{"tocsin": map[string]any{"roles": []string{"operator"}}, "account": map[string]any{"roles": []string{"view-profile"}}},
		"preferred_username": "ana", "email": "ana@example.org",
	}
}

// auth0 is what one of Auth0's says, with RBAC and "Add Permissions in the Access Token" on.
func auth0(p *provider, now time.Time) map[string]any {
	return map[string]any{
		"iss": p.URL, "sub": "auth0|5f7c", "aud": []string{"https://tocsin.example.org/api", "https://example.eu.auth0.com/userinfo"},
		"iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(), "scope": "openid profile", "azp": "Xj3", "gty": "password",
		"permissions": []string{"siem:analyst"}, "https://tocsin.example.org/roles": []string{"boss"},
	}
}

// known is a provider that has answered.
func known(t testing.TB, p *provider, c *clock, change ...func(*auth.OIDCConfig)) *auth.OIDC {
	t.Helper()
	cfg := auth.OIDCConfig{
		Issuer: p.URL, Audience: "tocsin-api", Client: p.Client(), Now: c.Now, Log: discard(),
		Mapping: auth.Mapping{
			Name: []string{"preferred_username", "email"}, Roles: []string{"realm_access.roles"},
			Map: map[string]string{"siem-analyst": auth.Analyst, "siem-admin": auth.Admin},
		},
	}
	for _, fn := range change {
		fn(&cfg)
	}
	o := auth.NewOIDC(cfg)
	if err := o.Discover(context.Background()); err != nil {
		t.Fatal(err)
	}
	return o
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
