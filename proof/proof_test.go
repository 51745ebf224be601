// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func aKey(t testing.TB) Key {
	t.Helper()
	secret, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestALeafStays: what an entry is called in the tree is in the hashes of every log that there is.
func TestALeafStays(t *testing.T) {
	t.Parallel()
	e := Entry{ID: 7, At: 1, Finished: 2, Actor: "ana & <b>", Via: "token", Operation: "close-incident", Object: "/x", Remote: "::1", Request: "r", Outcome: "done", Status: 200}
	want := `{"actor":"ana & <b>","at":"1970-01-01T00:00:00.000000001Z","finished":"1970-01-01T00:00:00.000000002Z","id":7,"object":"/x",` +
		`"operation":"close-incident","outcome":"done","remote":"::1","request_id":"r","status":200,"via":"token"}`
	if got := string(e.Leaf()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestFrontierIsTheTree: the hashes that a frontier gives are those that tlog stores, and its root is tlog's, at any size.
func TestFrontierIsTheTree(t *testing.T) {
	t.Parallel()
	var f Frontier
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = stored[x]
		}
		return out, nil
	})
	for n := range int64(200) {
		root, err := tlog.TreeHash(n, reader)
		if err != nil || f.Tree() != (tlog.Tree{N: n, Hash: root}) {
			t.Fatalf("%d leaves: %v, %v; want %v", n, f.Tree(), err, root)
		}
		leaf := Entry{ID: n}.Hash()
		want, err := tlog.StoredHashesForRecordHash(n, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Add(leaf)
		if len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
			t.Fatalf("leaf %d: %v, want %v", n, got, want)
		}
		stored = append(stored, got...)
	}
}

// TestACheckpointIsTheKeys: one is read with its key and no other, and not with a letter changed.
func TestACheckpointIsTheKeys(t *testing.T) {
	t.Parallel()
	k, other := aKey(t), aKey(t)
	tree := tlog.Tree{N: 3, Hash: tlog.RecordHash([]byte("x"))}
	msg, err := k.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Checkpoint(msg, k.Public()); err != nil || got != tree {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := Checkpoint(msg, other.Public()); err == nil || !strings.Contains(err.Error(), "it is not signed by the key") {
		t.Errorf("with another key: %v", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(msg)-1).Draw(t, "at")
		b := []byte(msg)
		b[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if _, err := Checkpoint(string(b), k.Public()); err == nil {
			t.Fatalf("it is taken as %q", b)
		}
	})
	manifest, err := k.sign("tocsin-evidence\n3\n" + tree.Hash.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Checkpoint(manifest, k.Public()); err == nil {
		t.Error("what the key signed of something else is taken for a checkpoint")
	}
}

func TestKeysOfTwo(t *testing.T) {
	t.Parallel()
	one, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":    "two lines",
		"a b": "no signer key",
		strings.Fields(one)[0] + "\n" + aKey(t).Public(): "not of one key",
	} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestTheLastNoteOfAFile: of checkpoints that were appended the last that is whole counts, wherever a crash cut off what follows; a file
// with one is that one, and a file with none is what it was.
func TestTheLastNoteOfAFile(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	sign := func(n int64) string {
		t.Helper()
		msg, err := k.Sign(tlog.Tree{N: n})
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	one, two, three := sign(1), sign(2), sign(3)
	for name, tt := range map[string]struct{ text, want string }{
		"one": {one, one}, "two": {one + "\n" + two, two}, "without a line between": {one + two, two}, "lines after it": {one + "\n\n", one},
		"none": {"some text", "some text"}, "nothing": {"", ""}, "one cut off": {one[:9], one[:9]},
		"a longer line": {one + "\nnot-" + two, one}, "written after what was cut off": {one + "\n" + two[:30] + "\n" + three, three},
	} {
		if got := LastNote(tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	for cut := range len(three) {
		text := one + "\n" + two + "\n" + three[:cut]
		if got := LastNote(text); got != two {
			t.Fatalf("cut at %d: %q", cut, got)
		}
		if tree, err := Checkpoint(LastNote(text+"\n"+three), k.Public()); err != nil || tree.N != 3 {
			t.Fatalf("after a cut at %d: %v, %v", cut, tree, err)
		}
	}
}
