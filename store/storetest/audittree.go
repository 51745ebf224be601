// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"tocsin/proof"
	"tocsin/store"
)

// never is longer than any entry stays started.
const never = time.Hour

// acts records entries from a number on and settles them.
func acts(t *testing.T, s store.Store, from, n int) (ids []int64) {
	t.Helper()
	for i := from; i < from+n; i++ {
		id, err := s.Record(t.Context(), anEntry(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context(), id, "done", 200); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// seal has all entries that may enter the tree, few at a time.
func seal(t *testing.T, s store.Store, after time.Duration) {
	t.Helper()
	for {
		n, err := s.Seal(t.Context(), 3, after)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// wholeTree checks that the tree has these entries, each once and in any order, and that its hashes are those of what the log has now.
func wholeTree(t *testing.T, s store.Store, ids ...int64) {
	t.Helper()
	size, err := s.TreeSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var f proof.Frontier
	found := make(map[int64]int)
	leaves, err := s.Leaves(t.Context(), 0, len(ids)+10)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range leaves {
		if l.Place != int64(i) {
			t.Errorf("the place of entry %d is %d, want %d", l.ID, l.Place, i)
		}
		found[l.ID]++
		f.Add(l.Proof().Hash())
	}
	want := make(map[int64]int)
	for _, id := range ids {
		want[id] = 1
	}
	if diff := cmp.Diff(want, found); diff != "" || size != int64(len(ids)) {
		t.Errorf("size %d, entries: %s", size, diff)
	}
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return s.TreeHashes(t.Context(), at) }))
	if err != nil || root != f.Tree().Hash {
		t.Errorf("root %v, %v; what the log has now gives %v", root, err, f.Tree().Hash)
	}
}

func treeGrows(t *testing.T, k Kind) {
	s := k.Open(t)
	wholeTree(t, s)
	ids := acts(t, s, 0, 7)
	started, err := s.Record(t.Context(), anEntry(7))
	if err != nil {
		t.Fatal(err)
	}
	seal(t, s, never)
	wholeTree(t, s, ids...)
	// One with a higher id enters before it; later it has its place like any other.
	ids = append(ids, acts(t, s, 8, 2)...)
	seal(t, s, never)
	wholeTree(t, s, ids...)
	if err := s.Settle(t.Context(), started, "failed", 500); err != nil {
		t.Fatal(err)
	}
	seal(t, s, never)
	wholeTree(t, s, append(ids, started)...)
	if _, err := s.TreeHashes(t.Context(), []int64{0, 1 << 20}); err == nil || !strings.Contains(err.Error(), "there is no hash 1048576") {
		t.Errorf("a hash that is not there: %v", err)
	}
}

// treeIsFinal follows one whose end was not written: it enters as started, and its end comes too late.
func treeIsFinal(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	id, err := s.Record(ctx, anEntry(1))
	if err != nil {
		t.Fatal(err)
	}
	seal(t, s, -never) // as if it had begun long ago
	if err := s.Settle(ctx, id, "done", 200); err != nil {
		t.Fatal(err)
	}
	leaves, err := s.Leaves(ctx, 0, 2)
	if err != nil || len(leaves) != 1 || leaves[0].Outcome != store.Started {
		t.Fatalf("%+v, %v", leaves, err)
	}
	wholeTree(t, s, id)
	other := acts(t, s, 2, 1)[0]
	for _, query := range []string{
		fmt.Sprintf("UPDATE audit SET outcome = 'done', status = 200 WHERE id = %d", id),
		fmt.Sprintf("UPDATE audit SET leaf = 9 WHERE id = %d", id),
		fmt.Sprintf("UPDATE audit SET leaf = NULL WHERE id = %d", id),
		fmt.Sprintf("UPDATE audit SET leaf = 1, outcome = 'failed' WHERE id = %d", other),
		fmt.Sprintf("UPDATE audit SET status = 500 WHERE id = %d", other),
	} {
		if err := k.Try(t, s, query); err == nil || !strings.Contains(err.Error(), "append only") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// treeTogether has several processes add to the log and to the tree at once.
func treeTogether(t *testing.T, k Kind) {
	s := k.Open(t)
	var wg sync.WaitGroup
	ids := make([][]int64, 3)
	for w := range ids {
		wg.Go(func() {
			for i := range 10 {
				id, err := s.Record(t.Context(), anEntry(i))
				if err != nil {
					t.Error(err)
					return
				}
				ids[w] = append(ids[w], id)
				if err := s.Settle(t.Context(), id, "done", 200); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				if _, err := s.Seal(t.Context(), 4, never); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seal(t, s, never)
	wholeTree(t, s, append(append(ids[0], ids[1]...), ids[2]...)...)
}

// treeTampered changes what is in the tree with the triggers out of the way: it is said which entry it was.
func treeTampered(t *testing.T, k Kind) {
	for _, tt := range []struct {
		name, want string
		queries    []string
	}{
		{"nothing", "", nil},
		{"an actor", "entry 3, place 2 in the tree, is not what it was when it entered", []string{"UPDATE audit SET actor = 'somebody else' WHERE id = 3"}},
		{"an outcome", "entry 5, place 4 in the tree, is not what it was when it entered", []string{"UPDATE audit SET outcome = 'failed' WHERE id = 5"}},
		{"one goes", "the entry that has place 1 in the tree is gone", []string{"DELETE FROM audit WHERE id = 2"}},
		{"the last goes", "the entry that has place 5 in the tree is gone", []string{"DELETE FROM audit WHERE id = 6"}},
		{"two change places", "entry 2, place 0 in the tree, is not what it was when it entered", []string{
			"UPDATE audit SET leaf = 9 WHERE id = 1", "UPDATE audit SET leaf = 0 WHERE id = 2", "UPDATE audit SET leaf = 1 WHERE id = 1",
		}},
		{"a hash above", "a hash of the tree above entry 2, place 1, is not what the entries give", []string{
			"UPDATE audit_hashes SET hash = (SELECT hash FROM audit_hashes WHERE at = 0) WHERE at = 2",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := k.Open(t)
			acts(t, s, 0, 6)
			seal(t, s, never)
			hashes := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return s.TreeHashes(t.Context(), at) })
			root, err := tlog.TreeHash(6, hashes)
			if err != nil {
				t.Fatal(err)
			}
			k.Loose(t, s)
			for _, query := range tt.queries {
				k.Exec(t, s, query)
			}
			err = proof.CheckLog(tlog.Tree{N: 6, Hash: root}, tlog.Tree{Hash: proof.Empty()}, hashes, func(from int64, n int) ([]proof.Placed, error) {
				leaves, err := s.Leaves(t.Context(), from, n)
				var out []proof.Placed
				for _, l := range leaves {
					out = append(out, l.Placed())
				}
				return out, err
			})
			if fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func treeOfIncident(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	var ids []int64
	for _, object := range []string{id(anIncident, 1) + "/close", id(anIncident, 2), id(anIncident, 1), id(anIncident, 1) + "/comments"} {
		e := anEntry(1)
		e.Object, e.Outcome = "/api/v1/incidents/"+object, "refused"
		id, err := s.Record(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	seal(t, s, never)
	of := func(size int64, n int) (out []int64, more bool) {
		t.Helper()
		leaves, more, err := s.LeavesOf(ctx, id(anIncident, 1), size, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leaves {
			out = append(out, l.ID)
		}
		return out, more
	}
	if got, more := of(4, 3); cmp.Diff([]int64{ids[0], ids[2], ids[3]}, got) != "" || more {
		t.Errorf("entries %v, more %t", got, more)
	}
	if got, more := of(4, 2); cmp.Diff([]int64{ids[0], ids[2]}, got) != "" || !more {
		t.Errorf("two entries %v, more %t", got, more)
	}
	if got, _ := of(3, 9); cmp.Diff([]int64{ids[0], ids[2]}, got) != "" {
		t.Errorf("of a tree of three: %v", got)
	}
}

func checkpoints(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	for _, x := range []struct {
		key  string
		size int64
		note string
	}{{"a", 5, "five"}, {"b", 1, "one"}, {"a", 3, "three"}, {"a", 5, "five again"}} {
		if err := s.KeepCheckpoint(ctx, x.key, x.size, x.note); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{"a": "five again", "b": "one", "c": ""} {
		if note, at, err := s.Checkpoint(ctx, key); err != nil || note != want || (at == 0) != (want == "") {
			t.Errorf("Checkpoint(%s) = %q at %d, %v; want %q", key, note, at, err, want)
		}
	}
}
