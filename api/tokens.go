// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// TokenView is an API token, without its secret.
type TokenView struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
	// Scope is null for everything.
	Scope     []string    `json:"scope" nullable:"true" doc:"cluster/namespace; null is everything"`
	Created   event.Stamp `json:"created"`
	CreatedBy string      `json:"created_by"`
	Expires   event.Stamp `json:"expires"`
	Revoked   event.Stamp `json:"revoked"`
	// LastUsed is right to a minute.
	LastUsed event.Stamp `json:"last_used"`
}

// NewToken is an API token with its secret, which is shown this once.
type NewToken struct {
	TokenView
	Token string `json:"token" doc:"the secret: it is shown this once"`
}

// tokenInput asks for a token.
type tokenInput struct {
	Name    string   `json:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" doc:"what the audit log knows it by"`
	Roles   []string `json:"roles" minItems:"1" maxItems:"5" doc:"viewer, analyst, engineer, admin"`
	Scope   []string `json:"scope,omitempty" maxItems:"100" doc:"cluster/namespace, either may be *; your own if it is left out"`
	Expires string   `json:"expires,omitempty" doc:"RFC 3339, a span from now such as 90d (the default), or never"`
}

func viewToken(t auth.Token) TokenView {
	return TokenView{
		ID: t.ID, Name: t.Name, Roles: append([]string{}, t.Roles...), Scope: t.Scope, Created: event.Stamp(t.Created), CreatedBy: t.CreatedBy,
		Expires: event.Stamp(t.Expires), Revoked: event.Stamp(t.Revoked), LastUsed: event.Stamp(t.LastUsed),
	}
}

// defaultExpiry is how long a token lasts if nobody says.
const defaultExpiry = "90d"

// expiry reads when a token ends: 0 for never.
func expiry(text string, now time.Time) (int64, error) {
	if text == "never" {
		return 0, nil
	}
	if text == "" {
		text = defaultExpiry
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d, err := rules.ParseDuration(text)
		if err != nil || d > 100*365*24*time.Hour {
			return 0, fmt.Errorf("expires: write RFC 3339 (2026-11-01T00:00:00Z), a span (90d) or never, not %q", text)
		}
		at = now.Add(d)
	}
	if !at.After(now) || at.Year() > 2200 {
		return 0, fmt.Errorf("expires: %s is not between now and the year 2200", at.UTC().Format(time.RFC3339))
	}
	return at.UnixNano(), nil
}

// token checks what was asked for against what the asker has: nobody gives away what is not theirs.
func (in *tokenInput) token(p auth.Principal, now time.Time) (auth.Token, error) {
	t := auth.Token{Name: in.Name, CreatedBy: p.Name}
	for _, role := range in.Roles {
		if !slices.Contains(auth.RoleNames(), role) {
			return t, problem(http.StatusUnprocessableEntity, fmt.Sprintf("roles: there is no %q; there are %s", role, strings.Join(auth.RoleNames(), ", ")))
		}
		if !p.MayGrant(role) {
			return t, problem(http.StatusForbidden, "roles: "+role+" may do what you may not")
		}
		if !slices.Contains(t.Roles, role) {
			t.Roles = append(t.Roles, role)
		}
	}
	scope, err := incident.ParseScope(in.Scope)
	if err != nil {
		return t, problem(http.StatusUnprocessableEntity, "scope: "+err.Error())
	}
	if scope == nil {
		scope = p.Scope
	}
	if !scope.Within(p.Scope) {
		return t, problem(http.StatusForbidden, "scope: it is more than yours, "+strings.Join(p.Scope.Texts(), ", "))
	}
	t.Scope = scope.Texts()
	if t.Expires, err = expiry(in.Expires, now); err != nil {
		return t, problem(http.StatusUnprocessableEntity, err.Error())
	}
	return t, nil
}

func (s *server) registerTokens(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/api/v1/tokens", Summary: "API tokens, newest first, also those that are revoked",
	}, func(ctx context.Context, in *struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor string `query:"cursor"`
	}) (*listOutput[TokenView], error) {
		if s.Store == nil {
			return nil, failed(errNoStore)
		}
		items, next, err := s.Store.Tokens(ctx, in.Limit, in.Cursor)
		if err != nil {
			return nil, failed(err)
		}
		views := make([]TokenView, len(items))
		for i, t := range items {
			views[i] = viewToken(t)
		}
		return list(views, next, "/api/v1/tokens", url.Values{"limit": {strconv.Itoa(in.Limit)}}), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/api/v1/tokens", Summary: "Make an API token",
		Description: "The answer has the secret, which is kept nowhere. A token has no role and no scope that its maker has not.", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body tokenInput }) (*one[NewToken], error) {
		t, err := in.Body.token(auth.Of(ctx), s.Now())
		if err != nil {
			return nil, err
		}
		secret, hash := auth.NewSecret()
		t.Hash = hash
		t, err = s.Store.AddToken(ctx, t)
		if errors.Is(err, auth.ErrTaken) {
			return nil, problem(http.StatusConflict, fmt.Sprintf("name: a token %q is there already: revoke it, or take another name", in.Body.Name))
		}
		if err != nil {
			return nil, failed(err)
		}
		return &one[NewToken]{NewToken{viewToken(t), secret}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/api/v1/tokens/{id}", Summary: "Revoke an API token",
		Description: "Every process refuses it within a few seconds.", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$" doc:"id of a token"`
	}) (*struct{}, error) {
		err := s.Store.RevokeToken(ctx, in.ID)
		if err != nil {
			return nil, failed(err)
		}
		s.gate.Forget()
		return nil, nil
	})
}
