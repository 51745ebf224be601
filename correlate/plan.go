// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"tocsin/rules"
)

// maxConjunctions bounds the disjunctive form of a condition.
const maxConjunctions = 64

// maxRetention bounds how long an event matters, 25 years: of rules that refer to each other each doubles it, and sums of what a plan's children
// have stay within 64 bits.
const maxRetention = 25 * 365 * day

// plan is a rule's condition made ready for judging: a disjunction of conjunctions, each
// with its positive part, its absences and its comparisons apart.
type plan struct {
	rule *rules.Rule
	// set is the Set that rule is of, among several in which it means the same.
	set string
	// path leads to it from the rule whose cells it is in, as places of children: "" for that rule itself.
	path     string
	children []*plan
	limits   *Limits
	// windows is how many there are of the plan in all cells: the keys of a rule (B2).
	windows int
	// feeds lists, for each child, the bits of the patterns that its firing points match.
	feeds []uint64

	alone bool  // without `within`: each event stands alone
	t     int64 // T, ns
	late  int64 // L, ns, and what the children need to settle
	// reach is how far apart in time two events can matter to each other.
	reach   int64
	settled bool // some firing points wait for a deadline
	// ahead has the patterns that matter to events before them, of which they are no part: they can only make a
	// condition false. against has all those that an absence or a comparison reads.
	ahead, against uint64
	// chased are the sequences with absences.
	chased []sequence
	// tallies make the tallies that slide along a window.
	tallies []func() adder
	// lag is how much later than by its own arrival a firing point of a referenced rule can turn up: a late
	// event can make one of an event that was there long before.
	lag   int64
	conjs []conj
	// trackers are the atoms that windows keep a tally of.
	trackers []tracked
	// numeric are the values that aggregates read, as places in a match's values.
	numeric []int
	// sums are what is added up.
	sums []column
	// own are the bits of patterns; the next ones, up to facts, are of what a memory says of an event.
	own   uint64
	facts int
	// memories are what windows need beside the events that they hold.
	memories []remembering
	news     map[string]*firstSeen // by what they are about

	// An engine is for one goroutine: what all windows of the plan need for a moment they share.
	view  view
	spare []*work
}

// conj is a conjunction. It holds of an event's window when all of pos do, no guard is
// broken, none of neg holds around the tight window, and all of cmp hold.
type conj struct {
	pos    []atom
	guards []guard
	neg    []atom
	cmp    []comparison
	mask   uint64 // patterns of the positive part
	// needs is what pos cannot do without, trackers the places of its tallies.
	needs    []need
	trackers []int
	// negTallies are the places of the tallies of neg, -1 where there is none.
	negTallies []tallies
	// ahead has the patterns that guards and comparisons read after the event.
	ahead     uint64
	lookahead bool // a comparison reaches beyond the event (A5)
	// waits: a late event can make a positive part false.
	waits bool
}

func (c *conj) settled() bool { return c.waits || len(c.guards)+len(c.neg)+len(c.cmp) > 0 }

// Check reports a rule whose condition has too many alternatives to be judged.
func Check(r *rules.Rule) error {
	_, err := newPlan(r, 0, &DefaultLimits, "")
	return err
}

