// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// File is a rule file that somebody has read.
type File struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// source is one file and the errors in it.
type source struct {
	file   File
	lines  []string
	docs   []*ast.MappingNode
	rule   string
	errors []error
}

func (s *source) fail(n ast.Node, format string, args ...any) {
	line, column := placeOf(n)
	s.failAt(line, column, format, args...)
}

// maxSnippet is how much of a line an error shows.
const maxSnippet = 200

func (s *source) failLine(line int, format string, args ...any) { s.failAt(line, 0, format, args...) }

func (s *source) failAt(line, column int, format string, args ...any) {
	e := &Error{File: s.file.Name, Line: line, Column: column, Rule: s.rule, Err: fmt.Errorf(format, args...)}
	if line >= 1 && line <= len(s.lines) {
		e.Snippet = strings.TrimRight(s.lines[line-1], "\r\n")
		if len(e.Snippet) > maxSnippet {
			e.Snippet = strings.ToValidUTF8(e.Snippet[:maxSnippet], "") + " …"
		}
	}
	s.errors = append(s.errors, e)
}

// readFiles parses the rule files among files.
func readFiles(files []File) []*source {
	var out []*source
	for _, f := range files {
		if !isList(f.Name) {
			out = append(out, &source{file: f})
		}
	}
	atOnce(len(out), func(i int) {
		s := out[i]
		s.lines = strings.Split(string(s.file.Data), "\n")
		s.docs = s.documents()
	})
	return out
}

// documents parses the YAML of a file.
func (s *source) documents() []*ast.MappingNode {
	f, err := parseYAML(s.file.Data)
	if err != nil {
		line, column, msg := position(err)
		if strings.Contains(msg, "mapping value is not allowed") {
			msg += ": a text with `: ` in it needs quotes or a block (`|`)"
		}
		s.failAt(line, column, "%s", msg)
		return nil
	}
	var out []*ast.MappingNode
	for _, d := range f.Docs {
		switch b := d.Body.(type) {
		case nil:
		case *ast.MappingNode:
			out = append(out, b)
		case *ast.NullNode, *ast.CommentGroupNode:
		default:
			s.fail(b, "a rule file has documents of keys and values")
		}
	}
	return out
}

// parseYAML parses a file. The parser is not ours: where it panics, the file is wrong and the process is well.
func parseYAML(data []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("[1:1] the YAML parser cannot read this: %v", r)
		}
	}()
	all, err := tokens(data)
	if err != nil {
		return nil, err
	}
	return parser.Parse(all, 0)
}

// position takes line and column out of a parser's error, whose text begins with [line:column]; a column of 0 is not known.
func position(err error) (line, column int, msg string) {
	if e, ok := errors.AsType[*boundError](err); ok {
		return e.line, 0, e.what
	}
	line, msg = 1, err.Error()
	if at, rest, ok := strings.Cut(strings.TrimPrefix(msg, "["), "]"); ok && strings.HasPrefix(msg, "[") {
		if l, c, ok := strings.Cut(at, ":"); ok {
			if n, e := strconv.Atoi(l); e == nil {
				line, msg = n, strings.TrimSpace(rest)
				column, _ = strconv.Atoi(c)
			}
		}
	}
	msg, _, _ = strings.Cut(msg, "\n")
	return line, column, msg
}

// entry is one key of a mapping.
type entry struct {
	key   string
	node  *ast.MappingValueNode
	value ast.Node
}

// entries returns the keys of a mapping in order; known, if not nil, are those allowed.
func (s *source) entries(n ast.Node, what string, known []string) []entry {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		s.fail(n, "%s is a mapping of keys to values", what)
		return nil
	}
	var out []entry
	seen := make(map[string]bool)
	for _, v := range values {
		key := strings.TrimSpace(v.Key.GetToken().Value)
		if seen[key] {
			s.fail(v.Key, "the key %q stands twice", key)
			continue
		}
		seen[key] = true
		if known != nil && !contains(known, key) {
			s.fail(v.Key, "unknown key %q in %s%s", key, what, meant(key, known))
			continue
		}
		out = append(out, entry{key, v, v.Value})
	}
	return out
}

func contains(xs []string, x string) bool {
	return slices.Contains(xs, x)
}

// text reads a string.
func (s *source) text(n ast.Node, what string) string {
	v, ok := s.scalar(n, what)
	if !ok {
		return ""
	}
	str, ok := v.(string)
	if !ok {
		s.fail(n, "%s is a text, not %v: put it in quotes", what, v)
		return ""
	}
	return str
}

