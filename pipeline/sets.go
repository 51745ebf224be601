// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"tocsin/rules"
)

// setStore keeps rule Sets by their hash, for whoever has to match or correlate what they were stamped on (R1).
type setStore interface {
	PutSet(ctx context.Context, hash string, data []byte) error
	Set(ctx context.Context, hash string) ([]byte, error)
	SetHashes(ctx context.Context) ([]string, error)
}

// Sets knows the compiled rule Sets: the current one, and any older one that
// batches or state still name.
type Sets struct {
	store   setStore
	current *rules.Set

	mu   sync.Mutex
	sets map[string]*rules.Set
}

// NewSets makes current the Set that new batches are stamped with, and stores it.
func NewSets(ctx context.Context, store setStore, current *rules.Set) (*Sets, error) {
	data, err := json.Marshal(current.Files)
	if err != nil {
		return nil, fmt.Errorf("encode rule set: %w", err)
	}
	if err := store.PutSet(ctx, current.Hash, data); err != nil {
		return nil, fmt.Errorf("store rule set: %w", err)
	}
	return &Sets{store: store, current: current, sets: map[string]*rules.Set{current.Hash: current}}, nil
}

// Current returns the Set that new batches are stamped with.
func (s *Sets) Current() *rules.Set { return s.current }

// Get returns the Set with a hash, compiling it if this process has not seen it.
func (s *Sets) Get(ctx context.Context, hash string) (*rules.Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.sets[hash]; set != nil {
		return set, nil
	}
	data, err := s.store.Set(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("rule set %s: %w", hash, err)
	}
	var files []rules.File
	if err := json.Unmarshal(data, &files); err != nil {
		return nil, fmt.Errorf("rule set %s: %w", hash, err)
	}
	set, err := rules.Compile(files)
	if err != nil {
		return nil, fmt.Errorf("rule set %s: %w", hash, err)
	}
	s.sets[hash] = set
	return set, nil
}

// All returns every Set that is stored: state may be of a rule that no current Set has.
func (s *Sets) All(ctx context.Context) ([]*rules.Set, error) {
	hashes, err := s.store.SetHashes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list rule sets: %w", err)
	}
	out := []*rules.Set{s.current}
	for _, h := range hashes {
		if h == s.current.Hash {
			continue
		}
		set, err := s.Get(ctx, h)
		if err != nil {
			return nil, err
		}
		out = append(out, set)
	}
	return out, nil
}
