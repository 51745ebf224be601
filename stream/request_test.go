// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"testing"

	"tocsin/event"
)

// TestWhoGoesAwayTakesItsRecordsBack: a sender that gives up while no lane has its records costs no memory more, and no lane
// publishes them later; one whose records a lane has hears what became of them.
func TestWhoGoesAwayTakesItsRecordsBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waiting := &request{records: make([]event.Record, 1), done: make(chan error, 1)}
	if err := waiting.wait(ctx); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the sender hears %v", err)
	}
	if waiting.records != nil || waiting.claim() {
		t.Error("a lane could take what was given up")
	}
	taken := &request{records: make([]event.Record, 1), done: make(chan error, 1)}
	if !taken.claim() {
		t.Fatal("no lane can take it")
	}
	answer := errors.New("no")
	taken.done <- answer
	for range 100 { // both are ready: the lane's answer may not lose
		if err := taken.wait(ctx); !errors.Is(err, answer) {
			t.Fatalf("the sender hears %v", err)
		}
		taken.done <- answer
	}
}
