// SPDX-License-Identifier: Apache-2.0

// Package api serves the REST interface: incidents and their evidence, rules, status, alerts, the closing of an incident, API
// tokens, logins and the audit log. OpenAPI 3.1 is at /openapi.json, the console at /.
//
// It knows incidents and rules and no store: what it needs of one is the [Backend] that whoever starts it
// hands in. Every request goes through one guard: who asks, whether package auth's table lets them, how often they may, and a
// line in the audit log before anything is changed. Handlers see the backend only as the scope of who asks has it. Errors are
// application/problem+json (RFC 9457).
package api
