// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	"tocsin/incident"
)

// ErrTaken says that another has the name.
var ErrTaken = errors.New("store: the name is taken")

// Access keeps who may ask, and what they did.
type Access interface {
	// AddToken keeps a token and returns it as it is then, with its id and time; [ErrTaken] if one that is not revoked has
	// its name.
	AddToken(ctx context.Context, t Token) (Token, error)
	// Token finds one by its hash, also one that is revoked or has expired.
	Token(ctx context.Context, hash []byte) (Token, error)
	// Tokens returns a page, newest first, also those that are revoked.
	Tokens(ctx context.Context, limit int, cursor string) ([]Token, string, error)
	// RevokeToken ends a token; one that is revoked already stays as it was.
	RevokeToken(ctx context.Context, id string) error
	// TouchToken notes that a token is used, unless that was noted less than every ago.
	TouchToken(ctx context.Context, id string, every time.Duration) error

	// AddSession keeps a session, and drops those that have expired.
	AddSession(ctx context.Context, s Session) error
	// Session finds one that has not expired by its hash.
	Session(ctx context.Context, hash []byte) (Session, error)
	EndSession(ctx context.Context, hash []byte) error

	// Record adds an act to the audit log and returns its id.
	Record(ctx context.Context, e Entry) (int64, error)
	// Settle writes what became of an act that is started; of another, or of one that is in the tree, it writes nothing.
	Settle(ctx context.Context, id int64, outcome string, status int) error
	// Audit returns a page of the audit log, newest first.
	Audit(ctx context.Context, f EntryFilter) ([]Entry, string, error)

	// InScope returns those of some incidents that are in scope: evidence of theirs is of a place in it.
	InScope(ctx context.Context, scope incident.Scope, ids ...string) (map[string]bool, error)
}

// Token is an API token. Times are Unix nanoseconds by the store's clock, 0 for never.
type Token struct {
	ID, Name string
	// Hash is the SHA-256 of the secret.
	Hash []byte
	// Roles are names; Scope has texts as [incident.ParseScope] reads them, nil for everything.
	Roles, Scope                        []string
	Created, Expires, Revoked, LastUsed int64
	CreatedBy                           string
}

// Session is a login.
type Session struct {
	// Hash is the SHA-256 of what the browser has.
	Hash             []byte
	Name, Subject    string
	Roles, Scope     []string
	Created, Expires int64
}

// Started is the outcome of an act that has not ended, or whose end was not written.
const Started = "started"

// Entry is one act in the audit log.
type Entry struct {
	ID int64
	// At is when it began, Finished when its outcome was written, Unix nanoseconds by the store's clock.
	At, Finished      int64
	Actor, Via        string
	Operation, Object string
	Remote, Request   string
	Outcome           string
	Status            int
}

// EntryFilter selects entries of the audit log; what is empty selects all.
type EntryFilter struct {
	Actor, Operation, Outcome, Object string
	Since, Until                      int64
	Limit                             int
	Cursor                            string
}
