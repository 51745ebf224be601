// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"time"

	exprast "github.com/expr-lang/expr/ast"
	"github.com/goccy/go-yaml/ast"
)

// maxFirstSeen bounds the first_seen of one rule: each takes one of the bits that patterns have.
const maxFirstSeen = 8

// FirstSeen holds of a window with a match of a pattern whose value, or tuple of values, the key did not have within
// Learn before it; Values indexes Rule.Values. It holds of nothing until the key is Learn old.
type FirstSeen struct {
	Pattern int
	Values  []int
	Learn   time.Duration
}

func (FirstSeen) cond() {}

func (c conditions) firstSeen(n *exprast.CallNode) (Cond, error) {
	if len(n.Arguments) < 2 {
		return nil, fmt.Errorf("first_seen takes a pattern and at least one field, as in first_seen(login, source.ip)")
	}
	if c.learn == 0 {
		return nil, fmt.Errorf("learn is missing: over what time is a value of %s known? learn: 14d", n)
	}
	f := FirstSeen{Learn: c.learn}
	var err error
	if f.Pattern, err = c.pattern(n.Arguments[0]); err != nil {
		return nil, err
	}
	f.Values, err = c.fields(n.Arguments[1:])
	return f, err
}

// learn reads the key of that name.
func (d *draft) learn(n ast.Node) time.Duration {
	if n == nil {
		return 0
	}
	span, ok := d.span(n, "learn")
	if ok && (span <= 0 || span > maxWithin) {
		d.fail(n, "learn is between 1s and 366d")
		ok = false
	}
	if !ok {
		return time.Second // one mistake is told once
	}
	return span
}
