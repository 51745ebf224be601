// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tocsin/rules"
	"tocsin/stream"
)

// keptSets is how many Sets stay compiled beside the current one: those that batches and state still name are few.
const keptSets = 3

// refreshEvery is how long a Set that another process named may go unnoticed.
const refreshEvery = time.Second

// setStore keeps rule Sets by their hash, for whoever has to match or correlate what they were stamped on, and names
// one of them the current one for all processes (R1).
type setStore interface {
	PutSet(ctx context.Context, hash string, data []byte) error
	Set(ctx context.Context, hash string) ([]byte, error)
	NameSet(ctx context.Context, hash string) (stream.Stamp, error)
	CurrentSet(ctx context.Context) (stream.Stamp, error)
}

// Sets knows the compiled rule Sets: the current one, and older ones that batches or state still name.
type Sets struct {
	store setStore
	log   *slog.Logger

	mu      sync.Mutex // of what follows; never held while the store is asked or a Set compiled
	current *rules.Set
	stamp   stream.Stamp
	recent  []*rules.Set // used last, the latest at the end

	loading sync.Mutex // one Set is compiled at a time
}

// NewSets makes set the current one.
func NewSets(ctx context.Context, store setStore, set *rules.Set, log *slog.Logger) (*Sets, error) {
	s := &Sets{store: store, log: log}
	return s, s.Enforce(ctx, set)
}

// JoinSets begins with the Set that another process has named, and waits until one has.
func JoinSets(ctx context.Context, store setStore, log *slog.Logger) (*Sets, error) {
	s := &Sets{store: store, log: log}
	for told := false; ; told = true {
		err := s.Refresh(ctx)
		if !errors.Is(err, stream.ErrNoSet) {
			return s, err
		}
		if !told {
			log.Warn("the start waits for a process that reads rule files", "err", err)
		}
		if !pause(ctx, refreshEvery) {
			return nil, ctx.Err()
		}
	}
}

// Follow makes current here what other processes name, until ctx ends.
func (s *Sets) Follow(ctx context.Context) error {
	for pause(ctx, refreshEvery) {
		if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the current rule set is not known: the last one is used on", "err", err)
		}
	}
	return nil
}

// Current returns the Set that new batches are stamped with.
func (s *Sets) Current() *rules.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Stamp is what new batches are stamped with.
func (s *Sets) Stamp() stream.Stamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stamp
}

// Enforce stores a Set and makes it the current one of all processes: of this one at once, of the others within a second.
func (s *Sets) Enforce(ctx context.Context, set *rules.Set) error {
	data, err := set.Encode()
	if err != nil {
		return fmt.Errorf("encode rule set: %w", err)
	}
	if err := s.store.PutSet(ctx, set.Hash, data); err != nil {
		return err
	}
	stamp, err := s.store.NameSet(ctx, set.Hash)
	if err != nil {
		return err
	}
	s.use(set, stamp)
	return nil
}

// Refresh makes current here what another process has named. On an error the Set that was current stays.
func (s *Sets) Refresh(ctx context.Context) error {
	stamp, err := s.store.CurrentSet(ctx)
	if err != nil {
		return err
	}
	if stamp.Generation <= s.Stamp().Generation {
		return nil
	}
	set, err := s.Get(ctx, stamp.Set)
	if err != nil {
		return err
	}
	s.use(set, stamp)
	return nil
}

// use makes a Set current, unless a later one is.
func (s *Sets) use(set *rules.Set, stamp stream.Stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && stamp.Generation < s.stamp.Generation {
		return
	}
	if s.current != nil && s.current.Hash != set.Hash {
		s.keep(s.current)
	}
	s.current, s.stamp = set, stamp
}

// Get returns the Set with a hash, compiling it if this process does not have it.
func (s *Sets) Get(ctx context.Context, hash string) (*rules.Set, error) {
	if set := s.have(hash); set != nil {
		return set, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	if set := s.have(hash); set != nil {
		return set, nil
	}
	data, err := s.store.Set(ctx, hash)
	if err != nil {
		return nil, err
	}
	set, leftOut, err := rules.Decode(hash, data)
	if err != nil {
		return nil, err
	}
	if len(leftOut) > 0 {
		s.log.Error("rules of an earlier version do not compile any more: they are left out", "set", hash, "err", errors.Join(leftOut...))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(set)
	return set, nil
}

// have returns a Set that is compiled here, nil if it is not.
func (s *Sets) have(hash string) *rules.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.Hash == hash {
		return s.current
	}
	for _, set := range s.recent {
		if set.Hash == hash {
			s.keep(set)
			return set
		}
	}
	return nil
}

// keep notes that a Set was used.
func (s *Sets) keep(set *rules.Set) {
	s.recent = slices.DeleteFunc(s.recent, func(x *rules.Set) bool { return x.Hash == set.Hash })
	s.recent = append(s.recent, set)
	if over := len(s.recent) - keptSets; over > 0 {
		s.recent = slices.Delete(s.recent, 0, over)
	}
}
