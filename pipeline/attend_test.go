// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// membership is the store's of one test: until when somebody is a member, by the bubble's clock.
type membership struct {
	mu    sync.Mutex
	until time.Time
	away  int // so many heartbeats more fail
	left  bool
}

func (m *membership) Attend(_ context.Context, _ string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away > 0 {
		m.away--
		return errors.New("away")
	}
	m.until = time.Now().Add(ttl)
	return nil
}

func (m *membership) Leave(context.Context, string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until, m.left = time.Time{}, true
	return nil
}

func (m *membership) alive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.until)
}

// TestAttend: who claims alerts is a member before the first claim, all the time, also while it ends, and then no more.
func TestAttend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := &membership{away: 3}
		watch := func(when string, d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(leaseTTL / 20) {
				if !m.alive() {
					t.Errorf("%s it is no member", when)
					return
				}
			}
		}
		want := errors.New("it ended")
		err := Attend(ctx, m, "a", slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			watch("while it works", 10*leaseTTL)
			stop()
			<-ctx.Done()
			watch("while it ends", 10*leaseTTL)
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("Attend: %v, want %v", err, want)
		}
		if !m.left {
			t.Error("it did not leave")
		}
	})
}
