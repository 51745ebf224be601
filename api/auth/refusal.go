// SPDX-License-Identifier: Apache-2.0

package auth

import "net/http"

// Refusal is why a request is not served: an answer of 401, 403, 429 or 503.
type Refusal struct {
	Status int
	// Reason is one stable word for machines: it ends the type of the problem.
	Reason string
	// Detail says what to do about it.
	Detail string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

// The reasons of refusals, as problem types end with them.
const (
	NoProof          = "token-missing"
	UnknownToken     = "token-unknown"
	ExpiredToken     = "token-expired"
	RevokedToken     = "token-revoked"
	MalformedToken   = "token-malformed"
	EarlyToken       = "token-not-yet-valid"
	WrongSignature   = "token-signature"
	WrongAlgorithm   = "token-algorithm"
	WrongIssuer      = "token-issuer"
	WrongAudience    = "token-audience"
	WrongKind        = "token-kind"
	EndedSession     = "session-ended"
	FailedLogin      = "login-failed"
	MissingRight     = "permission-missing"
	OutsideScope     = "scope-too-small"
	UnknownOperation = "operation-unknown"
	CrossOrigin      = "cross-origin"
	UnsignedHook     = "hook-signature"
	TooMany          = "rate-limited"
	NoProvider       = "provider-unavailable"
	NoStore          = "store-unavailable"
	NoAudit          = "audit-unavailable"
)

func unproven(reason, detail string) *Refusal {
	return &Refusal{http.StatusUnauthorized, reason, detail}
}

func forbidden(reason, detail string) *Refusal {
	return &Refusal{http.StatusForbidden, reason, detail}
}

func unavailable(reason, detail string) *Refusal {
	return &Refusal{http.StatusServiceUnavailable, reason, detail}
}
