// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Attempt is a login that has begun: what the browser keeps until it comes back from the provider.
type Attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	// Return is the path of the console to go on at.
	Return string `json:"r"`
}

// LogsIn reports whether people can log in at the console.
func (o *OIDC) LogsIn() bool { return o != nil && o.ClientID != "" }

// Secure reports whether browsers reach the console over TLS.
func (o *OIDC) Secure() bool { return strings.HasPrefix(o.Redirect, "https://") }

// Begin starts a login and returns where the browser has to go.
func (o *OIDC) Begin(back string) (string, Attempt, *Refusal) {
	p := o.provider.Load()
	if p == nil {
		return "", Attempt{}, unavailable(NoProvider, "the OIDC provider does not answer yet: try again soon")
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: back}
	opts := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if o.Audience != "" {
		opts = append(opts, oauth2.SetAuthURLParam("audience", o.Audience)) // Auth0 makes a JWT for it; others ignore it
	}
	return p.oauth.AuthCodeURL(a.State, opts...), a, nil
}

// Finish ends a login with what the provider sent the browser back with. It returns who it is, and their subject.
func (o *OIDC) Finish(ctx context.Context, a Attempt, q url.Values) (Principal, string, *Refusal) {
	nobody := Principal{}
	p := o.provider.Load()
	if p == nil {
		return nobody, "", unavailable(NoProvider, "the OIDC provider does not answer yet: try again soon")
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return nobody, "", unproven(FailedLogin, "this is not the login that this browser began: begin again at /auth/login")
	}
	if why := q.Get("error"); why != "" {
		return nobody, "", unproven(FailedLogin, fmt.Sprintf("the provider says %q: %s", short(why), short(q.Get("error_description"))))
	}
	ctx = oidc.ClientContext(ctx, o.Client)
	got, err := p.oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		o.Log.Warn("a login failed: the provider gives no tokens for its code", "err", err)
		return nobody, "", unproven(FailedLogin, "the provider gives no tokens for its code: is the client secret right? begin again at /auth/login")
	}
	raw, _ := got.Extra("id_token").(string)
	claims, subject, refused := o.identity(ctx, p, raw, a.Nonce)
	if refused != nil {
		return nobody, "", refused
	}
	all := []map[string]any{claims}
	// Roles may be in the access token alone, as Keycloak has them. One that is not for us says nothing.
	if more, _, refused := o.access(ctx, got.AccessToken); refused == nil && more["sub"] == subject {
		all = append(all, more)
	} else if refused != nil {
		o.Log.Info("the access token of a login is left out", "why", refused.Detail)
	}
	if p.oidc.UserInfoEndpoint() != "" {
		if more := o.userinfo(ctx, p, got, subject); more != nil {
			all = append(all, more)
		}
	}
	who, refused := o.person(all...)
	who.Via = ViaSession
	return who, subject, refused
}

// userinfo asks the provider for what it does not write into ID tokens: OpenID wants names and addresses asked for. A login does
// without if it does not answer.
func (o *OIDC) userinfo(ctx context.Context, p *provider, got *oauth2.Token, subject string) map[string]any {
	info, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(got))
	var claims map[string]any
	if err == nil && info.Subject == subject {
		err = info.Claims(&claims)
	}
	if err != nil {
		o.Log.Info("what the provider knows of a person is left out of their login", "err", err)
		return nil
	}
	return claims
}

// identity checks an ID token.
func (o *OIDC) identity(ctx context.Context, p *provider, raw, nonce string) (map[string]any, string, *Refusal) {
	t, err := p.ids.Verify(ctx, raw)
	if err != nil {
		o.Log.Warn("a login failed: its ID token is refused", "err", err)
		return nil, "", unproven(FailedLogin, "the ID token of the provider is refused: begin again at /auth/login")
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return nil, "", unproven(FailedLogin, "the claims of the ID token are no JSON object")
	}
	if refused := o.timely(t, claims); refused != nil {
		return nil, "", refused
	}
	if subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1 {
		return nil, "", unproven(FailedLogin, "the ID token is of another login: begin again at /auth/login")
	}
	if azp, _ := claims["azp"].(string); azp != "" && azp != o.ClientID || azp == "" && len(t.Audience) > 1 {
		return nil, "", unproven(FailedLogin, "the ID token was made for another client")
	}
	return claims, t.Subject, nil
}

// LogoutURL returns where a browser ends the provider's own session, "" if the provider has no such place.
func (o *OIDC) LogoutURL() string {
	p := o.provider.Load()
	if p == nil || p.endSession == "" {
		return ""
	}
	u, err := url.Parse(p.endSession)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", o.ClientID)
	if home, err := url.Parse(o.Redirect); err == nil {
		home.Path, home.RawQuery = "/", ""
		q.Set("post_logout_redirect_uri", home.String())
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// NoRoles refuses who has proven who they are and has no role.
func (o *OIDC) NoRoles(p Principal) *Refusal {
	if slices.ContainsFunc(p.Roles, func(r string) bool { return len(Roles()[r]) > 0 }) {
		return nil
	}
	return &Refusal{http.StatusForbidden, MissingRight, fmt.Sprintf(
		"you are %s, and no claim of %v has a role that api.oidc.map knows: ask who runs this server", p.Name, o.Mapping.Roles)}
}
