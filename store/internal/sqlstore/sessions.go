// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/incident"
	"tocsin/store"
)

// AddSession keeps a session, and drops those that have expired.
func (c *Core) AddSession(ctx context.Context, s store.Session) error {
	roles, scope, err := twoLists(s.Roles, s.Scope)
	if err != nil {
		return err
	}
	err = c.db.Tx(ctx, func(q Writer) error {
		if err := q.Query(ctx, "DELETE FROM sessions WHERE expires <= {now}", nil, nil); err != nil {
			return err
		}
		return q.Query(ctx, "INSERT INTO sessions (hash, name, subject, roles, scope, created, expires) VALUES (?, ?, ?, ?, ?, {now}, ?)",
			[]any{s.Hash, clean(s.Name), clean(s.Subject), roles, scope, s.Expires}, nil)
	})
	if err != nil {
		return fmt.Errorf("store: add a session: %w", err)
	}
	return nil
}

// Session finds a session that has not expired by its hash.
func (c *Core) Session(ctx context.Context, hash []byte) (store.Session, error) {
	var out *store.Session
	err := c.db.Query(ctx, "SELECT hash, name, subject, roles, scope, created, expires FROM sessions WHERE hash = ? AND expires > {now}", []any{hash},
		func(scan Scan) error {
			var s store.Session
			var roles, scope string
			if err := scan(&s.Hash, &s.Name, &s.Subject, &roles, &scope, &s.Created, &s.Expires); err != nil {
				return err
			}
			out = &s
			if err := unlist("roles", roles, &s.Roles); err != nil {
				return err
			}
			return unlist("scope", scope, &s.Scope)
		})
	if err != nil {
		return store.Session{}, fmt.Errorf("store: find a session: %w", err)
	}
	if out == nil {
		return store.Session{}, incident.ErrNotFound
	}
	return *out, nil
}

// EndSession drops a session.
func (c *Core) EndSession(ctx context.Context, hash []byte) error {
	return c.exec(ctx, "end a session", "DELETE FROM sessions WHERE hash = ?", hash)
}
