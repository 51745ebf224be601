// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// ration bounds what the rule's patterns and exceptions cost together.
func (d *draft) ration(at ast.Node) {
	all := slices.Clone(d.rule.matcher.patterns)
	for _, x := range d.rule.matcher.exceptions {
		all = append(all, x.covers)
	}
	if err := pred.Ration(all...); err != nil {
		d.fail(at, "%v", err)
	}
}
