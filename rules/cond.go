// SPDX-License-Identifier: Apache-2.0

package rules

import "cmp"

// Cond is a node of a rule's condition: [Is], [Count], [Distinct], [Sequence], [Aggregate], [Score],
// [FirstSeen], [Silent], [Rate], [And], [Or] or [Not].
// The meaning of each is the table in detection.md.
type Cond interface{ cond() }

// Op is a comparison of a count with a threshold.
type Op uint8

// The comparisons.
const (
	GE Op = iota
	GT
	LE
	LT
	EQ
	NE
)

func (o Op) String() string { return [...]string{">=", ">", "<=", "<", "==", "!="}[o] }

// Holds reports whether n stands in the relation to threshold.
func (o Op) Holds(n, threshold int64) bool { return o.Of(cmp.Compare(n, threshold)) }

// Of reports whether the relation holds of what compares as c (-1, 0, 1) with the threshold.
func (o Op) Of(c int) bool {
	switch o {
	case GE:
		return c >= 0
	case GT:
		return c > 0
	case LE:
		return c <= 0
	case LT:
		return c < 0
	case EQ:
		return c == 0
	default:
		return c != 0
	}
}

type (
	// Is holds of a window with at least one match of a pattern.
	Is struct{ Pattern int }

	// Count compares the number of matches of a pattern.
	Count struct {
		Pattern int
		Op      Op
		N       int64
	}

	// Distinct compares the number of distinct values, or tuples of values, that the
	// matches of a pattern have; Values indexes Rule.Values. A match that lacks one of them has no tuple.
	Distinct struct {
		Pattern int
		Values  []int
		Op      Op
		N       int64
	}

	// Sequence holds if distinct events can be assigned to its positive steps,
	// each at or after the one before, with nothing between that a Not step excludes.
	Sequence struct{ Steps []Step }

	// Step is one step of a Sequence: Times matches of Pattern (1 unless `repeat`),
	// or, if Not, its absence.
	Step struct {
		Pattern int
		Times   int
		Not     bool
	}

	// And holds if each of its conditions does.
	And struct{ X []Cond }

	// Or holds if one of its conditions does.
	Or struct{ X []Cond }

	// Not holds if its condition does not.
	Not struct{ X Cond }
)

func (Is) cond()       {}
func (Count) cond()    {}
func (Distinct) cond() {}
func (Sequence) cond() {}
func (And) cond()      {}
func (Or) cond()       {}
func (Not) cond()      {}
