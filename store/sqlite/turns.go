// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"slices"
	"sync"
)

// turns let one write at a time: commits in the order in which they came, and between two of them what is short, such as the
// renewal of leases. The pool of database/sql picks among those that wait at random, and a lease that waits for commits of
// every partition runs out.
type turns struct {
	mu      sync.Mutex
	taken   bool
	short   bool // it was taken by something short
	waiting [2][]chan struct{}
}

// take waits for a turn. Each has to be given back.
func (t *turns) take(ctx context.Context, short bool) error {
	t.mu.Lock()
	if !t.taken {
		t.taken, t.short = true, short
		t.mu.Unlock()
		return nil
	}
	mine, in := make(chan struct{}), &t.waiting[class(short)]
	*in = append(*in, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(*in, mine)
	if i >= 0 {
		*in = slices.Delete(*in, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // it was given meanwhile
		t.give()
	}
	return ctx.Err()
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := !t.short
	if len(t.waiting[class(next)]) == 0 {
		next = t.short
	}
	in := &t.waiting[class(next)]
	if t.taken = len(*in) > 0; t.taken {
		close((*in)[0])
		*in, t.short = slices.Delete(*in, 0, 1), next
	}
}

func class(short bool) int {
	if short {
		return 1
	}
	return 0
}
