// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
)

// endless follows events until it is let go.
type endless struct{ *fake }

func (endless) FollowEvents(ctx context.Context, _ api.EventFilter, _ *api.LogPlace, fn func(api.EventPlace) error) error {
	if err := fn(api.EventPlace{Next: api.LogPlace{Seq: 1}}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestStreamsAreShared: who has as many as one may have is told so, takes nobody else's, and gets another for each that ends.
func TestStreamsAreShared(t *testing.T) {
	t.Parallel()
	c, store := config(&fake{}), &authtest.Memory{Now: clock}
	c.Backend, c.Store = endless{&fake{}}, store
	s := httptest.NewServer(api.New(c))
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	greedy := tokenOf(t, store, "greedy", nil, auth.Viewer)
	open := func(secret string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/events/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	follow := func(secret string, want int) *http.Response {
		t.Helper()
		res := open(secret)
		if res.StatusCode != want {
			t.Fatalf("%s, want %d", res.Status, want)
		}
		return res
	}
	var first *http.Response
	for range 16 {
		first = follow(greedy, http.StatusOK)
	}
	refused := follow(greedy, http.StatusTooManyRequests)
	body, err := io.ReadAll(refused.Body)
	if err != nil || refused.Header.Get("Content-Type") != "application/problem+json" || refused.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(body), "too-many-requests#too-many-streams") {
		t.Errorf("%v %v %s", err, refused.Header, body)
	}
	for _, who := range []string{"b", "c", "d"} {
		secret := tokenOf(t, store, who, nil, auth.Viewer)
		for range 16 {
			follow(secret, http.StatusOK)
		}
	}
	if got := follow(tokenOf(t, store, "e", nil, auth.Viewer), http.StatusServiceUnavailable); got.Header.Get("Retry-After") == "" {
		t.Error("all streams are taken, and nobody says when to come again")
	}
	_ = first.Body.Close()
	for open(greedy).StatusCode != http.StatusOK { // the server hears of it in a moment
		if ctx.Err() != nil {
			t.Fatal("what was let go is not given to others")
		}
	}
}
