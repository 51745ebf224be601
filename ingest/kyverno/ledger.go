// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/event"
)

// Source is the name under which the records are parsed.
const Source = "kyverno"

// Store keeps States (protocols.md 2.5). A JetStream KV bucket does.
type Store interface {
	// Get returns a value and its revision; a key that is not there has revision 0.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put stores a value if the key is still at the revision, and returns the new one.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes the key if it is still at the revision.
	Delete(ctx context.Context, key string, revision uint64) error
	// Keys lists all keys.
	Keys(ctx context.Context) ([]string, error)
}

// Commit returns when all records are on disk. If it returns an error some of them may be.
type Commit func(context.Context, []event.Record) error

// Ledger brings what is remembered of a report up to date with it (architecture.md, "Exactly once, in effect").
//
// The order of acts: the step's State is put with its records in it, then they are committed, then they are taken out
// of the State. A crash before the first put forgets the step; one after it commits the same bytes again, whatever has
// become of the report meanwhile. Of two replicas that see the same change, one puts, and the other starts over. That
// does not hold back one that sees a report as it was: the Fence does.
type Ledger struct {
	Store  Store
	Commit Commit
	// Input is that of the records.
	Input string
	// Fence, if not nil, is asked before each change of what is remembered, after that was read. Its error says that
	// somebody else may have settled a newer report by now; then nothing is written or committed.
	Fence func(context.Context) error
}

// Settle commits what changed since the State under key. A nil report is one that is gone: its key is deleted. It
// returns how many records it committed, of which some may have been committed before.
func (l *Ledger) Settle(ctx context.Context, key string, d Diff, rep *Report) (int, error) {
	value, revision, err := l.Store.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("state of %s: %w", key, err)
	}
	state, err := DecodeState(value)
	if err != nil {
		return 0, fmt.Errorf("state of %s: %w", key, err)
	}
	committed := 0
	for {
		if n := len(state.Pending); n > 0 {
			if err := l.commit(ctx, state.Pending); err != nil {
				return committed, fmt.Errorf("commit of %s: %w", key, err)
			}
			committed += n
			state.Pending = nil
			if revision, err = l.put(ctx, key, state, revision); err != nil {
				return committed, err
			}
		}
		next, records := d.Step(state, rep)
		if len(records) == 0 {
			break
		}
		if err := l.fence(ctx, key); err != nil {
			return committed, err
		}
		for i := range records {
			raw, err := records[i].Encode()
			if err != nil {
				return committed, err
			}
			next.Pending = append(next.Pending, raw)
		}
		state = next
		if revision, err = l.put(ctx, key, state, revision); err != nil {
			return committed, err
		}
	}
	if rep == nil && revision != 0 {
		return committed, l.forget(ctx, key, revision)
	}
	return committed, nil
}

func (l *Ledger) fence(ctx context.Context, key string) error {
	if l.Fence == nil {
		return nil
	}
	if err := l.Fence(ctx); err != nil {
		return fmt.Errorf("%s is not settled: %w", key, err)
	}
	return nil
}

// forget deletes what is remembered of an object that is gone.
func (l *Ledger) forget(ctx context.Context, key string, revision uint64) error {
	if err := l.fence(ctx, key); err != nil {
		return err
	}
	if err := l.Store.Delete(ctx, key, revision); err != nil {
		return fmt.Errorf("state of %s: %w", key, err)
	}
	return nil
}

func (l *Ledger) put(ctx context.Context, key string, s State, revision uint64) (uint64, error) {
	b, err := s.Encode()
	if err != nil {
		return 0, err
	}
	if revision, err = l.Store.Put(ctx, key, b, revision); err != nil {
		return 0, fmt.Errorf("state of %s: %w", key, err)
	}
	return revision, nil
}

func (l *Ledger) commit(ctx context.Context, raws []json.RawMessage) error {
	records := make([]event.Record, len(raws))
	for i, raw := range raws {
		records[i] = event.Record{Input: l.Input, Source: Source, Raw: raw}
	}
	return l.Commit(ctx, records)
}

// SettleBlocked commits the record of a blocked admission once: a Kubernetes Event is never written again
// (protocols.md 2.3). Its key says so for as long as the Event is there; a nil object is one that is gone.
func (l *Ledger) SettleBlocked(ctx context.Context, key, cluster string, obj map[string]any) (int, error) {
	_, revision, err := l.Store.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("state of %s: %w", key, err)
	}
	switch {
	case obj == nil && revision != 0:
		return 0, l.forget(ctx, key, revision)
	case obj == nil, revision != 0, !IsBlocked(obj):
		return 0, nil
	}
	raw, err := BlockedRecord(cluster, obj)
	if err != nil {
		return 0, err
	}
	if err := l.fence(ctx, key); err != nil {
		return 0, err
	}
	if err := l.commit(ctx, []json.RawMessage{raw}); err != nil {
		return 0, fmt.Errorf("commit of %s: %w", key, err)
	}
	if _, err := l.Store.Put(ctx, key, []byte("told"), 0); err != nil {
		return 1, fmt.Errorf("state of %s: %w", key, err)
	}
	return 1, nil
}
