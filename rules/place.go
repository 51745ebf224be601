// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// placeOf is where a node begins; a node that has none is in line 1.
func placeOf(n ast.Node) (line, column int) {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 0
	}
	return n.GetToken().Position.Line, n.GetToken().Position.Column
}

// within is where in the file an error of an expression is. One that says no place, and an expression that YAML joins from several
// lines, have the place of the node.
func (s *source) within(n ast.Node, src string, err error) (line, column int) {
	first, from := placeOf(n)
	if _, ok := errors.AsType[*placed](err); !ok {
		return first, from
	}
	at := whereError(src, err)
	lines := strings.Split(src, "\n")
	text := strings.TrimRight(lines[at.Line-1], " \t\r")
	// The text of a block begins below its node, and no expression is longer than it is.
	for line := first; text != "" && line <= min(first+len(lines)+1, len(s.lines)); line++ {
		if before, _, ok := strings.Cut(s.lines[line-1], text); ok {
			return line, utf8.RuneCountInString(before) + at.Column
		}
	}
	return first, from
}

// failExpr says what is wrong with an expression.
func (s *source) failExpr(n ast.Node, src, what string, err error) {
	line, column := s.within(n, src, err)
	s.failAt(line, column, "%s: %v", what, err)
}
