// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"time"

	"github.com/expr-lang/expr/ast"
)

// Rate compares the number of matches of a pattern in W(e) with Times what is usual for the key at that hour of the day: the mean
// of the counts of the same hour, in UTC, on the [UsualDays] days before that of e, scaled from an hour to `within`. It holds of
// nothing until the key has that many days.
type Rate struct {
	Pattern int
	Op      Op
	Times   Number
}

func (Rate) cond() {}

// UsualDays is of how many days the usual rate is the mean.
const UsualDays = 14

// maxRateWithin bounds `within` where the usual rate is asked for: that is of one hour of the day.
const maxRateWithin = time.Hour

// rate compiles rate(a) > 4 * usual(a).
func (c conditions) rate(n *ast.BinaryNode, call *ast.CallNode, op Op) (Cond, error) {
	wrong := func() (Cond, error) {
		return nil, fmt.Errorf("%s: a rate is compared with what is usual for the same pattern, as in rate(a) > 4 * usual(a)", n)
	}
	if len(call.Arguments) != 1 {
		return wrong()
	}
	if op != GT && op != GE {
		return nil, fmt.Errorf("%s: a rate is compared by > or >=; for too few there are count(…) and silent(…)", n)
	}
	r := Rate{Op: op, Times: Number{Digits: 1}}
	usual := n.Right
	if b, ok := usual.(*ast.BinaryNode); ok && b.Operator == "*" {
		factor := b.Left
		if usual = b.Right; !isCall(usual) {
			factor, usual = usual, factor
		}
		if r.Times, ok = numberNode(factor); !ok || r.Times.Sign() <= 0 || r.Times.Compare(Number{Digits: maxThreshold}) > 0 {
			return nil, fmt.Errorf("%s: usual(…) is taken times a number above 0 and up to %d", n, maxThreshold)
		}
	}
	of, ok := usual.(*ast.CallNode)
	if !ok || callee(of) != "usual" || len(of.Arguments) != 1 || of.Arguments[0].String() != call.Arguments[0].String() {
		return wrong()
	}
	var err error
	r.Pattern, err = c.pattern(call.Arguments[0])
	return r, err
}

func isCall(n ast.Node) bool { _, ok := n.(*ast.CallNode); return ok }
