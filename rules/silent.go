// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
)

// Silent holds of a window whose last match of a pattern no other followed for `within`.
type Silent struct{ Pattern int }

func (Silent) cond() {}

func (c conditions) silent(n *ast.CallNode) (Cond, error) {
	if len(n.Arguments) != 1 {
		return nil, fmt.Errorf("silent takes one pattern, as in silent(heartbeat)")
	}
	i, err := c.pattern(n.Arguments[0])
	return Silent{i}, err
}
