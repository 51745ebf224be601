// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf16"

	"tocsin/rules/pred"
)

// wild is a string value: runes, of which some are wildcards.
type wild []rune

// The wildcards, as runes that no text has.
const (
	anyRun rune = -1 - iota // *
	anyOne                  // ?
)

// parseWild reads wildcards and escapes: a backslash before *, ? or another backslash takes them as they are, any other
// backslash is one.
func parseWild(s string) wild {
	var out wild
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			if r != '*' && r != '?' && r != '\\' {
				out = append(out, '\\')
			}
			out = append(out, r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			out = append(out, anyRun)
		case r == '?':
			out = append(out, anyOne)
		default:
			out = append(out, r)
		}
	}
	if escaped {
		out = append(out, '\\')
	}
	return out
}

// literal returns the text of a value without wildcards.
func (w wild) literal() (string, bool) {
	for _, r := range w {
		if r < 0 {
			return "", false
		}
	}
	return string(w), true
}

// around adds a run of anything before or behind.
func (w wild) around(before, behind bool) wild {
	out := make(wild, 0, len(w)+2)
	if before && (len(w) == 0 || w[0] != anyRun) {
		out = append(out, anyRun)
	}
	out = append(out, w...)
	if behind && (len(w) == 0 || w[len(w)-1] != anyRun) {
		out = append(out, anyRun)
	}
	return out
}

// shape says how a value compares: as a whole, as a part, or as a glob.
func (w wild) shape() (op pred.Op, text string, glob pred.Glob) {
	first, last := 0, len(w)
	for first < last && w[first] == anyRun {
		first++
	}
	for last > first && w[last-1] == anyRun {
		last--
	}
	if s, ok := w[first:last].literal(); ok {
		switch {
		case first == 0 && last == len(w):
			return pred.Is, s, glob
		case first > 0 && last == len(w):
			return pred.Suffix, s, glob
		case first == 0:
			return pred.Prefix, s, glob
		default:
			return pred.Contains, s, glob
		}
	}
	glob.Chunks = []pred.Chunk{{}}
	for _, r := range w {
		at := &glob.Chunks[len(glob.Chunks)-1]
		switch r {
		case anyRun:
			glob.Chunks = append(glob.Chunks, pred.Chunk{})
		case anyOne:
			*at = append(*at, pred.Rune{Any: true})
		default:
			*at = append(*at, pred.Rune{R: r})
		}
	}
	return pred.Like, "", glob
}

// dashes are what Windows takes for the sign of an option (specification 2.1.0, windash).
var dashes = []rune{'-', '/', '–', '—', '―'}

// maxVariants bounds what one value becomes.
const maxVariants = 625

// windash returns the value with each sign of an option, - or / at the beginning of a word, in all its forms.
func (w wild) windash() ([]wild, bool) {
	out := []wild{{}}
	for i, r := range w {
		sign := (r == '-' || r == '/') && (i == 0 || !isWord(w[i-1])) && i+1 < len(w) && isWord(w[i+1])
		forms := []rune{r}
		if sign {
			forms = dashes
		}
		var next []wild
		for _, o := range out {
			for _, f := range forms {
				next = append(next, append(slices.Clip(o), f))
			}
		}
		if out = next; len(out) > maxVariants {
			return nil, false
		}
	}
	return out, true
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// utf16 returns the bytes of a text in UTF-16, each as one rune.
func (w wild) utf16(order string) (wild, bool) {
	s, ok := w.literal()
	if !ok {
		return nil, false
	}
	var out wild
	if order == "utf16" {
		out = wild{0xff, 0xfe}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if order == "utf16be" {
			out = append(out, rune(u>>8), rune(u&0xff))
		} else {
			out = append(out, rune(u&0xff), rune(u>>8))
		}
	}
	return out, true
}

// octets returns the bytes that a text stands for: those of UTF-8, or, after a UTF-16 modifier, one for each rune.
func (w wild) octets(encoded bool) ([]byte, bool) {
	s, ok := w.literal()
	if !ok {
		return nil, false
	}
	if !encoded {
		return []byte(s), true
	}
	out := make([]byte, 0, len(w))
	for _, r := range w {
		out = append(out, byte(r))
	}
	return out, true
}

func base64Of(b []byte) wild { return wild([]rune(base64.StdEncoding.EncodeToString(b))) }

// base64Offsets returns what stands in a base64 text wherever the bytes, two or more, begin in it.
func base64Offsets(b []byte) []wild {
	if len(b) < 2 {
		return nil
	}
	from, to := [3]int{0, 2, 3}, [3]int{0, 3, 2}
	var out []wild
	for i := range 3 {
		s := base64.StdEncoding.EncodeToString(append([]byte(strings.Repeat(" ", i)), b...))
		out = append(out, wild([]rune(s[from[i]:len(s)-to[(len(b)+i)%3]])))
	}
	return out
}
