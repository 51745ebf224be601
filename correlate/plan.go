// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"math"

	"tocsin/rules"
)

// maxConjunctions bounds the disjunctive form of a condition.
const maxConjunctions = 64

// plan is a rule's condition made ready for judging: a disjunction of conjunctions, each
// with its positive part, its absences and its comparisons apart.
type plan struct {
	rule     *rules.Rule
	children []*plan
	// feeds lists, for each child, the bits of the patterns that its firing points match.
	feeds []uint64

	alone bool  // without `within`: each event stands alone
	t     int64 // T, ns
	late  int64 // L, ns, and what the children need to settle
	// reach is how far apart in time two events can matter to each other.
	reach   int64
	settled bool // some firing points wait for a deadline
	// lag is how much later than by its own arrival a firing point of a referenced rule can turn up: a late
	// event can make one of an event that was there long before.
	lag   int64
	conjs []conj
	// distincts are the distinct conditions among the positive parts.
	distincts []distinct
}

// distinct is a condition over distinct values: at least n tuples.
type distinct struct {
	bit    uint64
	values []int
}

// conj is a conjunction. It holds of an event's window when all of pos do, no sequence's absence is
// broken, none of neg holds around the tight window, and all of cmp hold.
type conj struct {
	pos  []atom
	seqs []sequence
	neg  []atom
	cmp  []comparison
	mask uint64 // patterns of the positive part
	// ahead: an absence or comparison reaches beyond the event (A1, A5).
	trailing, lookahead bool
}

func (c *conj) settled() bool { return len(c.seqs)+len(c.neg)+len(c.cmp) > 0 }

// atom is a positive condition: it holds of a set as soon as it holds of a part of it.
type atom struct {
	bit    uint64
	values []int // of distinct; nil counts matches
	n      int64
	steps  []uint64 // of a sequence, repeats unrolled; nil otherwise
	needs  []need
	// tuples is 1 + the place of the atom in plan.distincts, 0 if it is none.
	tuples int
}

// need is how many events of a pattern a condition cannot do without.
type need struct {
	pattern int
	events  int32
}

// comparison is a count that a further event could make false (`< <= == !=`).
type comparison struct {
	bit    uint64
	values []int
	op     rules.Op
	n      int64
}

func (c comparison) lookahead() bool { return c.op == rules.LT || c.op == rules.LE }

// newPlan compiles the condition of a rule; lateness is L in nanoseconds.
func newPlan(r *rules.Rule, lateness int64) (*plan, error) {
	p := &plan{rule: r, alone: r.Within == 0, t: int64(r.Within), late: lateness}
	p.feeds = make([]uint64, len(r.Children))
	for i, child := range r.Children {
		c, err := newPlan(child, lateness)
		if err != nil {
			return nil, err
		}
		p.children = append(p.children, c)
		// A child's settled firing point is known that much later than its event.
		p.late = max(p.late, c.late+c.delay())
		for b, pat := range r.Patterns {
			if pat.Child == i {
				p.feeds[i] |= 1 << b
			}
		}
	}
	var err error
	if p.conjs, err = disjunction(r.When, false); err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.ID, err)
	}
	p.reach = p.t
	for i := range p.conjs {
		c := &p.conjs[i]
		for _, a := range c.pos {
			c.mask |= a.bit
			for _, s := range a.steps {
				c.mask |= s
			}
		}
		for j := range c.pos {
			a := &c.pos[j]
			a.needs = a.least(len(r.Patterns))
			if a.values != nil {
				p.distincts = append(p.distincts, distinct{a.bit, a.values})
				a.tuples = len(p.distincts)
			}
		}
		if c.settled() {
			p.settled, p.reach = true, 2*p.t
		}
	}
	for _, c := range p.children {
		p.lag = max(p.lag, c.reach+c.late+c.delay()+c.lag)
	}
	return p, nil
}

// least returns what the atom needs of each pattern.
func (a *atom) least(patterns int) []need {
	events := make([]int32, patterns)
	for i := range events {
		bit := uint64(1) << i
		if a.bit == bit {
			events[i] = int32(min(a.n, math.MaxInt32))
		}
		for _, s := range a.steps {
			if s == bit {
				events[i]++
			}
		}
	}
	var out []need
	for i, n := range events {
		if n > 0 {
			out = append(out, need{i, n})
		}
	}
	return out
}

// delay is the longest time that a firing point of p waits after its event.
func (p *plan) delay() int64 {
	if p.settled {
		return p.t + p.late
	}
	return 0
}

// disjunction brings a condition, negated if neg, into disjunctive form.
func disjunction(c rules.Cond, neg bool) ([]conj, error) {
	switch c := c.(type) {
	case rules.And:
		return combine(c.X, neg, !neg)
	case rules.Or:
		return combine(c.X, neg, neg)
	case rules.Not:
		return disjunction(c.X, !neg)
	case rules.Is:
		return literal(atom{bit: 1 << c.Pattern, n: 1}, neg), nil
	case rules.Count:
		return counted(c.Pattern, nil, c.Op, c.N, neg)
	case rules.Distinct:
		return counted(c.Pattern, c.Values, c.Op, c.N, neg)
	case rules.Sequence:
		return sequenced(c, neg)
	}
	return nil, fmt.Errorf("unknown condition %T", c)
}

// combine joins the parts of an `and` (all) or an `or`.
func combine(parts []rules.Cond, neg, all bool) ([]conj, error) {
	var out []conj
	if all {
		out = []conj{{}}
	}
	for _, x := range parts {
		ds, err := disjunction(x, neg)
		if err != nil {
			return nil, err
		}
		if !all {
			out = append(out, ds...)
		} else {
			var product []conj
			for _, a := range out {
				for _, b := range ds {
					product = append(product, a.and(b))
				}
			}
			out = product
		}
		if len(out) > maxConjunctions {
			return nil, fmt.Errorf("the condition has more than %d alternatives", maxConjunctions)
		}
	}
	return out, nil
}

func (c conj) and(d conj) conj {
	return conj{
		pos:       concat(c.pos, d.pos),
		seqs:      concat(c.seqs, d.seqs),
		neg:       concat(c.neg, d.neg),
		cmp:       concat(c.cmp, d.cmp),
		trailing:  c.trailing || d.trailing,
		lookahead: c.lookahead || d.lookahead,
	}
}

func concat[T any](a, b []T) []T { return append(append([]T(nil), a...), b...) }

func literal(a atom, neg bool) []conj {
	if neg {
		return []conj{{neg: []atom{a}}}
	}
	return []conj{{pos: []atom{a}}}
}

func counted(pattern int, values []int, op rules.Op, n int64, neg bool) ([]conj, error) {
	switch op {
	case rules.GE, rules.GT:
		if op == rules.GT && n < math.MaxInt64 {
			n++
		}
		return literal(atom{bit: 1 << pattern, values: values, n: n}, neg), nil
	default:
		if neg {
			return nil, fmt.Errorf("`not` of a count with %s: write the opposite comparison", op)
		}
		c := comparison{bit: 1 << pattern, values: values, op: op, n: n}
		return []conj{{cmp: []comparison{c}, lookahead: c.lookahead()}}, nil
	}
}

func sequenced(c rules.Sequence, neg bool) ([]conj, error) {
	s := newSequence(c)
	positive := atom{steps: s.steps}
	if !s.guarded() {
		return literal(positive, neg), nil
	}
	if neg {
		return nil, fmt.Errorf("`not` of a sequence that has a `not`")
	}
	return []conj{{pos: []atom{positive}, seqs: []sequence{s}, trailing: s.guards[len(s.steps)] != 0}}, nil
}
