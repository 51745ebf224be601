// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"maps"
	"slices"
	"strings"
)

// The roles.
const (
	Viewer   = "viewer"
	Analyst  = "analyst"
	Engineer = "engineer"
	Admin    = "admin"
	Ingest   = "ingest"
)

// Roles is what each role may, as resource:action; * stands for every one. docs/auth.md has the same table.
func Roles() map[string][]string {
	return map[string][]string{
		Viewer: {"incidents:read", "rules:read", "status:read", "sources:read", "alerts:read", "silences:read", "events:read"},
		Analyst: {
			"incidents:*", "rules:read", "status:read", "sources:read", "alerts:*", "silences:*", "events:read",
		},
		Engineer: {
			"incidents:*", "rules:*", "status:read", "sources:*", "alerts:*", "silences:*", "events:*", "quarantine:*",
		},
		Admin:  {"*:*"},
		Ingest: {"ingest:write"},
	}
}

// RoleNames lists the roles, by name.
func RoleNames() []string { return slices.Sorted(maps.Keys(Roles())) }

// rolesWith lists the roles that grant a permission, by name.
func rolesWith(permission string) []string {
	var out []string
	for _, role := range RoleNames() {
		if grants(Roles()[role], permission) {
			out = append(out, role)
		}
	}
	return out
}

// grants reports whether a list of rights has a permission. A permission with * is granted by that * alone.
func grants(rights []string, permission string) bool {
	resource, action, ok := strings.Cut(permission, ":")
	if !ok {
		return false
	}
	return slices.ContainsFunc(rights, func(right string) bool {
		r, a, _ := strings.Cut(right, ":")
		return (r == "*" || r == resource) && (a == "*" || a == action)
	})
}

// Scoping is how an operation keeps to the scope of who asks.
type Scoping int

const (
	// Filtered answers with what is in scope, and no more.
	Filtered Scoping = iota + 1
	// Shared is about nothing that belongs to a cluster: it is the same for all.
	Shared
	// Whole is about all clusters at once: who has a scope is refused.
	Whole
)

// Operation is what one operation of the API asks of who wants it.
type Operation struct {
	// Needs is a permission; "" wants no proof at all.
	Needs   string
	Scoping Scoping
}

// Operations has every operation of the API, by its OpenAPI id, or by method and path if it has none. One that is not here is
// refused to everybody, and fails a test.
func Operations() map[string]Operation {
	return map[string]Operation{
		"list-incidents":   {"incidents:read", Filtered},
		"get-incident":     {"incidents:read", Filtered},
		"list-evidence":    {"incidents:read", Filtered},
		"close-incident":   {"incidents:write", Filtered},
		"patch-incident":   {"incidents:write", Filtered},
		"comment-incident": {"incidents:write", Filtered},
		"bulk-incidents":   {"incidents:write", Filtered},
		"merge-incident":   {"incidents:write", Filtered},
		"unmerge-incident": {"incidents:write", Filtered},
		"list-related":     {"incidents:read", Filtered},
		"get-graph":        {"incidents:read", Filtered},
		"get-entity":       {"incidents:read", Filtered},
		"export-incident":  {"incidents:read", Filtered},
		"bundle-incident":  {"incidents:read", Filtered},
		"list-timeline":    {"incidents:read", Filtered},
		"stream-incidents": {"incidents:read", Filtered},

		"stream-detections": {"incidents:read", Filtered},

		"list-rules":   {"rules:read", Shared},
		"get-rule":     {"rules:read", Shared},
		"reload-rules": {"rules:reload", Whole},

		"get-rule-source": {"rules:read", Whole},
		"check-rules":     {"rules:backtest", Whole},
		"trace-rule":      {"rules:backtest", Whole},

		"status":       {"status:read", Filtered},
		"list-sources": {"sources:read", Whole},

		"search-events": {"events:read", Filtered},
		"stream-events": {"events:read", Filtered},
		"tail-events":   {"events:read", Filtered},

		"near-misses":     {"events:read", Filtered},
		"start-backtest":  {"rules:backtest", Whole},
		"get-backtest":    {"rules:backtest", Whole},
		"cancel-backtest": {"rules:backtest", Whole},

		"list-quarantine":        {"quarantine:read", Whole},
		"get-quarantine":         {"quarantine:read", Whole},
		"release-quarantine":     {"quarantine:release", Whole},
		"release-all-quarantine": {"quarantine:release", Whole},

		"list-alerts": {"alerts:read", Filtered},
		"retry-alert": {"alerts:retry", Whole},

		"stream-alerts": {"alerts:read", Filtered},

		"retry-alerts":   {"alerts:retry", Whole},
		"list-receivers": {"alerts:read", Whole},

		// A silence is about all clusters: it could keep others from hearing of theirs.
		"list-silences":  {"silences:read", Whole},
		"get-silence":    {"silences:read", Whole},
		"create-silence": {"silences:write", Whole},

		"preview-silence": {"silences:read", Whole},

		"change-silence": {"silences:write", Whole},
		"expire-silence": {"silences:write", Whole},

		"list-tokens":  {"tokens:read", Whole},
		"create-token": {"tokens:write", Filtered},
		"revoke-token": {"tokens:write", Whole},
		"list-audit":   {"audit:read", Whole},

		"get-audit-checkpoint": {"audit:read", Whole},

		// What receivers say back is proved by its signature, whoever brings it.
		"hook-pagerduty": {"", Shared},
		"hook-slack":     {"", Shared},

		"me":                 {"", Shared},
		"GET /auth/login":    {"", Shared},
		"GET /auth/callback": {"", Shared},
		"POST /auth/logout":  {"", Shared},
	}
}
