// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
)

// Error says where a rule file is wrong. It is the only error type of this package.
type Error struct {
	File string
	Line int
	// Column counts characters from 1; 0 if only the line is known.
	Column int
	// Rule is the rule's id, if the parser got that far.
	Rule string
	Err  error
	// Snippet is the line of the file.
	Snippet string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	if e.Rule != "" {
		fmt.Fprintf(&b, "rule %q: ", e.Rule)
	}
	b.WriteString(e.Err.Error())
	if e.Snippet != "" {
		fmt.Fprintf(&b, "\n  %4d | %s", e.Line, e.Snippet)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// nearest returns the candidate closest to name, "" if none is close.
func nearest(name string, candidates []string) string {
	best, at := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(name, c); d < at || d == at && best != "" && c < best {
			best, at = c, d
		}
	}
	return best
}

// Nearest returns the candidate closest to name, "" if none is close: what was meant.
func Nearest(name string, candidates []string) string { return nearest(name, candidates) }

// meant appends a suggestion to a message.
func meant(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	return ""
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := prev[0]
		prev[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = prev[j]
			prev[j] = min(cost, prev[j]+1, prev[j-1]+1)
		}
	}
	return prev[len(b)]
}
