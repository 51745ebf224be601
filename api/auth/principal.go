// SPDX-License-Identifier: Apache-2.0

// Package auth says who asks and what they may do.
//
// A [Gate] turns what a request proves itself with into a [Principal]: the admin token of the configuration, an API token, an
// access token of an OIDC provider, or the session that a login made. [Operations] is the one table of what each
// operation needs, [Roles] the one of what each role may. Nothing is allowed that is not in them.
//
// It knows no store: what it needs of one is the [Store] that whoever starts it hands in.
package auth

import (
	"context"

	"tocsin/incident"
)

// The ways to prove who one is.
const (
	ViaConfig  = "config"  // the token of the configuration
	ViaToken   = "token"   // an API token
	ViaOIDC    = "oidc"    // an access token of the provider
	ViaSession = "session" // a login at the console
)

// Principal is who makes a request, once that is proven.
type Principal struct {
	// Name is what the history of an incident and the audit log know them by; that of an API token begins with "token:".
	Name string
	// Via is how they proved it, "" if nothing did.
	Via   string
	Roles []string
	// Scope bounds what they see; nil is everything.
	Scope incident.Scope
	// Expires is when the proof ends, Unix nanoseconds; 0 is never.
	Expires int64
}

// May reports whether a role of theirs grants a permission.
func (p Principal) May(permission string) bool {
	for _, role := range p.Roles {
		if grants(Roles()[role], permission) {
			return true
		}
	}
	return false
}

// Permissions returns what their roles grant, each once, in the order of the table.
func (p Principal) Permissions() []string {
	out, seen := []string{}, make(map[string]bool)
	for _, role := range p.Roles {
		for _, x := range Roles()[role] {
			if !seen[x] {
				seen[x] = true
				out = append(out, x)
			}
		}
	}
	return out
}

// MayGrant reports whether they have every right of a role: nobody gives away what is not theirs.
func (p Principal) MayGrant(role string) bool {
	for _, x := range Roles()[role] {
		if !p.May(x) {
			return false
		}
	}
	return true
}

type key struct{}

// With returns a context that knows who makes the request.
func With(ctx context.Context, p Principal) context.Context { return context.WithValue(ctx, key{}, p) }

// Of returns who makes the request; nobody, if nothing proved it. Nobody sees nothing.
func Of(ctx context.Context) Principal {
	p, ok := ctx.Value(key{}).(Principal)
	if !ok {
		p.Scope = incident.Scope{}
	}
	return p
}
