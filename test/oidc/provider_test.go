// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// shape is how a provider writes its tokens.
type shape struct {
	name string
	// audience is what access tokens have in aud, beside the client's id.
	audience []string
	// claims are those of access tokens, by person.
	claims map[string]map[string]any
	// opaque has access tokens that only the provider can read.
	opaque bool
}

// provider is zitadel's, over a storage that gives tokens another shape.
type provider struct {
	*storage.Storage
	shape

	url     string
	handler http.Handler
	login   atomic.Pointer[string] // who logs in
}

const (
	clientID = "tocsin-console"
	secret   = "a client's secret"
)

// newProvider makes one that is not up yet: see up.
func newProvider(t *testing.T, s shape, redirect string) *provider {
	t.Helper()
	p := &provider{shape: s, url: "http://" + freePort(t)}
	clients := map[string]*storage.Client{clientID: storage.WebClient(clientID, secret, redirect)}
	p.Storage = storage.NewStorageWithClients(storage.NewUserStore(p.url), clients)
	handler, err := op.NewProvider(&op.Config{CodeMethodS256: true, AuthMethodPost: true, CryptoKey: [32]byte{1}, CryptoKeyId: "test"}, p, op.StaticIssuer(p.url), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	// Instead of a page with a form: who is to log in does.
	mux.HandleFunc("/login/username", op.NewIssuerInterceptor(handler.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("authRequestID")
		if err := p.CheckUsernamePassword(*p.login.Load(), "verysecure", id); err != nil {
			t.Error(err)
		}
		http.Redirect(w, r, op.AuthCallbackURL(handler)(r.Context(), id), http.StatusFound)
	}))
	mux.Handle("/", handler)
	p.handler = mux
	p.as("test-user2")
	return p
}

// up has the provider answer from now on.
func (p *provider) up(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: ln, Config: &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}}
	srv.Start()
	t.Cleanup(srv.Close)
}

// as says who logs in.
func (p *provider) as(user string) { p.login.Store(&user) }

// client has JWTs as access tokens.
type client struct {
	op.Client
	opaque bool
}

func (c client) AccessTokenType() op.AccessTokenType {
	if c.opaque {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

// GetClientByClientID implements [op.Storage].
func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := p.Storage.GetClientByClientID(ctx, id)
	return client{c, p.opaque}, err
}

// request is one whose tokens have another audience.
type request struct {
	op.AuthRequest
	audience []string
}

func (r request) GetAudience() []string { return r.audience }

// AuthRequestByCode implements [op.Storage].
func (p *provider) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := p.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	return request{r, p.audience}, nil
}

// GetPrivateClaimsFromScopes implements [op.Storage].
func (p *provider) GetPrivateClaimsFromScopes(_ context.Context, userID, _ string, _ []string) (map[string]any, error) {
	return p.claims[userID], nil
}

func asKeycloak(audience ...string) shape {
	roles := func(rs ...string) map[string]any {
		return map[string]any{"typ": "Bearer", "realm_access": map[string]any{"roles": append(rs, "offline_access")}, "tocsin_scope": []string{"prod/shop"}}
	}
	return shape{name: "Keycloak", audience: audience, claims: map[string]map[string]any{"id2": roles("siem-analyst"), "id1": roles("somebody")}}
}

func asAuth0(opaque bool) shape {
	return shape{
		name: "Auth0", audience: []string{"https://tocsin.example.org/api"}, opaque: opaque,
		claims: map[string]map[string]any{"id2": {"permissions": []string{"siem:analyst"}, "https://tocsin.example.org/roles": []string{"reader"}}, "id1": {"permissions": []string{}}},
	}
}
