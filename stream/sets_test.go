// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"tocsin/stream"
)

// TestTheCurrentSetIsTheLastNamed: generations grow with each change of the name, and with nothing else.
func TestTheCurrentSetIsTheLastNamed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _ := open(t, t.TempDir(), small())
	if _, err := s.CurrentSet(ctx); !errors.Is(err, stream.ErrNoSet) {
		t.Errorf("the current set of a new store: %v, want ErrNoSet", err)
	}
	name := func(hash string) stream.Stamp {
		t.Helper()
		got, err := s.NameSet(ctx, hash)
		if err != nil {
			t.Fatal(err)
		}
		now, err := s.CurrentSet(ctx)
		if err != nil || now != got || now.Set != hash {
			t.Fatalf("named %q as %+v, and the current one is %+v, %v", hash, got, now, err)
		}
		return got
	}
	a := name("a")
	if err := s.PutSet(ctx, "b", []byte("rules")); err != nil {
		t.Fatal(err)
	}
	if again := name("a"); again != a {
		t.Errorf("named twice: %+v and %+v", a, again)
	}
	b := name("b")
	back := name("a")
	if a.Generation >= b.Generation || b.Generation >= back.Generation {
		t.Errorf("generations %d, %d, %d do not grow", a.Generation, b.Generation, back.Generation)
	}
	if got, err := s.Set(ctx, "b"); err != nil || !cmp.Equal(got, []byte("rules")) {
		t.Errorf("set b: %q, %v", got, err)
	}
}

func TestSetTooLarge(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir(), small())
	data := make([]byte, 9<<20)
	for i := range data {
		data[i] = byte(rand.Uint32()) // nothing that packs
	}
	if err := s.PutSet(context.Background(), "large", data); !errors.Is(err, stream.ErrSetTooLarge) {
		t.Errorf("a set of 9 MiB: %v", err)
	}
}

// TestSetsMadeAnew: who deletes the bucket of Sets does not make the next Set older than those that engines have in force.
func TestSetsMadeAnew(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _ := open(t, t.TempDir(), small())
	var before stream.Stamp
	for _, hash := range []string{"a", "b", "c"} {
		var err error
		if before, err = s.NameSet(ctx, hash); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(ctx, "KV_tocsin-sets"); err != nil {
		t.Fatal(err)
	}
	anew, err := stream.Open(ctx, s.Conn(), small())
	if err != nil {
		t.Fatal(err)
	}
	if after, err := anew.NameSet(ctx, "d"); err != nil || after.Generation <= before.Generation {
		t.Errorf("named %+v after %+v: %v", after, before, err)
	}
}

// TestSetsMadeByManyAtOnce: of processes that start together one makes the bucket, and the others have it.
func TestSetsMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _ := open(t, t.TempDir(), small())
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := js.DeleteStream(ctx, "KV_tocsin-sets"); err != nil {
			t.Fatal(err)
		}
		var together errgroup.Group
		for range 4 {
			together.Go(func() error { _, err := stream.Open(ctx, s.Conn(), small()); return err })
		}
		if err := together.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSetsComeNewestFirst: each that was ever put comes once and as it was put, whatever was named between, and no further back than asked.
func TestSetsComeNewestFirst(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _ := open(t, t.TempDir(), small())
	for _, hash := range []string{"a", "b", "c", "a"} {
		if err := s.PutSet(ctx, hash, []byte("rules of "+hash)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.NameSet(ctx, hash); err != nil {
			t.Fatal(err)
		}
	}
	look := func(n uint64, until string) (got []string) {
		t.Helper()
		err := s.NewestSets(ctx, n, func(hash string, data []byte) (bool, error) {
			if string(data) != "rules of "+hash {
				t.Errorf("set %s is %q", hash, data)
			}
			got = append(got, hash)
			return hash != until, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := look(100, ""); !cmp.Equal(got, []string{"c", "b", "a"}) {
		t.Errorf("all: %v", got)
	}
	if got := look(100, "b"); !cmp.Equal(got, []string{"c", "b"}) {
		t.Errorf("up to b: %v", got)
	}
	if got := look(3, ""); !cmp.Equal(got, []string{"c"}) { // behind the name, and the place that it had before
		t.Errorf("three messages: %v", got)
	}
	broken := errors.New("broken")
	if err := s.NewestSets(ctx, 100, func(string, []byte) (bool, error) { return true, broken }); !errors.Is(err, broken) {
		t.Errorf("who fails: %v", err)
	}
}
