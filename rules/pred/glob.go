// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"strings"
	"unicode/utf8"
)

// Glob is a pattern for a whole text: chunks of it in their order, with * (any run, also an empty one) between them. A
// chunk has literal runes and ? (exactly one rune).
type Glob struct {
	// Chunks has n+1 chunks for n stars: the first is at the text's beginning, the last at its end.
	Chunks []Chunk
}

// Chunk is a run of runes, each literal or any.
type Chunk []Rune

// Rune is one rune of a chunk, or any if Any is true.
type Rune struct {
	R   rune
	Any bool
}

// ParseGlob reads the globs of the pattern language: *, ? and \ for the next rune as it is.
func ParseGlob(pattern string) Glob {
	g := Glob{Chunks: []Chunk{{}}}
	last := func() *Chunk { return &g.Chunks[len(g.Chunks)-1] }
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			*last() = append(*last(), Rune{R: r})
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			g.Chunks = append(g.Chunks, Chunk{})
		case r == '?':
			*last() = append(*last(), Rune{Any: true})
		default:
			*last() = append(*last(), Rune{R: r})
		}
	}
	if escaped {
		*last() = append(*last(), Rune{R: '\\'})
	}
	return g
}

// Folded returns the glob for texts in lower case.
func (g Glob) Folded() Glob {
	out := Glob{Chunks: make([]Chunk, len(g.Chunks))}
	for i, c := range g.Chunks {
		for _, r := range c {
			if r.Any {
				out.Chunks[i] = append(out.Chunks[i], r)
				continue
			}
			for _, f := range Fold(string(r.R)) {
				out.Chunks[i] = append(out.Chunks[i], Rune{R: f})
			}
		}
	}
	return out
}

// Match reports whether the whole text fits. It takes time in proportion to the text's length times the pattern's.
func (g Glob) Match(s string) bool {
	first, rest := g.Chunks[0], g.Chunks[1:]
	n, ok := first.at(s)
	if !ok {
		return false
	}
	s = s[n:]
	if len(rest) == 0 {
		return s == ""
	}
	for _, c := range rest[:len(rest)-1] {
		if s, ok = c.after(s); !ok {
			return false
		}
	}
	return rest[len(rest)-1].ends(s)
}

// at matches the chunk at the beginning of s and returns the length of what it took.
func (c Chunk) at(s string) (int, bool) {
	i := 0
	for _, want := range c {
		r, size := utf8.DecodeRuneInString(s[i:])
		if size == 0 || !want.Any && r != want.R {
			return 0, false
		}
		i += size
	}
	return i, true
}

// after finds the chunk for the first time and returns what is behind it.
func (c Chunk) after(s string) (string, bool) {
	for {
		if n, ok := c.at(s); ok {
			return s[n:], true
		}
		_, size := utf8.DecodeRuneInString(s)
		if size == 0 {
			return "", false
		}
		s = s[size:]
	}
}

// ends reports whether s has the chunk at its end.
func (c Chunk) ends(s string) bool {
	i := len(s)
	for range c {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		if size == 0 {
			return false
		}
		i -= size
	}
	n, ok := c.at(s[i:])
	return ok && i+n == len(s)
}

// Fold returns a text as comparisons without regard to case see it.
func Fold(s string) string { return strings.ToLower(s) }
