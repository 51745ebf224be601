// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"tocsin/rules"
)

// atLeastOf is a part that further events can only help.
func atLeastOf(what string, have, need int64) Step {
	return Step{What: what, Have: have, Need: need, Done: have >= need}
}

// describe puts a part into the words of its rule, with the number that it compares. Whether it is done is for others to say.
func (p *plan) describe(x *part, v *view) Step {
	r := p.rule
	var s Step
	compared := func(what string, op rules.Op, n, have int64) Step {
		what = fmt.Sprintf("%s %s %d", what, op, n)
		if need, least := atLeast(op, n); least && !x.not {
			return Step{What: what, Have: have, Need: need}
		}
		return Step{What: what, Have: have, Value: strconv.FormatInt(have, 10)}
	}
	switch c := x.Cond.(type) {
	case rules.Is:
		s = Step{What: r.Patterns[c.Pattern].Name, Have: tally(v.back, 1<<c.Pattern, nil), Need: 1}
	case rules.Count:
		s = compared(fmt.Sprintf("count(%s)", r.Patterns[c.Pattern].Name), c.Op, c.N, tally(v.of(c.Op), 1<<c.Pattern, nil))
	case rules.Distinct:
		s = compared(fmt.Sprintf("distinct(%s, %s)", r.Patterns[c.Pattern].Name, p.values(c.Values)), c.Op, c.N, tally(v.of(c.Op), 1<<c.Pattern, c.Values))
	case rules.Score:
		var bits uint64
		for _, m := range v.back {
			bits |= m.bits
		}
		s = compared("score", c.Op, c.N, score(bits, c.Weights))
	case rules.Aggregate:
		rank := ""
		if c.Func == rules.Percentile {
			rank = ", " + written(ratio(c.Rank))
		}
		s = Step{What: fmt.Sprintf("%s(%s, %s%s) %s %s", c.Func, r.Patterns[c.Pattern].Name, r.Values[c.Value], rank, c.Op, written(ratio(c.N)))}
		s.Value = p.aggregate(c, v.back)
	case rules.FirstSeen:
		s = Step{What: fmt.Sprintf("first_seen(%s, %s)", r.Patterns[c.Pattern].Name, p.values(c.Values))}
	case rules.Silent:
		s = Step{What: fmt.Sprintf("silent(%s)", r.Patterns[c.Pattern].Name)}
	case rules.Rate:
		s = Step{What: fmt.Sprintf("rate(%s) %s %s * usual(%[1]s)", r.Patterns[c.Pattern].Name, c.Op, written(ratio(c.Times)))}
	case rules.Sequence:
		var steps []string
		for _, st := range c.Steps {
			step := r.Patterns[st.Pattern].Name
			if st.Times > 1 {
				step = fmt.Sprintf("repeat(%s, %d)", step, st.Times)
			}
			steps = append(steps, step)
		}
		s = Step{What: "sequence(" + strings.Join(steps, ", ") + ")"}
	}
	if x.not {
		s.What, s.Need, s.Value = "not "+s.What, 0, ""
	}
	return s
}

// values names fields that a condition reads.
func (p *plan) values(places []int) string {
	var out []string
	for _, v := range places {
		out = append(out, p.rule.Values[v])
	}
	return strings.Join(out, ", ")
}

// tally counts the events with a bit, or the distinct tuples of their values.
func tally(ms []*match, bit uint64, values []int) (n int64) {
	seen := make(map[string]bool)
	for _, m := range ms {
		if m.bits&bit == 0 {
			continue
		}
		if values == nil {
			n++
		} else if v, ok := m.tuple(bit, values); ok && !seen[v] {
			seen[v] = true
			n++
		}
	}
	return n
}

// aggregate is what an aggregate makes of events, "" if there is no such number.
func (p *plan) aggregate(c rules.Aggregate, ms []*match) string {
	of := column{1 << c.Pattern, p.column(c.Value)}
	sum := new(big.Rat)
	var xs []rules.Number
	for _, m := range ms {
		if x, ok := of.of(m); ok && (c.Func != rules.Sum || x.Sign() >= 0) {
			xs = append(xs, x)
			sum.Add(sum, ratio(x))
		}
	}
	n := int64(len(xs))
	if c.Func == rules.Sum {
		return written(sum)
	}
	if n == 0 {
		return ""
	}
	slices.SortFunc(xs, rules.Number.Compare)
	switch c.Func {
	case rules.Max:
		return written(ratio(xs[n-1]))
	case rules.Min:
		return written(ratio(xs[0]))
	case rules.Percentile:
		return written(ratio(xs[nearestRank(c.Rank, n)-1]))
	case rules.Median:
		middle := new(big.Rat).Add(ratio(xs[(n-1)/2]), ratio(xs[n/2]))
		return written(middle.Quo(middle, big.NewRat(2, 1)))
	}
	return written(sum.Quo(sum, big.NewRat(n, 1)))
}

func ratio(n rules.Number) *big.Rat {
	x, _ := new(big.Rat).SetString(n.String())
	return x
}

// written is a number as people write it, to six decimals, or to fifteen digits if it is a very large one.
func written(x *big.Rat) string {
	switch {
	case len(x.Num().String()) > 40:
		return new(big.Float).SetRat(x).Text('g', 15)
	case x.IsInt():
		return x.Num().String()
	}
	return strings.TrimRight(x.FloatString(6), "0")
}
