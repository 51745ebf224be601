// SPDX-License-Identifier: Apache-2.0

// Package api serves the REST interface: incidents and their evidence, rules, status, alerts, and the closing
// of an incident. OpenAPI 3.1 is at /openapi.json, the console at /.
//
// It knows incidents and rules and no store: what it needs of one is the [Backend] that whoever starts it
// hands in. Every answer about data wants the token; errors are application/problem+json (RFC 9457).
package api