// newPlan compiles the condition of a rule; lateness is L in nanoseconds.
func newPlan(r *rules.Rule, lateness int64, limits *Limits, path string) (*plan, error) {
	p := &plan{rule: r, alone: r.Within == 0, t: int64(r.Within), late: lateness, limits: limits, path: path}
	p.facts = len(r.Patterns)
	p.own = 1<<p.facts - 1
	p.feeds = make([]uint64, len(r.Children))
	for i, child := range r.Children {
		c, err := newPlan(child, lateness, limits, path+strconv.Itoa(i)+"/")
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
	if p.conjs, err = p.disjunction(r.When, false); err != nil {
		return nil, err
	}
	p.reach = p.t
	for i := range p.conjs {
		c := &p.conjs[i]
		for _, a := range c.pos {
			c.mask |= a.mask()
			c.needs = append(c.needs, a.needs()...)
			if a, ok := a.(tracked); ok {
				c.trackers = append(c.trackers, len(p.trackers))
				p.trackers = append(p.trackers, a)
			}
		}
		if c.settled() {
			p.settled, p.reach = true, 2*p.t
		}
		p.negative(c)
	}
	for _, c := range p.children {
		p.lag = max(p.lag, c.reach+c.late+c.delay()+c.lag+c.hop())
	}
	if p.retention() > maxRetention {
		return nil, fmt.Errorf("an event would have to be kept for %d days: `within` of each rule that is referred to counts twice and more; the limit is %d days",
			p.retention()/day, maxRetention/day)
	}
	return p, nil
}

// negative notes what the absences and comparisons of c read.
func (p *plan) negative(c *conj) {
	for _, a := range c.neg {
		p.ahead |= a.mask()
		at := tallies{-1, -1}
		if a, ok := a.(tracked); ok {
			at = tallies{len(p.trackers), p.sliding(func() adder { return a.tracker() })}
			p.trackers = append(p.trackers, a)
		}
		c.negTallies = append(c.negTallies, at)
	}
	for _, g := range c.guards {
		c.ahead |= g.ahead()
		p.against |= g.mask()
	}
	for _, x := range c.cmp {
		p.against |= x.mask()
		if x.ahead() {
			c.ahead |= x.mask()
		}
	}
	p.ahead |= c.ahead
	p.against |= p.ahead
}

// delay is the longest time that a firing point of p waits after its event.
func (p *plan) delay() int64 {
	if p.settled {
		return p.t + p.late
	}
	return 0
}

// hop is how much longer an event can be judged again where facts are about: what changes one of an event that it met
// has met that event, and need not have met it.
func (p *plan) hop() int64 {
	if p.facts > len(p.rule.Patterns) {
		return p.reach + p.late
	}
	return 0
}

// fact returns the bit that says that an event is new.
func (p *plan) fact(c rules.FirstSeen) uint64 {
	id := fmt.Sprint(c)
	f := p.news[id]
	if f == nil {
		f = &firstSeen{bit: 1 << c.Pattern, fact: 1 << p.facts, values: c.Values, learn: int64(c.Learn)}
		if p.news == nil {
			p.news = make(map[string]*firstSeen)
		}
		p.news[id] = f
		p.facts++
		p.memories = append(p.memories, f)
	}
	return f.fact
}

// disjunction brings a condition, negated if neg, into disjunctive form.
func (p *plan) disjunction(c rules.Cond, neg bool) ([]conj, error) {
	switch c := c.(type) {
	case rules.And:
		return p.combine(c.X, neg, !neg)
	case rules.Or:
		return p.combine(c.X, neg, neg)
	case rules.Not:
		return p.disjunction(c.X, !neg)
	case rules.Is:
		return literal(counting{bit: 1 << c.Pattern, n: 1}, neg), nil
	case rules.Count:
		if n, ok := atLeast(c.Op, c.N); ok {
			return literal(counting{1 << c.Pattern, n}, neg), nil
		}
		return compared(counted{1 << c.Pattern, c.Op, c.N}, neg)
	case rules.Distinct:
		if n, ok := atLeast(c.Op, c.N); ok {
			return literal(distinct{1 << c.Pattern, c.Values, n}, neg), nil
		}
		of := distinct{1 << c.Pattern, c.Values, c.N}
		at := p.sliding(func() adder { return of.tracker() })
		return compared(different{of, c.Op, at}, neg)
	case rules.Score:
		if n, ok := atLeast(c.Op, c.N); ok {
			return literal(scoring{c.Weights, n}, neg), nil
		}
		return compared(scored{c.Weights, c.Op, c.N}, neg)
	case rules.Aggregate:
		of := column{1 << c.Pattern, p.column(c.Value)}
		if c.Func == rules.Sum && !slices.Contains(p.sums, of) {
			p.sums = append(p.sums, of)
		}
		switch {
		case c.Positive() && c.Func == rules.Sum:
			return literal(summing{of, c.Op, c.N}, neg), nil
		case c.Positive():
			return literal(reaching{of, c.Op, c.N}, neg), nil
		}
		a := aggregated{column: of, f: c.Func, rank: c.Rank, op: c.Op, n: c.N}
		a.at = p.sliding(func() adder { return &tallied{aggregated: a} })
		return compared(a, neg)
	case rules.FirstSeen:
		out := literal(counting{p.fact(c), 1}, neg)
		out[0].waits = true
		return out, nil
	case rules.Rate:
		u := usual{1 << c.Pattern}
		at := slices.IndexFunc(p.memories, func(r remembering) bool { return r == u })
		if at < 0 {
			at, p.memories = len(p.memories), append(p.memories, u)
		}
		return compared(newRated(u, at, p.t, c), neg)
	case rules.Silent:
		if neg {
			return nil, fmt.Errorf("`not` of a silence")
		}
		return guarded(counting{1 << c.Pattern, 1}, silence{1 << c.Pattern}), nil
	case rules.Sequence:
		return p.sequenced(c, neg)
	}
	return nil, fmt.Errorf("unknown condition %T", c)
}

// atLeast returns the least number of which a comparison holds, if it holds of all greater ones.
func atLeast(op rules.Op, n int64) (int64, bool) {
	if op == rules.GT && n < math.MaxInt64 {
		return n + 1, true
	}
	return n, op == rules.GE
}

// column returns the place of a value among the numbers of a match.
func (p *plan) column(value int) int {
	if i := slices.Index(p.numeric, value); i >= 0 {
		return i
	}
	p.numeric = append(p.numeric, value)
	return len(p.numeric) - 1
}

// combine joins the parts of an `and` (all) or an `or`.
func (p *plan) combine(parts []rules.Cond, neg, all bool) ([]conj, error) {
	var out []conj
	if all {
		out = []conj{{}}
	}
	for _, x := range parts {
		ds, err := p.disjunction(x, neg)
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
		guards:    concat(c.guards, d.guards),
		neg:       concat(c.neg, d.neg),
		cmp:       concat(c.cmp, d.cmp),
		waits:     c.waits || d.waits,
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

func compared(c comparison, neg bool) ([]conj, error) {
	if neg {
		return nil, fmt.Errorf("`not` of a comparison that waits: write the opposite one")
	}
	return []conj{{cmp: []comparison{c}, lookahead: c.ahead()}}, nil
}

func (p *plan) sequenced(c rules.Sequence, neg bool) ([]conj, error) {
	s := newSequence(c)
	positive := ordered{steps: s.steps}
	if !s.guarded() {
		return literal(positive, neg), nil
	}
	if neg {
		return nil, fmt.Errorf("`not` of a sequence that has a `not`")
	}
	s.at = len(p.chased)
	p.chased = append(p.chased, s)
	return guarded(positive, s), nil
}

func guarded(a atom, g guard) []conj {
	return []conj{{pos: []atom{a}, guards: []guard{g}}}
}
