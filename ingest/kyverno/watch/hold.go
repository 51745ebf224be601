// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// errNotHeld says that the Lease may be another's by now.
var errNotHeld = errors.New("the Lease was not renewed in time")

// hold is a Lease's lock that knows until when the Lease is surely its holder's: a while from the start of the last renewal
// that went well. A process that was frozen is past that time before it has noticed anything else.
type hold struct {
	resourcelock.Interface
	renew time.Duration
	now   func() time.Time // with a monotonic reading, as time.Now has it: a clock that is set changes nothing

	mu    sync.Mutex
	until time.Time
}

// Create takes a Lease that was not there.
func (h *hold) Create(ctx context.Context, rec resourcelock.LeaderElectionRecord) error {
	return h.note(rec, func() error { return h.Interface.Create(ctx, rec) })
}

// Update takes, renews or releases the Lease.
func (h *hold) Update(ctx context.Context, rec resourcelock.LeaderElectionRecord) error {
	return h.note(rec, func() error { return h.Interface.Update(ctx, rec) })
}

func (h *hold) note(rec resourcelock.LeaderElectionRecord, write func() error) error {
	until := h.now().Add(h.renew)
	if rec.HolderIdentity != h.Identity() {
		until = time.Time{} // it is released
	}
	if err := write(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
	return nil
}

// held is an error if somebody else may hold the Lease.
func (h *hold) held() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.now().Before(h.until) {
		return errNotHeld
	}
	return nil
}
