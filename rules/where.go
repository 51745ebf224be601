// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr/ast"

	"tocsin/event"
	"tocsin/rules/pred"
)

// Where is one expression of the pattern language by itself, for who looks for events. It is immutable.
type Where struct{ cond pred.Node }

// WhereError says what is wrong with an expression, and where: both count from 1, Column in characters.
type WhereError struct {
	Line, Column int
	Err          error
}

func (e *WhereError) Error() string { return fmt.Sprintf("%d:%d: %v", e.Line, e.Column, e.Err) }

func (e *WhereError) Unwrap() error { return e.Err }

// CompileWhere compiles an expression as the pattern of a rule is, but for lists, which rule files have. The error is a
// [*WhereError].
func CompileWhere(src string) (*Where, error) {
	n, err := parseExpr(src)
	if err != nil {
		return nil, whereError(src, err)
	}
	cond, err := compilePredicate(n)
	if err == nil {
		err = noLists(cond)
	}
	if err == nil {
		err = pred.Ration(cond)
	}
	if err != nil {
		return nil, whereError(src, err)
	}
	return &Where{cond}, nil
}

// Holds reports whether an event is one that is looked for.
func (w *Where) Holds(e *event.Event) bool { return pred.Eval(w.cond, e) }

// noLists refuses what only a rule file can look up.
func noLists(n pred.Node) error {
	switch n := n.(type) {
	case pred.And:
		for _, x := range n {
			if err := noLists(x); err != nil {
				return err
			}
		}
	case pred.Or:
		return noLists(pred.And(n))
	case pred.Not:
		return noLists(n.X)
	case *pred.Test:
		if n.List != "" {
			return errors.New("listed(…) is for rule files, which have the lists: name the values, x in [\"a\", \"b\"]")
		}
	}
	return nil
}

// placed is an error of a part of an expression.
type placed struct {
	from int // in characters, from 0
	err  error
}

func (e *placed) Error() string { return e.err.Error() }

func (e *placed) Unwrap() error { return e.err }

// begin is where a part of an expression begins. A field has the place of its last name, a comparison that of its operator.
func begin(n ast.Node) int {
	if m, ok := n.(*ast.MemberNode); ok {
		return begin(m.Node)
	}
	return n.Location().From
}

// at says where an error is, unless a part within it has said so already.
func at(from int, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*placed](err); ok {
		return err
	}
	return &placed{from, err}
}

// whereError finds the line and column of an error.
func whereError(src string, err error) *WhereError {
	out := &WhereError{Line: 1, Column: 1, Err: err}
	if p, ok := errors.AsType[*placed](err); ok {
		for i, r := range []rune(src) {
			if i >= p.from {
				break
			}
			if out.Column++; r == '\n' {
				out.Line, out.Column = out.Line+1, 1
			}
		}
	}
	return out
}
