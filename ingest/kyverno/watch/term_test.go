// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"testing"

	"tocsin/ingest/kyverno"
)

// revisions is a Store that keeps the revisions of keys.
type revisions struct {
	kyverno.Store
	of  map[string]uint64
	err error
}

func (r *revisions) Get(_ context.Context, key string) ([]byte, uint64, error) {
	return nil, r.of[key], r.err
}

func (r *revisions) Put(_ context.Context, key string, _ []byte, revision uint64) (uint64, error) {
	if r.of[key] != revision {
		return 0, errors.New("conflict")
	}
	r.of[key]++
	return r.of[key], nil
}

// TestTerm: of those that list a kind the last one may settle it, while it holds the Lease and the Store can say so.
func TestTerm(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := &revisions{of: make(map[string]uint64)}
	w := &Watcher{cfg: Config{Store: store, Cluster: "prod"}}
	var lease error
	held := func() error { return lease }
	polr, rep := kind{name: "polr"}, kind{name: "rep"}
	take := func(k kind) *kyverno.Ledger {
		t.Helper()
		l, err := w.newTerm(ctx, k, held)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	want := func(l *kyverno.Ledger, err error, what string) {
		t.Helper()
		if got := l.Fence(ctx); !errors.Is(got, err) {
			t.Errorf("%s: %v, want %v", what, got, err)
		}
	}
	first, other := take(polr), take(rep)
	want(first, nil, "the only term")
	second := take(polr)
	want(first, errSuperseded, "the term before the last")
	want(second, nil, "the last term")
	want(other, nil, "the term of another kind")

	store.err = errors.New("away")
	want(second, store.err, "a Store that is away")
	store.err = nil

	lease = errNotHeld
	want(second, errNotHeld, "the last term without the Lease")
	if l, err := w.newTerm(ctx, polr, held); !errors.Is(err, errNotHeld) {
		t.Errorf("without the Lease: %v, %v", l, err)
	}
	lease = nil
	want(second, nil, "the Lease is back")
}
