// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound says that the store has no such token or session.
	ErrNotFound = errors.New("auth: there is none")
	// ErrTaken says that another token has the name.
	ErrTaken = errors.New("auth: a token that is not revoked has this name")
)

// Token is an API token as the store has it. All times are Unix nanoseconds by the store's clock, 0 for never.
type Token struct {
	ID, Name string
	// Hash is the SHA-256 of the secret, which is nowhere.
	Hash []byte
	// Roles are names of roles; Scope has texts as [incident.ParseScope] reads them, nil for everything.
	Roles, Scope                        []string
	Created, Expires, Revoked, LastUsed int64
	CreatedBy                           string
}

// Session is a login at the console.
type Session struct {
	// Hash is the SHA-256 of what the cookie has.
	Hash []byte
	// Name is the principal's, Subject the provider's for it.
	Name, Subject string
	// Roles and Scope are those at the login.
	Roles, Scope     []string
	Created, Expires int64
}

// Entry is one act in the audit log.
type Entry struct {
	ID int64
	// At is when it began, Finished when its outcome was written: Unix nanoseconds by the store's clock.
	At, Finished int64
	// Actor and Via are the principal's.
	Actor, Via string
	// Operation is the OpenAPI id, Object the path that it was asked at.
	Operation, Object string
	// Remote is the address that asked, Request the id of the request.
	Remote, Request string
	// Outcome is [Started] until the act has ended: one that stays so was interrupted, and may have been done.
	Outcome string
	// Status is the HTTP status of the answer, 0 until then.
	Status int
}

// The outcomes of acts.
const (
	Started = "started"
	Done    = "done"
	Failed  = "failed"
	Refused = "refused"
)

// EntryFilter selects entries of the audit log, newest first; what is empty selects all.
type EntryFilter struct {
	Actor, Operation, Outcome, Object string
	// Since and Until are Unix nanoseconds.
	Since, Until int64
	Limit        int
	Cursor       string
}

// Store keeps tokens, sessions and the audit log.
type Store interface {
	// AddToken keeps a token and returns it as it is then; [ErrTaken] if another has its name.
	AddToken(ctx context.Context, t Token) (Token, error)
	// Token finds one by its hash, also one that is revoked or has expired.
	Token(ctx context.Context, hash []byte) (Token, error)
	// Tokens returns a page, newest first, also those that are revoked.
	Tokens(ctx context.Context, limit int, cursor string) ([]Token, string, error)
	RevokeToken(ctx context.Context, id string) error
	// TouchToken notes that a token is used, unless that was noted less than every ago.
	TouchToken(ctx context.Context, id string, every time.Duration) error

	AddSession(ctx context.Context, s Session) error
	// Session finds one that has not expired by its hash.
	Session(ctx context.Context, hash []byte) (Session, error)
	EndSession(ctx context.Context, hash []byte) error

	// Record adds an act to the audit log and returns its id.
	Record(ctx context.Context, e Entry) (int64, error)
	// Settle writes what became of an act.
	Settle(ctx context.Context, id int64, outcome string, status int) error
	Audit(ctx context.Context, f EntryFilter) ([]Entry, string, error)
}