// expression reads an expression; YAML takes a leading `!` for a tag.
func (s *source) expression(n ast.Node, what string) string {
	switch n := n.(type) {
	case *ast.TagNode:
		s.fail(n, "%s: YAML reads a leading `!` as a tag: write `not …`, or put the expression in quotes", what)
		return ""
	case *ast.BoolNode:
		return n.GetToken().Value
	}
	if _, null := n.(*ast.NullNode); null && s.tagged(n) {
		s.fail(n, "%s: YAML reads a leading `!` as a tag: write `not …`, or put the expression in quotes", what)
		return ""
	}
	before := len(s.errors)
	str := strings.TrimSpace(s.text(n, what))
	if str == "" && len(s.errors) == before {
		s.fail(n, "%s is empty", what)
	}
	return str
}

// tagged reports whether the line of a null value has a tag: the YAML parser keeps nothing else of it.
func (s *source) tagged(n ast.Node) bool {
	line := n.GetToken().Position.Line
	if line < 1 || line > len(s.lines) {
		return false
	}
	_, after, ok := strings.Cut(s.lines[line-1], ":")
	return ok && strings.HasPrefix(strings.TrimSpace(after), "!")
}

// scalar reads a string, int64, uint64, float64, bool or nil.
func (s *source) scalar(n ast.Node, what string) (any, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case int64:
			return v, true
		case uint64:
			if v <= math.MaxInt64 {
				return int64(v), true
			}
			return v, true
		}
	case *ast.FloatNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.NullNode:
		return nil, true
	case *ast.TagNode:
		s.fail(n, "%s: YAML tags are not used here", what)
		return nil, false
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		s.fail(n, "%s: YAML anchors and aliases are not used here", what)
		return nil, false
	case nil:
		return nil, true
	}
	s.fail(n, "%s is a single value", what)
	return nil, false
}

// any reads any value as decoded JSON would be.
func (s *source) any(n ast.Node, what string, depth int) any {
	if depth > 64 {
		s.fail(n, "%s is nested too deep", what)
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		out := make(map[string]any)
		for _, e := range s.entries(n, what, nil) {
			out[e.key] = s.any(e.value, what, depth+1)
		}
		return out
	case *ast.SequenceNode:
		out := make([]any, 0, len(n.Values))
		for _, v := range n.Values {
			out = append(out, s.any(v, what, depth+1))
		}
		return out
	}
	v, _ := s.scalar(n, what)
	return v
}

// list reads a sequence, or a single value as a sequence of one.
func (s *source) list(n ast.Node, what string) []ast.Node {
	if q, ok := n.(*ast.SequenceNode); ok {
		return q.Values
	}
	s.fail(n, "%s is a list", what)
	return nil
}

// texts reads a list of strings.
func (s *source) texts(n ast.Node, what string) []string {
	var out []string
	for _, v := range s.list(n, what) {
		out = append(out, s.text(v, what))
	}
	return out
}

// boolean reads true or false.
func (s *source) boolean(n ast.Node, what string) bool {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		s.fail(n, "%s is true or false", what)
		return false
	}
	return b.Value
}

// duration reads a time span.
func (s *source) duration(n ast.Node, what string) time.Duration {
	d, _ := s.span(n, what)
	return d
}

// span is duration; ok is false if it is none, which has been said.
func (s *source) span(n ast.Node, what string) (d time.Duration, ok bool) {
	v, ok := s.scalar(n, what)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(fmt.Sprint(v))
	if err != nil {
		s.fail(n, "%s: %v", what, err)
	}
	return d, err == nil
}

// ParseDuration reads a span such as 90s, 30d or 1h30m, with the units s, m, h, d and w.
func ParseDuration(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	var total time.Duration
	rest := text
	for rest != "" {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 0 || i == len(rest) {
			return 0, fmt.Errorf("%q is no duration: write a number and s, m, h, d or w, as in 10m", text)
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		unit, ok := units[rest[i]]
		if err != nil || !ok || n > int64(math.MaxInt64)/int64(unit) {
			return 0, fmt.Errorf("%q is no duration: write a number and s, m, h, d or w, as in 10m", text)
		}
		total += time.Duration(n) * unit
		if total < 0 {
			return 0, fmt.Errorf("%q is too long", text)
		}
		rest = rest[i+1:]
	}
	if text == "" {
		return 0, fmt.Errorf("a duration is empty")
	}
	return total, nil
}
