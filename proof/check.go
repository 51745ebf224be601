// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Placed is an entry with its place in the tree.
type Placed struct {
	Place int64 `json:"place"`
	Entry Entry `json:"entry"`
}

// page is how many entries are read at once.
const page = 500

// CheckLog reads a whole log again, and says what of it is not as it was when it was signed: which entry, if one is changed or gone; if
// its hashes were changed with it, that the tree is another. before is a tree that was signed earlier, which has to be the beginning.
func CheckLog(signed, before tlog.Tree, hashes tlog.HashReader, read func(from int64, n int) ([]Placed, error)) error {
	if signed.N < before.N {
		return fmt.Errorf("the checkpoint that is kept has %d entries, and one of %d was signed", signed.N, before.N)
	}
	var tree Frontier
	for tree.Size() < signed.N {
		if err := checkPage(&tree, min(page, signed.N-tree.Size()), before, hashes, read); err != nil {
			return err
		}
	}
	if tree.Tree() != signed {
		return fmt.Errorf("the %d entries are not those of the checkpoint that was signed: the tree was made anew", signed.N)
	}
	return nil
}

// checkPage adds n entries to the tree, and compares the hashes that they make with those that are kept.
func checkPage(tree *Frontier, n int64, before tlog.Tree, hashes tlog.HashReader, read func(from int64, n int) ([]Placed, error)) error {
	from := tree.Size()
	entries, err := read(from, int(n))
	if err != nil {
		return err
	}
	var at []int64
	for i := tlog.StoredHashCount(from); i < tlog.StoredHashCount(from+n); i++ {
		at = append(at, i)
	}
	kept, err := hashes.ReadHashes(at)
	if err != nil {
		return err
	}
	for i := range n {
		place := from + i
		if i >= int64(len(entries)) || entries[i].Place != place {
			return fmt.Errorf("the entry that has place %d in the tree is gone", place)
		}
		made := tree.Add(entries[i].Entry.Hash())
		if made[0] != kept[0] {
			return fmt.Errorf("entry %d, place %d in the tree, is not what it was when it entered", entries[i].Entry.ID, place)
		}
		for level, h := range made {
			if h != kept[level] {
				return fmt.Errorf("a hash of the tree above entry %d, place %d, is not what the entries give", entries[i].Entry.ID, place)
			}
		}
		kept = kept[len(made):]
		if tree.Size() == before.N && tree.Tree() != before {
			return fmt.Errorf("the first %d entries are not those of the checkpoint that was signed before", before.N)
		}
	}
	return nil
}

// Proved is an entry with the proof that it is in a tree.
type Proved struct {
	Placed
	Proof tlog.RecordProof `json:"proof"`
}

// Cached returns a reader that reads each hash once.
func Cached(hashes tlog.HashReader) tlog.HashReader {
	known := make(map[int64]tlog.Hash)
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var missing []int64
		for _, i := range at {
			if _, ok := known[i]; !ok {
				missing = append(missing, i)
			}
		}
		if len(missing) > 0 {
			read, err := hashes.ReadHashes(missing)
			if err != nil {
				return nil, err
			}
			for i, h := range read {
				known[missing[i]] = h
			}
		}
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = known[x]
		}
		return out, nil
	})
}

// Extends reports why a consistency proof does not show that a tree has all that an earlier one had.
func Extends(p tlog.TreeProof, now, before tlog.Tree) error {
	if before.N == 0 {
		return nil // everything begins with nothing
	}
	if err := tlog.CheckTree(p, now.N, now.Hash, before.N, before.Hash); err != nil {
		return fmt.Errorf("the tree of %d entries does not begin with that of %d: %w", now.N, before.N, err)
	}
	return nil
}
