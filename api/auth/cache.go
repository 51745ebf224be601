// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// fresh is how long a token is believed without asking the store: a revocation holds everywhere after that.
	fresh = 2 * time.Second
	// maxCached bounds the tokens that are held, those that are none included.
	maxCached = 4096
)

func isNone(err error) bool { return errors.Is(err, ErrNotFound) }

// cache holds tokens for a moment, so that a busy client does not ask the store at each request.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	found   map[string]cached
	touched map[string]time.Time // by id
}

type cached struct {
	token Token
	err   error // nil or ErrNotFound
	at    time.Time
}

func newCache(now func() time.Time) *cache {
	return &cache{now: now, found: make(map[string]cached), touched: make(map[string]time.Time)}
}

// get returns a token by its hash. What the store fails to say is not held.
func (c *cache) get(ctx context.Context, hash []byte, ask func(context.Context, []byte) (Token, error)) (Token, error) {
	at := c.now()
	c.mu.Lock()
	x, ok := c.found[string(hash)]
	c.mu.Unlock()
	if age := at.Sub(x.at); ok && age >= 0 && age < fresh {
		return x.token, x.err
	}
	t, err := ask(ctx, hash)
	if err != nil && !isNone(err) {
		return t, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.found) >= maxCached {
		clear(c.found) // each is asked for again: that is what the store is for
	}
	c.found[string(hash)] = cached{t, err, at}
	return t, err
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.found)
}

// mayTouch reports whether the use of a token is to be written, and takes it as done.
func (c *cache) mayTouch(t Token, every time.Duration) bool {
	at := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.touched[t.ID]; ok && at.Sub(last) < every {
		return false
	}
	if len(c.touched) >= maxCached {
		clear(c.touched)
	}
	c.touched[t.ID] = at
	return true
}
