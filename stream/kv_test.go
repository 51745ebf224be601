// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/stream"
)

func bucket(ctx context.Context, t *testing.T, s *stream.Streams) *stream.KV {
	t.Helper()
	kv, err := s.KV(ctx, "tocsin-test", "a test")
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// TestKVIsGuardedByRevision: whatever is put, deleted and read in whatever order, the bucket is a map in which a write
// over another revision than the last has no effect.
func TestKVIsGuardedByRevision(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, _ := open(t, t.TempDir(), small())
	kv := bucket(ctx, t, s)
	rapid.Check(t, func(t *rapid.T) {
		keys, err := kv.Keys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys { // those of the check before
			_, rev, err := kv.Get(ctx, k)
			if err == nil {
				err = kv.Delete(ctx, k, rev)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		values, revisions, before := map[string]string{}, map[string]uint64{}, []uint64{1 << 40}
		names := rapid.SampledFrom([]string{"", "=", "a.b", ".", "é/x", "polr/shop/9c1f-2", "a b\x00*>"})
		for range rapid.IntRange(1, 12).Draw(t, "acts") {
			key, stale := names.Draw(t, "key"), rapid.Bool().Draw(t, "stale")
			rev := revisions[key]
			if stale {
				rev = rapid.SampledFrom(before).Draw(t, "other revision")
			}
			stale = rev != revisions[key]
			if rapid.Bool().Draw(t, "put") {
				value := rapid.StringN(0, 8, -1).Draw(t, "value")
				next, err := kv.Put(ctx, key, []byte(value), rev)
				if (err != nil) != stale {
					t.Fatalf("put %q at %d, which is at %d: %v", key, rev, revisions[key], err)
				}
				if err == nil {
					values[key], revisions[key], before = value, next, append(before, next)
				}
			} else if rev != 0 {
				err := kv.Delete(ctx, key, rev)
				if (err != nil) != stale {
					t.Fatalf("delete %q at %d, which is at %d: %v", key, rev, revisions[key], err)
				}
				if err == nil {
					delete(values, key)
					delete(revisions, key)
				}
			}
			value, at, err := kv.Get(ctx, key)
			if err != nil || string(value) != values[key] || at != revisions[key] {
				t.Fatalf("%q is %q at %d, want %q at %d, %v", key, value, at, values[key], revisions[key], err)
			}
		}
		var want []string
		for k := range values {
			want = append(want, k)
		}
		got, err := kv.Keys(ctx)
		slices.Sort(want)
		slices.Sort(got)
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("keys %q, want %q, %v", got, want, err)
		}
	})
}

// TestKVOutlivesTheProcess: what was put is there when the server starts again, in the same bucket.
func TestKVOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	s, stop := open(t, dir, small())
	rev, err := bucket(ctx, t, s).Put(ctx, "key", []byte("value"), 0)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	s, _ = open(t, dir, small())
	kv := bucket(ctx, t, s)
	value, at, err := kv.Get(ctx, "key")
	if err != nil || string(value) != "value" || at != rev {
		t.Errorf("%q at %d, want revision %d, %v", value, at, rev, err)
	}
	if _, err := kv.Put(ctx, "key", nil, 0); err == nil {
		t.Error("a key that is there was created")
	}
}
