// SPDX-License-Identifier: Apache-2.0

package pred

import "encoding/binary"

// texts finds which of many texts stand in a text. Each is known by four of its bytes, those that fewest others share, or two:
// a place of the text with other bytes costs one look at a bit.
//
// An Aho-Corasick automaton would do the same with a step through memory for each byte; over the thousands of texts of
// a large rule set its states do not stay in a processor's cache, and these bits do.
type texts struct {
	all   []literal
	rough [1 << 10]uint64 // by hash of four bytes: somebody may know them
	by    map[uint32][]int32
	ends  map[uint32][]int32 // those that stand at the end only, by their last bytes
	heads map[uint32][]int32
	// edges are the lengths below minGram that ends and heads have.
	edges [minGram]bool
	// pairs are two bytes of each text that has no four, nil if there is none.
	pairs *pairs
}

// minGram is the length in bytes of the texts that are known by four of their bytes.
const minGram = 4

// pairs finds texts of two or three bytes.
type pairs struct {
	some [1 << 10]uint64 // by the two bytes: somebody knows them
	by   map[uint16][]int32
}

type literal struct {
	text string
	at   int // of its four bytes, or two
	id   int32
}

func gram(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

func roughly(g uint32) uint32 { return g * 0x9e3779b1 >> 16 }

// edge is the key of the n bytes at the beginning or end of a text, for n up to minGram.
func edge(s string) uint32 {
	var b [4]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint32(b[:])
}

// newTexts builds the finder; ids are by place in each list.
func newTexts(inside, heads, ends map[string]int32) *texts {
	t := &texts{by: make(map[uint32][]int32), ends: make(map[uint32][]int32), heads: make(map[uint32][]int32)}
	shared := make(map[uint32]int)
	for s := range inside {
		for i := 0; i+minGram <= len(s); i++ {
			shared[gram(s, i)]++
		}
	}
	for _, s := range sorted(inside) {
		if len(s) < minGram {
			t.addShort(s, inside[s])
			continue
		}
		best := 0
		for i := 1; i+minGram <= len(s); i++ {
			if shared[gram(s, i)] < shared[gram(s, best)] {
				best = i
			}
		}
		g := gram(s, best)
		t.by[g] = append(t.by[g], t.add(s, best, inside[s]))
		h := roughly(g)
		t.rough[h/64] |= 1 << (h % 64)
	}
	for _, s := range sorted(heads) {
		n := min(len(s), minGram)
		t.edges[n%minGram] = true
		k := edge(s[:n])
		t.heads[k] = append(t.heads[k], t.add(s, n, heads[s]))
	}
	for _, s := range sorted(ends) {
		n := min(len(s), minGram)
		t.edges[n%minGram] = true
		k := edge(s[len(s)-n:])
		t.ends[k] = append(t.ends[k], t.add(s, n, ends[s]))
	}
	return t
}

func (t *texts) add(s string, at int, id int32) int32 {
	t.all = append(t.all, literal{s, at, id})
	return int32(len(t.all) - 1)
}

// addShort adds a text of two or three bytes: the last two say more than the first, which of many symbols are the same.
func (t *texts) addShort(s string, id int32) {
	if t.pairs == nil {
		t.pairs = &pairs{by: make(map[uint16][]int32)}
	}
	at := len(s) - 2
	p := pair(s, at)
	t.pairs.some[p/64] |= 1 << (p % 64)
	t.pairs.by[p] = append(t.pairs.by[p], t.add(s, at, id))
}

func pair(s string, i int) uint16 { return uint16(s[i]) | uint16(s[i+1])<<8 }

// find tells r of each text that stands in s, perhaps several times.
func (t *texts) find(s string, r *Run) {
	if t.pairs != nil {
		for i := range max(len(s)-1, 0) {
			p := pair(s, i)
			if t.pairs.some[p/64]&(1<<(p%64)) == 0 {
				continue
			}
			for _, k := range t.pairs.by[p] {
				if l := &t.all[k]; i >= l.at && s[i-l.at:i+2] == l.text {
					r.see(l.id)
				}
			}
		}
	}
	if len(t.by) > 0 {
		g := uint32(0)
		for i := 1 - minGram; i+minGram <= len(s); i++ {
			if g = g>>8 | uint32(s[i+minGram-1])<<24; i < 0 {
				continue
			}
			h := roughly(g)
			if t.rough[h/64]&(1<<(h%64)) == 0 {
				continue
			}
			for _, k := range t.by[g] {
				l := &t.all[k]
				if from := i - l.at; from >= 0 && from+len(l.text) <= len(s) && s[from:from+len(l.text)] == l.text {
					r.see(l.id)
				}
			}
		}
	}
	for n := 1; n <= min(len(s), minGram); n++ {
		if !t.edges[n%minGram] {
			continue
		}
		for _, k := range t.heads[edge(s[:n])] {
			if l := &t.all[k]; l.at == n && len(l.text) <= len(s) && s[:len(l.text)] == l.text {
				r.see(l.id)
			}
		}
		for _, k := range t.ends[edge(s[len(s)-n:])] {
			if l := &t.all[k]; l.at == n && len(l.text) <= len(s) && s[len(s)-len(l.text):] == l.text {
				r.see(l.id)
			}
		}
	}
}
