// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// slowLock takes a time for each write, and refuses it if there is an error.
type slowLock struct {
	resourcelock.Interface
	clock *time.Time
	takes time.Duration
	err   error
}

func (l *slowLock) Identity() string { return "one" }

func (l *slowLock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	*l.clock = l.clock.Add(l.takes)
	return l.err
}

func (l *slowLock) Create(ctx context.Context, rec resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, rec)
}

// TestHold: a Lease is held for a while from the start of its last renewal that went well, however long that took, and
// not any more when it is released.
func TestHold(t *testing.T) {
	t.Parallel()
	now := time.Now()
	lock := &slowLock{clock: &now, takes: 3 * time.Second}
	h := &hold{Interface: lock, renew: 10 * time.Second, failed: func(error) {}, now: func() time.Time { return now }}
	mine, nobodys := resourcelock.LeaderElectionRecord{HolderIdentity: "one"}, resourcelock.LeaderElectionRecord{}
	want := func(held bool, when string) {
		t.Helper()
		if err := h.held(); (err == nil) != held || err != nil && !errors.Is(err, errNotHeld) {
			t.Errorf("%s: %v", when, err)
		}
	}
	want(false, "before anything")
	if err := h.Create(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	want(true, "when it was taken")
	now = now.Add(7*time.Second - 1)
	want(true, "just before the end")
	now = now.Add(1)
	want(false, "at the end, of which the renewal took a part")
	lock.err = errors.New("conflict")
	if err := h.Update(t.Context(), mine); !errors.Is(err, lock.err) {
		t.Fatal(err)
	}
	want(false, "when it could not be renewed")
	lock.err = nil
	if err := h.Update(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	want(true, "when it was renewed")
	if err := h.Update(t.Context(), nobodys); err != nil {
		t.Fatal(err)
	}
	want(false, "when it was released")
}
