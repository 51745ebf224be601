// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/rules"
	"tocsin/stream"
)

// setsInMemory is a store of Sets of one test.
type setsInMemory struct {
	mu      sync.Mutex
	data    map[string][]byte
	current stream.Stamp
}

func (s *setsInMemory) PutSet(_ context.Context, hash string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make(map[string][]byte)
	}
	s.data[hash] = data
	return nil
}

func (s *setsInMemory) Set(_ context.Context, hash string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[hash], nil
}

func (s *setsInMemory) NameSet(_ context.Context, hash string) (stream.Stamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Set != hash {
		s.current = stream.Stamp{Set: hash, Generation: s.current.Generation + 1}
	}
	return s.current, nil
}

func (s *setsInMemory) CurrentSet(context.Context) (stream.Stamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Set == "" {
		return stream.Stamp{}, stream.ErrNoSet
	}
	return s.current, nil
}

func oneRule(t *testing.T, id string) *rules.Set {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte("rule: " + id + "\ntitle: T\nseverity: low\nmatch:\n  a: user.name == \"x\"\nwhen: a\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestSetsOfAnother: a process that reads no rule files waits until another has named a Set, stamps with it, and with the next
// one a second after that is named.
func TestSetsOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := slog.New(slog.DiscardHandler)
		store := &setsInMemory{}
		joined := make(chan *Sets, 1)
		go func() {
			s, err := JoinSets(ctx, store, log)
			if err != nil {
				s = nil
			}
			joined <- s
		}()
		time.Sleep(time.Minute) // of the bubble's clock: nobody waits
		select {
		case <-joined:
			t.Fatal("it did not wait for a Set")
		default:
		}
		names, err := NewSets(ctx, store, oneRule(t, "one"), log)
		if err != nil {
			t.Fatal(err)
		}
		follower := <-joined
		if follower == nil {
			t.Fatal("it did not join")
		}
		if got, want := follower.Stamp(), names.Stamp(); got != want || len(follower.Current().Rules) != 1 {
			t.Fatalf("it stamps with %+v, want %+v", got, want)
		}
		go func() { _ = follower.Follow(ctx) }()
		if err := names.Enforce(ctx, oneRule(t, "two")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(refreshEvery)
		synctest.Wait()
		if got, want := follower.Stamp(), names.Stamp(); got != want || got.Generation != 2 {
			t.Errorf("a second later it stamps with %+v, want %+v", got, want)
		}
	})
}

// TestJoinSetsEnds: who waits for a Set that never comes can be told to stop.
func TestJoinSetsEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if s, err := JoinSets(ctx, &setsInMemory{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("there are Sets, and nobody named one: %v", s)
		}
	})
}
