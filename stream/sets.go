// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// currentKey is the key of the store of Sets that names the current one; the others are hashes.
const currentKey = "current"

// Stamp says which rule Set a batch is to be matched by (R1).
type Stamp struct {
	// Set is the Set's hash.
	Set string
	// Generation grows with each change of the current Set: it is the revision of its name in the store of Sets.
	Generation uint64
}

// ErrNoSet says that no rule Set has been named yet.
var ErrNoSet = errors.New("no rule set is in force yet")

// ErrSetTooLarge says that a rule Set does not fit into a message.
var ErrSetTooLarge = errors.New("the rules and lists are too large")

// PutSet stores a rule Set under its hash; one that is there already stays. The error may be ErrSetTooLarge.
func (s *Streams) PutSet(ctx context.Context, hash string, data []byte) error {
	packed := pack(packedFormat, data)
	if limit := maxPayload - 4096; len(packed) > limit { // the rest is for headers
		return fmt.Errorf("%w: %d bytes compressed, at the most %d fit", ErrSetTooLarge, len(packed), limit)
	}
	_, err := s.sets.Create(ctx, hash, packed)
	if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return fmt.Errorf("rule set %s: %w", hash, err)
	}
	return nil
}

// Set returns a stored rule Set.
func (s *Streams) Set(ctx context.Context, hash string) ([]byte, error) {
	e, err := s.sets.Get(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("rule set %s: %w", hash, err)
	}
	return unpack(packedFormat, e.Value())
}

// NewestSets passes the stored Sets to fn, the newest first, until it returns false; n bounds how far it goes back, in messages of the store.
func (s *Streams) NewestSets(ctx context.Context, n uint64, fn func(hash string, data []byte) (more bool, err error)) error {
	st, err := s.js.Stream(ctx, bucketPrefix+setsBucket)
	if err != nil {
		return fmt.Errorf("rule sets: %w", err)
	}
	at := st.CachedInfo().State
	for seq := at.LastSeq; seq > 0 && seq >= at.FirstSeq && at.LastSeq-seq < n; seq-- {
		msg, err := st.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a name that is another's since
		}
		if err != nil {
			return fmt.Errorf("rule sets: %w", err)
		}
		hash := strings.TrimPrefix(msg.Subject, "$KV."+setsBucket+".")
		if hash == currentKey {
			continue
		}
		data, err := unpack(packedFormat, msg.Data)
		if err != nil {
			return fmt.Errorf("rule set %s: %w", hash, err)
		}
		if more, err := fn(hash, data); err != nil || !more {
			return err
		}
	}
	return nil
}

// NameSet makes a stored Set the current one for all processes. One that is current already stays what it is.
func (s *Streams) NameSet(ctx context.Context, hash string) (Stamp, error) {
	now, err := s.CurrentSet(ctx)
	if err == nil && now.Set == hash {
		return now, nil
	}
	if err != nil && !errors.Is(err, ErrNoSet) {
		return Stamp{}, err
	}
	// Of two that name one at once the later wins; if they name the same, its being named twice is no change.
	generation, err := s.sets.Put(ctx, currentKey, []byte(hash))
	if err != nil {
		return Stamp{}, fmt.Errorf("name the rule set: %w", err)
	}
	return Stamp{hash, generation}, nil
}

// CurrentSet returns the name of the current Set. The error may be ErrNoSet.
func (s *Streams) CurrentSet(ctx context.Context) (Stamp, error) { return currentSet(ctx, s.sets) }

func currentSet(ctx context.Context, sets jetstream.KeyValue) (Stamp, error) {
	e, err := sets.Get(ctx, currentKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Stamp{}, ErrNoSet
	}
	if err != nil {
		return Stamp{}, fmt.Errorf("name of the rule set: %w", err)
	}
	return Stamp{string(e.Value()), e.Revision()}, nil
}
