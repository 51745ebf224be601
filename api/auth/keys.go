// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// keysEvery is how often the provider is asked for its keys at most: each token with a key that is not known asks for
// them, and anybody can make such tokens.
const keysEvery = 10 * time.Second

// retryKeysEvery is the same when it did not answer.
const retryKeysEvery = time.Second

var (
	errSpared = errors.New("the keys were fetched a moment ago")
	errAway   = errors.New("the keys could not be fetched a moment ago")
)

// sparing returns a client that asks no more often than that. What the library holds it verifies without a request, so
// that whoever makes up keys keeps nobody out but those whose key is newer.
func (o *OIDC) sparing() *http.Client {
	c := *o.Client
	base := c.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	c.Transport = &sparingTransport{base: base, now: o.Now}
	return &c
}

type sparingTransport struct {
	base http.RoundTripper
	now  func() time.Time

	mu     sync.Mutex
	last   time.Time
	failed bool
}

// RoundTrip implements [http.RoundTripper].
func (t *sparingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.turn(); err != nil {
		return nil, err
	}
	resp, err := t.base.RoundTrip(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err != nil || resp.StatusCode != http.StatusOK
	return resp, err
}

func (t *sparingTransport) turn() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	every, refused := keysEvery, errSpared
	if t.failed {
		every, refused = retryKeysEvery, errAway
	}
	at := t.now()
	if since := at.Sub(t.last); !t.last.IsZero() && since >= 0 && since < every {
		return refused
	}
	t.last = at
	return nil
}
