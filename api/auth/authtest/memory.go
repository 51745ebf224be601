// SPDX-License-Identifier: Apache-2.0

// Package authtest has a store of tokens, sessions and acts for tests of what asks one; those of the true stores are in storetest.
package authtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tocsin/api/auth"
)

// Memory is an [auth.Store] that lasts as long as a test.
type Memory struct {
	// Now is its clock.
	Now func() time.Time

	mu       sync.Mutex
	broken   bool
	asked    int
	touched  int
	tokens   []auth.Token
	sessions []auth.Session
	entries  []auth.Entry
}

var _ auth.Store = (*Memory)(nil)

// ErrBroken is what a broken store says.
var ErrBroken = errors.New("dial postgres://admin:hunter2@db: refused")

// Break has every call fail from now on, or none.
func (m *Memory) Break(broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = broken
}

// Asked returns how often a token was looked up, and how often its use was noted.
func (m *Memory) Asked() (lookups, touches int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked, m.touched
}

// Entries returns the audit log, oldest first.
func (m *Memory) Entries() []auth.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.entries)
}

// do runs fn alone, unless the store is broken.
func (m *Memory) do(fn func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return ErrBroken
	}
	return fn()
}

func (m *Memory) now() int64 { return m.Now().UnixNano() }

// AddToken implements [auth.Store].
func (m *Memory) AddToken(_ context.Context, t auth.Token) (auth.Token, error) {
	err := m.do(func() error {
		if slices.ContainsFunc(m.tokens, func(x auth.Token) bool { return x.Name == t.Name && x.Revoked == 0 }) {
			return auth.ErrTaken
		}
		t.ID, t.Created = fmt.Sprintf("%032x", len(m.tokens)+1), m.now()
		m.tokens = append(m.tokens, t)
		return nil
	})
	return t, err
}

// Token implements [auth.Store].
func (m *Memory) Token(_ context.Context, hash []byte) (t auth.Token, err error) {
	err = m.do(func() error {
		m.asked++
		i := slices.IndexFunc(m.tokens, func(x auth.Token) bool { return bytes.Equal(x.Hash, hash) })
		if i < 0 {
			return auth.ErrNotFound
		}
		t = m.tokens[i]
		return nil
	})
	return t, err
}

// Tokens implements [auth.Store], in one page.
func (m *Memory) Tokens(context.Context, int, string) (out []auth.Token, next string, err error) {
	err = m.do(func() error {
		out = slices.Clone(m.tokens)
		slices.Reverse(out)
		return nil
	})
	return out, "", err
}

// RevokeToken implements [auth.Store].
func (m *Memory) RevokeToken(_ context.Context, id string) error {
	return m.do(func() error {
		for i := range m.tokens {
			if m.tokens[i].ID == id {
				m.tokens[i].Revoked = m.now()
				return nil
			}
		}
		return auth.ErrNotFound
	})
}

// TouchToken implements [auth.Store].
func (m *Memory) TouchToken(context.Context, string, time.Duration) error {
	return m.do(func() error {
		m.touched++
		return nil
	})
}

// AddSession implements [auth.Store].
func (m *Memory) AddSession(_ context.Context, s auth.Session) error {
	return m.do(func() error {
		m.sessions = append(m.sessions, s)
		return nil
	})
}

// Session implements [auth.Store].
func (m *Memory) Session(_ context.Context, hash []byte) (s auth.Session, err error) {
	err = m.do(func() error {
		i := slices.IndexFunc(m.sessions, func(x auth.Session) bool { return bytes.Equal(x.Hash, hash) && x.Expires > m.now() })
		if i < 0 {
			return auth.ErrNotFound
		}
		s = m.sessions[i]
		return nil
	})
	return s, err
}

// EndSession implements [auth.Store].
func (m *Memory) EndSession(_ context.Context, hash []byte) error {
	return m.do(func() error {
		m.sessions = slices.DeleteFunc(m.sessions, func(x auth.Session) bool { return bytes.Equal(x.Hash, hash) })
		return nil
	})
}

// Record implements [auth.Store].
func (m *Memory) Record(_ context.Context, e auth.Entry) (int64, error) {
	err := m.do(func() error {
		e.ID, e.At = int64(len(m.entries)+1), m.now()
		m.entries = append(m.entries, e)
		return nil
	})
	return e.ID, err
}

// Settle implements [auth.Store].
func (m *Memory) Settle(_ context.Context, id int64, outcome string, status int) error {
	return m.do(func() error {
		e := &m.entries[id-1]
		e.Outcome, e.Status, e.Finished = outcome, status, m.now()
		return nil
	})
}

// Audit implements [auth.Store], in one page.
func (m *Memory) Audit(_ context.Context, f auth.EntryFilter) (out []auth.Entry, next string, err error) {
	err = m.do(func() error {
		for _, e := range slices.Backward(m.entries) {
			if f.Actor == "" || f.Actor == e.Actor {
				out = append(out, e)
			}
		}
		return nil
	})
	return out, "", err
}
