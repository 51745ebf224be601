// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestFollowingGoesOn: a stream that ends is followed from its last id, until the server says why not.
func TestFollowingGoesOn(t *testing.T) {
	t.Parallel()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("last_event_id"))
		n := len(asked)
		if n == 3 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"title":"Unauthorized","detail":"the token was revoked"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, ": a stream\n\nid: %d.0\n\nid: %d.1\nevent: event\ndata: {\"time\":\"now\",\"source\":\"s\",\"fields\":{\"message\":\"m%d\"}}\n\n:\n\n", n, n, n)
	}))
	defer srv.Close()
	var out bytes.Buffer
	c := &cli{stdout: &out, stderr: &out}
	err := c.follow(t.Context(), &client{base: srv.URL, token: "t"}, url.Values{"q": {"x"}})
	if err == nil || !strings.Contains(err.Error(), "the token was revoked") {
		t.Errorf("it ended with %v", err)
	}
	if want := []string{"", "1.1", "2.1"}; !slices.Equal(asked, want) || out.String() != "now  s  m1\nnow  s  m2\n" {
		t.Errorf("asked from %q, printed %q", asked, out.String())
	}
}
