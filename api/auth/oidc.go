// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tocsin/incident"
)

// skew is how far the provider's clock may be from ours.
const skew = 60 * time.Second

// Algorithms are those that a provider may sign with. None of them is symmetric: the public key of one must not become the
// secret of another.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// OIDCConfig names a provider.
type OIDCConfig struct {
	// Issuer is exactly what tokens have in iss.
	Issuer string
	// Audience is what access tokens must have in aud.
	Audience string
	// Algorithms are those of [Algorithms] that are taken; RS256 if there are none.
	Algorithms []string
	Mapping    Mapping

	// ClientID and the rest are for logins at the console; without ClientID there are none.
	ClientID, ClientSecret string
	// Redirect is the address of /auth/callback as browsers reach it.
	Redirect string
	Scopes   []string
	// Session is how long a login lasts.
	Session time.Duration

	// Client makes the requests to the provider.
	Client *http.Client
	Now    func() time.Time
	Log    *slog.Logger
}

// OIDC knows a provider, as soon as that answers.
type OIDC struct {
	OIDCConfig
	provider atomic.Pointer[provider]
	problem  atomic.Pointer[string]
}

// provider is what discovery has said.
type provider struct {
	oidc        *oidc.Provider
	tokens, ids *oidc.IDTokenVerifier
	oauth       oauth2.Config
	// endSession is where a logout at the provider begins, "" if it has none.
	endSession string
}

// NewOIDC returns a provider that is not known yet: see [OIDC.Run].
func NewOIDC(c OIDCConfig) *OIDC {
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"RS256"}
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	o := &OIDC{OIDCConfig: c}
	o.fails(errors.New("it has not been asked yet"))
	return o
}

func (o *OIDC) fails(err error) {
	text := err.Error()
	o.problem.Store(&text)
}

// Problem says why the provider is not known, "" if it is.
func (o *OIDC) Problem() string {
	if o.provider.Load() != nil {
		return ""
	}
	return *o.problem.Load()
}

// Run asks the provider who it is until it has answered, or ctx ends: it may be down when we start.
func (o *OIDC) Run(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := o.Discover(ctx)
		if err == nil {
			o.Log.Info("the OIDC provider is known", "issuer", o.Issuer)
			return
		}
		if ctx.Err() != nil {
			return
		}
		o.Log.Warn("the OIDC provider does not answer: its tokens and logins are refused until it does", "issuer", o.Issuer, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Discover asks the provider once.
func (o *OIDC) Discover(ctx context.Context) error {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, o.Client), o.Issuer)
	if err != nil {
		o.fails(err)
		return fmt.Errorf("discovery at %s: %w", o.Issuer, err)
	}
	var more struct {
		JWKS       string `json:"jwks_uri"`
		EndSession string `json:"end_session_endpoint"`
	}
	if err := p.Claims(&more); err != nil {
		o.fails(err)
		return fmt.Errorf("discovery at %s: %w", o.Issuer, err)
	}
	// Times are looked at below: the library's leeway for nbf is five minutes.
	checks := oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: o.Algorithms}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), o.sparing()), more.JWKS)
	tokens := oidc.NewVerifier(o.Issuer, keys, &checks)
	mine := checks
	mine.SkipClientIDCheck, mine.ClientID = o.ClientID == "", o.ClientID
	o.provider.Store(&provider{
		oidc: p, tokens: tokens, ids: oidc.NewVerifier(o.Issuer, keys, &mine), endSession: more.EndSession,
		oauth: oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: o.Redirect, Scopes: o.Scopes},
	})
	return nil
}

// Principal returns whose access token a text is.
func (o *OIDC) Principal(ctx context.Context, text string) (Principal, *Refusal) {
	claims, expires, refused := o.access(ctx, text)
	if refused != nil {
		return Principal{}, refused
	}
	p, refused := o.person(claims)
	p.Via, p.Expires = ViaOIDC, expires.UnixNano()
	return p, refused
}

