// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds of one file of rules. The YAML parser calls itself for each level and takes time and memory in proportion to
// the square of some counts, so that a small file can end the process, and no recover helps; they hold before it begins.
const (
	// MaxFile bounds its bytes.
	MaxFile      = 1 << 20
	maxDocuments = 1000
	maxYAMLDepth = 100
	maxYAMLKeys  = 5000
	// maxYAMLTokens bounds keys, values and punctuation.
	maxYAMLTokens = 60_000
	// maxYAMLPaths bounds what the parser notes at each value: the keys that lead to it, in bytes.
	maxYAMLPaths = 32 << 20
)

// boundError says which bound a file is beyond, and in which line.
type boundError struct {
	line int
	what string
}

func (e *boundError) Error() string { return e.what }

// tokens takes a file apart, and refuses one that is beyond the bounds.
func tokens(data []byte) (token.Tokens, error) {
	if len(data) > MaxFile {
		return nil, &boundError{1, fmt.Sprintf("a file of rules has at most %d bytes, this one has more: make several of it", MaxFile)}
	}
	var all token.Tokens
	var in scanner.Scanner
	in.Init(string(data))
	x := yamlExtent{documents: 1}
	for {
		some, err := in.Scan()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		all.Add(some...)
		for _, t := range some {
			if what := x.beyond(t); what != "" {
				return nil, &boundError{t.Position.Line, what}
			}
		}
	}
}

// yamlExtent counts what a file has of what is bounded.
type yamlExtent struct {
	tokens, documents, keys int
	// open are the mappings and sequences around a token, path the keys that lead to it, paths those of all tokens.
	open        []yamlLevel
	path, paths int
	// marks are the tags and anchors right before a value, each a level of its own; named is true behind an anchor.
	marks int
	named bool
}

// yamlLevel is a mapping or a sequence. One in block form is known by its column, a sequence within a mapping of the
// same column by a little more.
type yamlLevel struct {
	flow bool
	at   int
	key  int // bytes of the key that is open
}

// beyond takes one more token, and names the bound that it is beyond.
func (x *yamlExtent) beyond(t *token.Token) string {
	x.tokens++
	x.mark(t)
	inFlow := len(x.open) > 0 && x.open[len(x.open)-1].flow
	switch t.Type {
	case token.DocumentHeaderType:
		x.documents++
		x.open, x.path = x.open[:0], 0
	case token.SequenceStartType, token.MappingStartType:
		x.push(yamlLevel{flow: true})
	case token.SequenceEndType, token.MappingEndType:
		for len(x.open) > 0 {
			if x.pop().flow {
				break
			}
		}
	case token.SequenceEntryType:
		x.block(2*t.Position.Column+1, 8)
	case token.MappingKeyType:
		x.keys++
		x.block(2*t.Position.Column, 0)
	case token.MappingValueType:
		x.keys++
		key := t
		if t.Prev != nil {
			key = t.Prev
		}
		if !inFlow {
			x.block(2*key.Position.Column, len(key.Value))
			break
		}
		l := &x.open[len(x.open)-1]
		x.path += len(key.Value) - l.key
		l.key = len(key.Value)
	}
	x.paths += x.path
	switch {
	case x.tokens > maxYAMLTokens:
		return fmt.Sprintf("a file of rules has at most %d keys, values and signs: make several of it", maxYAMLTokens)
	case x.documents > maxDocuments+1:
		return fmt.Sprintf("a file of rules has at most %d documents: make several of it", maxDocuments)
	case x.keys > maxYAMLKeys:
		return fmt.Sprintf("a file of rules has at most %d keys: make several of it", maxYAMLKeys)
	case len(x.open)+x.marks > maxYAMLDepth:
		return fmt.Sprintf("nested deeper than %d", maxYAMLDepth)
	case x.paths > maxYAMLPaths:
		return "the keys are too long for how many values are beneath them"
	}
	return ""
}

// mark counts tags and anchors.
func (x *yamlExtent) mark(t *token.Token) {
	switch {
	case t.Type == token.TagType:
		x.marks++
	case t.Type == token.AnchorType:
		x.marks++
		x.named = true
	case x.named:
		x.named = false
	default:
		x.marks = 0
	}
}

func (x *yamlExtent) push(l yamlLevel) {
	x.open = append(x.open, l)
	x.path += l.key
}

func (x *yamlExtent) pop() yamlLevel {
	l := x.open[len(x.open)-1]
	x.open = x.open[:len(x.open)-1]
	x.path -= l.key
	return l
}

// block goes to the mapping or sequence in block form at a place.
func (x *yamlExtent) block(at, key int) {
	for len(x.open) > 0 {
		if l := x.open[len(x.open)-1]; l.flow || l.at < at {
			break
		}
		x.pop()
	}
	x.push(yamlLevel{at: at, key: key})
}
