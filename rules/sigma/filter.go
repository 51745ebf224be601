// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// Filter adds a condition to rules that others wrote.
type Filter struct {
	Meta
	// Rules are the ids or names of its rules; nil are all.
	Rules     []string
	logsource map[string]string
	node      func(*Rule) (pred.Node, error)
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
		return (&reader{config: config, source: r.source}).block(filter.at, block)
	}
	_, err = f.node(&Rule{})
	return err
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
	r.Node = pred.And{r.Node, n}
	return true, nil
}