// person maps claims to a principal, whose proof is the caller's to name.
func (o *OIDC) person(claims ...map[string]any) (Principal, *Refusal) {
	m := o.Mapping
	p := Principal{Name: m.name(claims...), Roles: []string{}}
	if p.Name == "" {
		return p, unproven(MalformedToken, "the token names nobody: it has no sub")
	}
	var scope []string
	for _, c := range claims {
		for _, role := range m.roles(c) {
			if !slices.Contains(p.Roles, role) {
				p.Roles = append(p.Roles, role)
			}
		}
		if m.Scope == "" {
			continue
		}
		if scope == nil {
			scope = []string{}
		}
		for _, s := range m.scope(c) {
			if !slices.Contains(scope, s) {
				scope = append(scope, s)
			}
		}
	}
	var err error
	if p.Scope, err = incident.ParseScope(scope); err != nil {
		return p, forbidden(OutsideScope, "the claim "+m.Scope+": "+err.Error())
	}
	return p, nil
}

// access checks an access token and returns its claims.
func (o *OIDC) access(ctx context.Context, text string) (map[string]any, time.Time, *Refusal) {
	none := time.Time{}
	if refused := o.looksRight(text); refused != nil {
		return nil, none, refused
	}
	p := o.provider.Load()
	if p == nil {
		return nil, none, unavailable(NoProvider, "the OIDC provider does not answer yet: try again soon, or use an API token")
	}
	t, err := p.tokens.Verify(oidc.ClientContext(ctx, o.Client), text)
	if err != nil {
		return nil, none, o.unverified(err)
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return nil, none, unproven(MalformedToken, "the claims of the token are no JSON object")
	}
	if refused := o.timely(t, claims); refused != nil {
		return nil, none, refused
	}
	if refused := o.forUs(t.Audience, claims); refused != nil {
		return nil, none, refused
	}
	return claims, t.Expiry, nil
}

// timely checks exp and nbf, with [skew].
func (o *OIDC) timely(t *oidc.IDToken, claims map[string]any) *Refusal {
	now := o.Now()
	if _, ok := claims["exp"].(float64); !ok {
		return unproven(MalformedToken, "the token never expires: it has no exp")
	}
	if !now.Before(t.Expiry.Add(skew)) {
		return unproven(ExpiredToken, "the token expired at "+t.Expiry.UTC().Format(time.RFC3339)+": get a new one")
	}
	for _, name := range []string{"nbf", "iat"} {
		seconds, ok := claims[name].(float64)
		if from := time.Unix(int64(seconds), 0); ok && from.After(now.Add(skew)) {
			return unproven(EarlyToken, fmt.Sprintf("the token is not valid before %s (%s): is the provider's clock right?", from.UTC().Format(time.RFC3339), name))
		}
	}
	return nil
}

// forUs checks that a token is an access token, and for this server.
func (o *OIDC) forUs(audience []string, claims map[string]any) *Refusal {
	// Keycloak says in typ what a token is; an ID token of any provider has at_hash if it came with an access token.
	if typ, _ := claims["typ"].(string); typ != "" && typ != "Bearer" {
		return unproven(WrongKind, fmt.Sprintf("this is a token of the type %q: send the access token", typ))
	}
	if claims["at_hash"] != nil {
		return unproven(WrongKind, "this is an ID token: send the access token")
	}
	if slices.Contains(audience, o.Audience) {
		return nil
	}
	who, _ := claims["azp"].(string)
	switch {
	case len(audience) == 0, slices.Equal(audience, []string{"account"}):
		return unproven(WrongAudience, fmt.Sprintf(
			"the token's audience is %q, and has to have %q: in Keycloak, give the client %q a mapper of the type Audience for it", audience, o.Audience, who))
	}
	return unproven(WrongAudience, fmt.Sprintf("the token is for %q, not for %q: ask the provider for the audience %q", audience, o.Audience, o.Audience))
}

// unverified says what was wrong with a token that the library refuses. Its own words are for the log.
func (o *OIDC) unverified(err error) *Refusal {
	o.Log.Debug("an access token is refused", "err", err)
	text := err.Error() // the library wraps nothing
	if strings.Contains(text, errSpared.Error()) {
		return unproven(WrongSignature, "the provider has no key that the token is signed with; its keys were asked for a moment ago: if it has new ones, try again in 10 seconds")
	}
	if strings.Contains(text, "fetching keys") {
		return unavailable(NoProvider, "the keys of the OIDC provider cannot be fetched now: try again")
	}
	if strings.Contains(text, "signature") {
		return unproven(WrongSignature, "the token is not signed with a key of "+o.Issuer)
	}
	return unproven(MalformedToken, "the token cannot be read")
}
