// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// watched is an outbox for far ends that have a time of their own: it says when all is sent, and what to do at the first failure.
type watched struct {
	*memory
	mu      sync.Mutex
	first   func()
	retried bool
	sent    chan struct{}
}

func newWatched(first func()) *watched {
	return &watched{memory: &memory{}, first: first, sent: make(chan struct{}, 100)}
}

// Retry implements outbox.
func (w *watched) Retry(ctx context.Context, it Item, after time.Duration, reason string) error {
	w.mu.Lock()
	first := !w.retried
	w.retried = true
	w.mu.Unlock()
	if first && w.first != nil {
		w.first()
	}
	return w.memory.Retry(ctx, it, after, reason)
}

// Sent implements outbox.
func (w *watched) Sent(ctx context.Context, it Item) error {
	defer func() { w.sent <- struct{}{} }()
	return w.memory.Sent(ctx, it)
}

// Keep implements outbox.
func (w *watched) Keep(ctx context.Context, it Item, t Told) error {
	defer func() { w.sent <- struct{}{} }()
	return w.memory.Keep(ctx, it, t)
}

// failed reports whether anything was tried again.
func (w *watched) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.retried
}

// deliver runs a process until so many alerts are sent.
func (w *watched) deliver(t *testing.T, r Receiver, n int) {
	t.Helper()
	d, err := NewDeliverer(Config{Receivers: []Receiver{r}}, w, io.Discard, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	tooLong := time.After(2 * time.Minute)
	for range n {
		select {
		case <-w.sent:
		case <-tooLong:
			t.Error("not all is sent: ", w.states())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
