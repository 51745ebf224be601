// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"fmt"

	"tocsin/ingest/kyverno"
)

// errSuperseded says that somebody has begun to list a kind anew since: what this list had may be the past.
var errSuperseded = errors.New("it was listed anew by another since")

// newTerm returns the Ledger of what will be listed of a kind from now on. Whoever lists takes a term before: it is the
// revision of a key of the Store that guards all that is remembered of the kind, and grows each time. A replica
// that was frozen, and wakes with reports that have changed since, finds that its term is not the last one and tells
// nothing. The Lease could not say so: its count of transitions begins anew with a Lease that was deleted, moved or restored.
func (w *Watcher) newTerm(ctx context.Context, k kind, held func() error) (*kyverno.Ledger, error) {
	if err := held(); err != nil {
		return nil, err
	}
	key := w.cfg.Cluster + "/term/" + k.name
	_, last, err := w.cfg.Store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("term: %w", err)
	}
	term, err := w.cfg.Store.Put(ctx, key, nil, last)
	if err != nil {
		return nil, fmt.Errorf("term: %w", err)
	}
	fence := func(ctx context.Context) error {
		if err := held(); err != nil {
			return err
		}
		_, last, err := w.cfg.Store.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("term: %w", err)
		}
		if last != term {
			return errSuperseded
		}
		return nil
	}
	return &kyverno.Ledger{Store: w.cfg.Store, Commit: w.cfg.Commit, Input: w.cfg.Input, Fence: fence}, nil
}
