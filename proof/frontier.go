// SPDX-License-Identifier: Apache-2.0

package proof

import "golang.org/x/mod/sumdb/tlog"

// Frontier makes a tree from its leaves, in order, and holds no more of it than its right edge. The zero value is the empty tree.
type Frontier struct {
	n    int64
	edge []tlog.Hash // of the whole subtrees, the largest first
}

// Add adds a leaf and returns the hashes that it completes, as they are stored: its own first.
func (f *Frontier) Add(leaf tlog.Hash) []tlog.Hash {
	out, h := []tlog.Hash{leaf}, leaf
	for i := f.n; i&1 == 1; i >>= 1 {
		last := len(f.edge) - 1
		h = tlog.NodeHash(f.edge[last], h)
		f.edge, out = f.edge[:last], append(out, h)
	}
	f.edge = append(f.edge, h)
	f.n++
	return out
}

// Size returns how many leaves were added.
func (f *Frontier) Size() int64 { return f.n }

// Tree returns the tree so far.
func (f *Frontier) Tree() tlog.Tree {
	if f.n == 0 {
		return tlog.Tree{Hash: Empty()}
	}
	h := f.edge[len(f.edge)-1]
	for i := len(f.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.edge[i], h)
	}
	return tlog.Tree{N: f.n, Hash: h}
}

// Empty returns the root of the empty tree.
func Empty() tlog.Hash {
	h, err := tlog.TreeHash(0, nil)
	if err != nil {
		panic("proof: " + err.Error()) // it reads nothing
	}
	return h
}
