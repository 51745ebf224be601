// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tocsin/incident"
)

// SessionCookie names the cookie of a login; the prefix has browsers take it from this host alone, over TLS.
const SessionCookie = "__Host-tocsin_session"

// PlainSessionCookie is its name where the console is served without TLS, on a developer's machine.
const PlainSessionCookie = "tocsin_session"

// Config is what a [Gate] needs.
type Config struct {
	// AdminToken is the one of the configuration, "" for none.
	AdminToken string
	// Store keeps tokens and sessions; without one there are none.
	Store Store
	// OIDC is nil if no provider is configured.
	OIDC *OIDC
	Now  func() time.Time
	Log  *slog.Logger
}

// Gate finds out who asks.
type Gate struct {
	Config
	admin  [32]byte
	tokens *cache
}

// NewGate returns a gate.
func NewGate(c Config) *Gate {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Gate{Config: c, admin: sha256.Sum256([]byte(c.AdminToken)), tokens: newCache(c.Now)}
}

// Principal returns who makes a request. Without any proof the refusal's reason is [NoProof].
func (g *Gate) Principal(r *http.Request) (Principal, *Refusal) {
	if r.Header.Get("Authorization") == "" {
		return g.session(r)
	}
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	text = strings.TrimSpace(text)
	if !ok || !strings.EqualFold(scheme, "bearer") || text == "" {
		return Principal{}, unproven(NoProof, "the token is missing or wrong: send Authorization: Bearer TOKEN")
	}
	sum := sha256.Sum256([]byte(text))
	// Without a token of its own the server lets nobody in by it.
	if g.AdminToken != "" && subtle.ConstantTimeCompare(sum[:], g.admin[:]) == 1 {
		return Principal{Name: "admin", Via: ViaConfig, Roles: []string{Admin}}, nil
	}
	switch {
	case wellFormed(text):
		return g.token(r.Context(), text)
	case strings.HasPrefix(text, prefix):
		return Principal{}, unproven(MalformedToken, "the token is not whole: copy all of it, from tocsin_ to its end")
	case g.OIDC != nil:
		return g.OIDC.Principal(r.Context(), text)
	case strings.Count(text, ".") == 2:
		return Principal{}, unproven(UnknownToken, "the token is missing or wrong: it is a JWT, and this server has no OIDC provider: set api.oidc.issuer")
	}
	return Principal{}, unproven(UnknownToken, "the token is missing or wrong: send Authorization: Bearer TOKEN")
}

// Forget has every token looked up again.
func (g *Gate) Forget() { g.tokens.forget() }

// touchEvery is how often the use of a token is written.
const touchEvery = time.Minute

func (g *Gate) token(ctx context.Context, secret string) (Principal, *Refusal) {
	if g.Store == nil {
		return Principal{}, unproven(UnknownToken, "there is no such token")
	}
	t, err := g.tokens.get(ctx, HashOf(secret), g.Store.Token)
	now := g.Now().UnixNano()
	switch {
	case isNone(err):
		return Principal{}, unproven(UnknownToken, "there is no such token: ask an admin for one")
	case err != nil:
		g.Log.Warn("a token cannot be looked up", "err", err)
		return Principal{}, unavailable(NoStore, "tokens cannot be looked up now: try again")
	case t.Revoked != 0:
		return Principal{}, unproven(RevokedToken, fmt.Sprintf("the token %q was revoked at %s", t.Name, stamp(t.Revoked)))
	case t.Expires != 0 && now >= t.Expires:
		return Principal{}, unproven(ExpiredToken, fmt.Sprintf("the token %q expired at %s: ask an admin for another", t.Name, stamp(t.Expires)))
	}
	scope, err := incident.ParseScope(t.Scope)
	if err != nil {
		return Principal{}, forbidden(OutsideScope, "the scope of the token cannot be read: "+err.Error())
	}
	if g.tokens.mayTouch(t, touchEvery) {
		if err := g.Store.TouchToken(ctx, t.ID, touchEvery); err != nil {
			g.Log.Warn("the use of a token is not noted", "token", t.Name, "err", err)
		}
	}
	return Principal{Name: "token:" + t.Name, Via: ViaToken, Roles: t.Roles, Scope: scope, Expires: t.Expires}, nil
}

// Cookie returns the session that a request brings, "" if none. Only where there is no TLS is one taken that another host of the
// domain could have set.
func (g *Gate) Cookie(r *http.Request) string {
	name := SessionCookie
	if g.OIDC != nil && !g.OIDC.Secure() {
		name = PlainSessionCookie
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func (g *Gate) session(r *http.Request) (Principal, *Refusal) {
	id := g.Cookie(r)
	if id == "" || g.Store == nil {
		return Principal{}, unproven(NoProof, "the token is missing or wrong: send Authorization: Bearer TOKEN")
	}
	s, err := g.Store.Session(r.Context(), HashOf(id))
	switch {
	case isNone(err):
		return Principal{}, unproven(EndedSession, "the session has ended: log in again at /auth/login")
	case err != nil:
		g.Log.Warn("a session cannot be looked up", "err", err)
		return Principal{}, unavailable(NoStore, "sessions cannot be looked up now: try again")
	}
	scope, err := incident.ParseScope(s.Scope)
	if err != nil {
		return Principal{}, forbidden(OutsideScope, "the scope of the session cannot be read: "+err.Error())
	}
	return Principal{Name: s.Name, Via: ViaSession, Roles: s.Roles, Scope: scope, Expires: s.Expires}, nil
}

// Allow reports why somebody may not do an operation, nil if they may.
func Allow(p Principal, id string) *Refusal {
	op, ok := Operations()[id]
	switch {
	case !ok:
		return forbidden(UnknownOperation, "nobody may do this: the operation has no entry in the table of rights")
	case op.Needs != "" && !p.May(op.Needs):
		have := "you have no role here"
		if len(p.Roles) > 0 {
			have = "you have " + strings.Join(p.Roles, ", ")
		}
		return forbidden(MissingRight, fmt.Sprintf("this needs %s, which %s: %s", op.Needs, grantedBy(op.Needs), have))
	case op.Scoping == Whole && p.Scope != nil:
		return forbidden(OutsideScope, "this is about all clusters, and you have the scope "+strings.Join(p.Scope.Texts(), ", "))
	}
	return nil
}

func grantedBy(permission string) string {
	roles := rolesWith(permission)
	if len(roles) == 1 {
		return "the role " + roles[0] + " has"
	}
	return "the roles " + strings.Join(roles, ", ") + " have"
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }
