// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// Filter takes events away from rules that others wrote. The specification writes what to take away, `condition:
// selection`; pySigma writes what to keep, `condition: not selection`. Nobody means to take away all but a selection, so
// with both what the selection covers goes.
type Filter struct {
	Meta
	// Rules are the ids or names of its rules; nil are all.
	Rules     []string
	logsource map[string]string
	node      func(*Rule) (pred.Node, error)
	// keeps: the condition says what stays, not what goes.
	keeps bool
}

// ReadFilter reads a filter. The error is an [*Error].
func ReadFilter(doc *ast.MappingNode, config *Config) (*Filter, error) {
	ms, err := members(doc, "a Sigma filter")
	if err != nil {
		return nil, err
	}
	f := &Filter{logsource: make(map[string]string)}
	if f.Meta, err = readMeta(doc, ms); err != nil {
		return nil, err
	}
	for _, m := range ms {
		switch m.key {
		case "logsource":
			if f.logsource, _, err = logsourceOf(m.value); err != nil {
				return nil, err
			}
		case "detection", "correlation":
			return nil, fail(m.at, "a filter has no %s: write that as a document of its own, behind a line of ---", m.key)
		case "filter":
			if err := f.read(m, config); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

func (f *Filter) read(filter member, config *Config) error {
	ms, err := members(filter.value, "filter")
	if err != nil {
		return err
	}
	var block []member
	for _, m := range ms {
		if m.key != "rules" {
			block = append(block, m)
			continue
		}
		if f.Rules, err = texts(m.value, "rules"); err != nil {
			return err
		}
		if slices.Equal(f.Rules, []string{"any"}) {
			f.Rules = nil
		}
	}
	f.node = func(r *Rule) (pred.Node, error) {
		rd := &reader{config: config, source: r.source, guessed: r.Guessed}
		n, err := rd.block(filter.at, block)
		r.Guessed = rd.guessed
		return n, err
	}
	if _, err = f.node(&Rule{}); err != nil {
		return err
	}
	for _, m := range block {
		if m.key == "condition" {
			f.keeps = keeps(m.value, block)
		}
	}
	return nil
}

// keeps reports whether a filter's condition says what stays: it is `not` of something, or several of them.
func keeps(condition ast.Node, block []member) bool {
	var names []string
	for _, m := range block {
		names = append(names, m.key)
	}
	src, ok := text(condition)
	if !ok {
		return false
	}
	n, err := parseCondition(src, names, func(string) (pred.Node, error) { return pred.Const(true), nil })
	if err != nil {
		return false
	}
	all, ok := n.(pred.And)
	if !ok {
		all = pred.And{n}
	}
	for _, x := range all {
		if _, not := x.(pred.Not); !not {
			return false
		}
	}
	return true
}

// Apply adds the filter's condition to a rule that it names and whose log source has what the filter's has. It reports
// whether it did.
func (f *Filter) Apply(r *Rule) (bool, error) {
	if f.Rules != nil && !slices.Contains(f.Rules, r.ID) && (r.Name == "" || !slices.Contains(f.Rules, r.Name)) {
		return false, nil
	}
	for key, v := range f.logsource {
		if r.logsource[key] != v {
			return false, nil
		}
	}
	n, err := f.node(r)
	if err != nil {
		return false, err
	}
	if !f.keeps {
		n = pred.Not{X: n}
	}
	if r.Size += pred.Size(n); r.Size > pred.MaxSize {
		return false, fmt.Errorf("with it the rule %q is %d bytes written out, at most %d are allowed", r.Title, r.Size, pred.MaxSize)
	}
	r.Node = pred.And{r.Node, n}
	return true, nil
}
