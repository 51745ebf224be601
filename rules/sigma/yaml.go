// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Error is what is wrong with a document, and in which line.
type Error struct {
	Line    int
	Message string
}

func (e *Error) Error() string { return e.Message }

func fail(n ast.Node, format string, args ...any) error {
	line := 0
	if n != nil && n.GetToken() != nil {
		line = n.GetToken().Position.Line
	}
	return &Error{line, fmt.Sprintf(format, args...)}
}

// member is one key of a mapping.
type member struct {
	key   string
	at    ast.Node
	value ast.Node
}

// plain follows tags and anchors to what they stand at.
func plain(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.TagNode:
		return plain(n.Value)
	case *ast.AnchorNode:
		return plain(n.Value)
	}
	return n
}

// members returns the keys of a mapping in their order.
func members(n ast.Node, what string) ([]member, error) {
	var values []*ast.MappingValueNode
	switch n := plain(n).(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, fail(n, "%s is a mapping", what)
	}
	out := make([]member, 0, len(values))
	seen := make(map[string]bool)
	for _, v := range values {
		key := v.Key.GetToken().Value
		if seen[key] {
			return nil, fail(v.Key, "the key %q stands twice", key)
		}
		seen[key] = true
		out = append(out, member{key, v.Key, plain(v.Value)})
	}
	return out, nil
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// list returns the items of a sequence, or one value as one item.
func list(n ast.Node) []ast.Node {
	if s, ok := n.(*ast.SequenceNode); ok {
		out := make([]ast.Node, len(s.Values))
		for i, v := range s.Values {
			out[i] = plain(v)
		}
		return out
	}
	return []ast.Node{n}
}

// text returns a scalar's text.
func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode, nil:
		return "", false
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// texts returns the texts of a scalar or a sequence of scalars.
func texts(n ast.Node, what string) ([]string, error) {
	if n == nil {
		return nil, nil
	}
	var out []string
	for _, x := range list(n) {
		s, ok := text(x)
		if !ok {
			return nil, fail(x, "%s is a text, or a list of texts", what)
		}
		out = append(out, strings.TrimSpace(s))
	}
	return out, nil
}
