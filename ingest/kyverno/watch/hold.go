// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// errNotHeld says that the Lease may be another's by now.
var errNotHeld = errors.New("the Lease was not renewed in time")

// hold is a Lease's lock that knows until when the Lease is surely its holder's: a while from the start of the last renewal
// that went well. A process that was frozen is past that time before it has noticed anything else.
type hold struct {
	resourcelock.Interface
	renew time.Duration
	// failed is told of calls that went wrong.
	failed func(error)
	now    func() time.Time // with a monotonic reading, as time.Now has it: a clock that is set changes nothing

	mu    sync.Mutex
	until time.Time
}

// Get reads the Lease.
func (h *hold) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	rec, raw, err := h.Interface.Get(ctx)
	h.asked(ctx, err, apierrors.IsNotFound)
	return rec, raw, err
}

// Create takes a Lease that was not there.
func (h *hold) Create(ctx context.Context, rec resourcelock.LeaderElectionRecord) error {
	return h.note(ctx, rec, h.Interface.Create, apierrors.IsAlreadyExists)
}

// Update takes, renews or releases the Lease.
func (h *hold) Update(ctx context.Context, rec resourcelock.LeaderElectionRecord) error {
	return h.note(ctx, rec, h.Interface.Update, apierrors.IsConflict)
}

func (h *hold) note(
	ctx context.Context, rec resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error, taken func(error) bool,
) error {
	until := h.now().Add(h.renew)
	if rec.HolderIdentity != h.Identity() {
		until = time.Time{} // it is released
	}
	err := write(ctx, rec)
	h.asked(ctx, err, taken)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
	return nil
}

// asked notes a call that went wrong. That there is no Lease yet, or that another replica was there first, is an answer.
func (h *hold) asked(ctx context.Context, err error, answer func(error) bool) {
	if err != nil && ctx.Err() == nil && !answer(err) {
		h.failed(err)
	}
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
