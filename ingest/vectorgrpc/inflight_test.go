// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vectortest"
)

// batch is the bytes of a request with one event, a little more than size of them.
func batch(size int) []byte {
	return vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"message": strings.Repeat("a", size)}, ID: id(1)}))
}

// TestBytesInFlightAreBounded: while the disk is slow, what is held of requests stays within one bound, whichever way they come,
// packed or not; who is refused sends again, and then is taken.
func TestBytesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	slow, reached := make(chan struct{}), make(chan struct{}, 10)
	commit := func(ctx context.Context, _ []event.Record) error {
		reached <- struct{}{}
		select {
		case <-slow:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	budget := ingest.NewBudget(15_000)
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	cfg := (&stream{}).config()
	cfg.Commit, cfg.MaxMessage, cfg.InFlight = commit, 8_000, budget
	to := sink(t, serve(t, cfg))
	overHTTP := ingest.NewHandler(ingest.HandlerConfig{Commit: commit, InFlight: budget, Log: slog.New(slog.DiscardHandler)})
	post := func() int {
		r := httptest.NewRequestWithContext(soon(), http.MethodPost, "/ingest/vector", strings.NewReader(`{"message":"`+strings.Repeat("a", 5_000)+`"}`))
		w := httptest.NewRecorder()
		overHTTP.ServeHTTP(w, r)
		return w.Code
	}

	held := make(chan error, 2)
	for range 2 { // they hold what they are: 6,000 each, not the 8,000 that they might have been
		go func() { held <- to.Push(t.Context(), batch(5_900)) }()
		select {
		case <-reached:
		case <-soon().Done():
			t.Fatal("one that fits is not taken")
		}
	}
	for _, compression := range []string{"", "gzip", "zstd"} {
		to := &vectortest.Native{Conn: to.Conn, Compression: compression}
		if _, err := to.Call(soon(), "PushEvents", batch(10)); status.Code(err) != codes.Unavailable {
			t.Errorf("beside what is held, compression %q: %v", compression, err)
		}
	}
	if code := post(); code != http.StatusServiceUnavailable {
		t.Errorf("over HTTP, beside what gRPC holds: %d", code)
	}
	if len(reached) > 0 {
		t.Fatal("one more was held")
	}
	close(slow)
	for range 2 {
		if err := <-held; err != nil {
			t.Errorf("what was held: %v", err)
		}
	}
	for _, compression := range []string{"", "gzip", "zstd"} {
		to.Compression = compression
		if err := to.Push(t.Context(), batch(5_900)); err != nil {
			t.Errorf("after it, compression %q: %v", compression, err)
		}
	}
	if code := post(); code != http.StatusOK {
		t.Errorf("after it, over HTTP: %d", code)
	}
	if err := budget.Share().Take(int(budget.Size())); err != nil {
		t.Errorf("in the end: %v", err)
	}
}

// TestAMessageThatDoesNotCome counts with all that it may be, leaves half of the budget to others, and is not waited for without
// an end.
func TestAMessageThatDoesNotCome(t *testing.T) {
	t.Parallel()
	const message, window = 1 << 20, 64 << 10
	var s stream
	cfg := s.config()
	cfg.MaxMessage, cfg.InFlight, cfg.CallWithin = message, ingest.NewBudget(2*message), 2*time.Second
	addr := serve(t, cfg)
	begun := time.Now()
	body, w := io.Pipe()
	defer body.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/vector.Vector/PushEvents", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	answer := make(chan string, 1)
	go func() {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body) // there is none; the trailer comes with its end
		_ = resp.Body.Close()
		answer <- resp.Header.Get("grpc-status") + resp.Trailer.Get("grpc-status")
	}()
	// Unasked, a client may send no more than the window: when more has left, the server reads.
	if _, err := w.Write(binary.BigEndian.AppendUint32([]byte{0}, message)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := w.Write(make([]byte, window)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cfg.InFlight.Share().Take(message + 1); err == nil {
		t.Error("what may still come is not counted")
	}
	mine := cfg.InFlight.Share()
	if err := mine.Take(message); err != nil {
		t.Errorf("the other half: %v", err)
	}
	mine.GiveBack()
	if err := sink(t, addr).Push(t.Context(), batch(10)); err != nil || len(s.records) != 1 {
		t.Errorf("the one that waited: %v, %d records", err, len(s.records))
	}
	if time.Since(begun) < cfg.CallWithin {
		t.Error("two read at once, and had all of the budget")
	}
	if code := <-answer; code != "4" {
		t.Errorf("the answer is %s, not that the time is over", code)
	}
}
