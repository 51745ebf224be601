// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/event"
	"tocsin/ingest"
)

// TestBytesInFlightAreBounded: when the disk is slow, what is held of requests stays within its bound, packed or not; who is
// refused is told when to come again, and then is taken.
func TestBytesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	slow, reached := make(chan struct{}), make(chan struct{}, 1)
	h := ingest.NewHandler(ingest.HandlerConfig{
		InFlight: ingest.NewBudget(10_000), Log: slog.New(slog.DiscardHandler),
		Commit: func(ctx context.Context, _ []event.Record) error {
			reached <- struct{}{}
			select {
			case <-slow:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	text := `{"message":"` + strings.Repeat("a", 6_000) + `"}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	post := func(body, encoding string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest/vector", strings.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	first := make(chan int)
	go func() { first <- post(text, "").Code }()
	<-reached
	for encoding, body := range map[string]string{"": text, "gzip": packed.String()} {
		if w := post(body, encoding); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("beside what is held, encoding %q: %d", encoding, w.Code)
		}
	}
	if len(reached) > 0 {
		t.Fatal("one more was held")
	}
	close(slow)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
	for encoding, body := range map[string]string{"": text, "gzip": packed.String()} {
		if w := post(body, encoding); w.Code != http.StatusOK {
			t.Fatalf("after it, encoding %q: %d", encoding, w.Code)
		}
		<-reached
	}
}
