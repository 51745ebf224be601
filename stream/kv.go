// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// markerTTL is how long the server keeps the mark of a deleted key. Without an end the marks of what comes and
// goes, as reports do with their pods, would fill the bucket.
const markerTTL = time.Minute

// KV is a bucket of small values on the streams' JetStream, each written only over the revision that its writer read
// (protocols.md 2.5): what inputs remember of their sources. Keys may be any text.
type KV struct {
	name string
	kv   jetstream.KeyValue
}

// KV opens a bucket, or creates it. One whose settings would lose what is kept is refused with the name of the setting.
func (s *Streams) KV(ctx context.Context, bucket, description string) (*KV, error) {
	kv, err := s.bucket(ctx, bucket, description, true)
	if err != nil {
		return nil, err
	}
	return &KV{bucket, kv}, nil
}

// Get returns a value and its revision; of a key that is not there the revision is 0.
func (k *KV) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	e, err := k.kv.Get(ctx, escapeKey(key))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("bucket %s, key %s: %w", k.name, key, err)
	}
	value, err := unpack(packedFormat, e.Value())
	if err != nil {
		return nil, 0, fmt.Errorf("bucket %s, key %s: %w", k.name, key, err)
	}
	return value, e.Revision(), nil
}

// Put returns the new revision when the value is on disk. It fails if the key is no longer at revision, 0 being
// none. A Put whose answer was lost fails when it is tried again: whoever puts must read anew.
func (k *KV) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	data := pack(packedFormat, value)
	var next uint64
	var err error
	if revision == 0 {
		next, err = k.kv.Create(ctx, escapeKey(key), data)
	} else {
		next, err = k.kv.Update(ctx, escapeKey(key), data, revision)
	}
	if err != nil {
		return 0, fmt.Errorf("bucket %s, key %s at %d: %w", k.name, key, revision, err)
	}
	return next, nil
}

// Delete removes a key that is still at revision.
func (k *KV) Delete(ctx context.Context, key string, revision uint64) error {
	if err := k.kv.Purge(ctx, escapeKey(key), jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL)); err != nil {
		return fmt.Errorf("bucket %s, key %s at %d: %w", k.name, key, revision, err)
	}
	return nil
}

// Keys lists all keys, in no order.
func (k *KV) Keys(ctx context.Context) ([]string, error) {
	keys, err := k.kv.Keys(ctx)
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys of bucket %s: %w", k.name, err)
	}
	for i, key := range keys {
		if keys[i], err = unescapeKey(key); err != nil {
			return nil, fmt.Errorf("bucket %s: %w", k.name, err)
		}
	}
	return keys, nil
}

// escapeKey writes a key with what a subject's token may have: any other byte, and the sign itself, is = and two
// digits. The empty key is one sign.
func escapeKey(key string) string {
	if key == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}

func unescapeKey(s string) (string, error) {
	if s == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("the key %q is none of ours", s)
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("the key %q is none of ours", s)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}
