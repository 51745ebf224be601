// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"tocsin/incident"
	"tocsin/store"
)

const tokenColumns = "seq, id, name, hash, roles, scope, created, created_by, expires, revoked, last_used"

// AddToken keeps a token and returns it as it is then.
func (c *Core) AddToken(ctx context.Context, t store.Token) (store.Token, error) {
	roles, scope, err := twoLists(t.Roles, t.Scope)
	if err != nil {
		return store.Token{}, err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	var out *store.Token
	err = c.db.Tx(ctx, func(q Writer) error {
		return q.Query(ctx, `INSERT INTO api_tokens (id, name, hash, roles, scope, created, created_by, expires)
VALUES (?, ?, ?, ?, ?, {now}, ?, ?) ON CONFLICT DO NOTHING RETURNING `+tokenColumns,
			[]any{id[:], clean(t.Name), t.Hash, roles, scope, clean(t.CreatedBy), t.Expires}, func(scan Scan) error {
				_, got, err := scanToken(scan)
				out = &got
				return err
			})
	})
	if err != nil {
		return store.Token{}, fmt.Errorf("store: add a token: %w", err)
	}
	if out == nil {
		return store.Token{}, store.ErrTaken
	}
	return *out, nil
}

// twoLists encodes roles and scope; a scope of nil stays one.
func twoLists(roles, scope []string) (string, string, error) {
	r, err := list(cleanAll(roles))
	if err != nil {
		return "", "", err
	}
	if scope != nil {
		scope = cleanAll(scope)
	}
	s, err := list(scope)
	return r, s, err
}

func scanToken(scan Scan) (seq int64, t store.Token, err error) {
	var id []byte
	var roles, scope string
	if err := scan(&seq, &id, &t.Name, &t.Hash, &roles, &scope, &t.Created, &t.CreatedBy, &t.Expires, &t.Revoked, &t.LastUsed); err != nil {
		return 0, t, err
	}
	t.ID = formatID(id)
	if err := unlist("roles", roles, &t.Roles); err != nil {
		return 0, t, err
	}
	return seq, t, unlist("scope", scope, &t.Scope)
}

// Token finds a token by its hash.
func (c *Core) Token(ctx context.Context, hash []byte) (store.Token, error) {
	var out *store.Token
	err := c.db.Query(ctx, "SELECT "+tokenColumns+" FROM api_tokens WHERE hash = ?", []any{hash}, func(scan Scan) error {
		_, t, err := scanToken(scan)
		out = &t
		return err
	})
	if err != nil {
		return store.Token{}, fmt.Errorf("store: find a token: %w", err)
	}
	if out == nil {
		return store.Token{}, incident.ErrNotFound
	}
	return *out, nil
}

// Tokens returns a page of tokens, newest first.
func (c *Core) Tokens(ctx context.Context, limit int, at string) ([]store.Token, string, error) {
	return newest[store.Token]{name: "tokens", table: "api_tokens", columns: tokenColumns, grows: "seq", scan: scanToken}.page(ctx, c.db, limit, at)
}

// RevokeToken ends a token.
func (c *Core) RevokeToken(ctx context.Context, id string) error {
	b, err := parseID(id)
	if err != nil {
		return incident.ErrNotFound
	}
	found := false
	err = c.db.Tx(ctx, func(q Writer) error {
		return q.Query(ctx, "UPDATE api_tokens SET revoked = CASE WHEN revoked = 0 THEN {now} ELSE revoked END WHERE id = ? RETURNING 1", []any{b},
			func(Scan) error { found = true; return nil })
	})
	if err != nil {
		return fmt.Errorf("store: revoke a token: %w", err)
	}
	if !found {
		return incident.ErrNotFound
	}
	return nil
}

// TouchToken notes that a token is used, unless that was noted less than every ago.
func (c *Core) TouchToken(ctx context.Context, id string, every time.Duration) error {
	b, err := parseID(id)
	if err != nil {
		return incident.ErrNotFound
	}
	return c.exec(ctx, "note the use of a token",
		"UPDATE api_tokens SET last_used = {now} WHERE id = ? AND last_used <= {now} - ?", b, int64(every))
}
