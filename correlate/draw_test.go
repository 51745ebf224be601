// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/rules"
)

func drawCond(t *rapid.T, depth int) rules.Cond {
	kinds := []string{"is", "count", "distinct", "sequence", "fewer", "distinct-fewer", "aggregate", "aggregate", "score", "first-seen", "silent", "rate"}
	if depth > 0 {
		kinds = append(kinds, "and", "or", "and-not", "and", "and-not")
	}
	pattern := func() int { return rapid.IntRange(0, patterns-1).Draw(t, "pattern") }
	settled := []rules.Op{rules.LT, rules.LE, rules.EQ, rules.NE}
	switch rapid.SampledFrom(kinds).Draw(t, "form") {
	case "is":
		return rules.Is{Pattern: pattern()}
	case "count":
		op := rapid.SampledFrom([]rules.Op{rules.GE, rules.GT}).Draw(t, "op")
		return rules.Count{Pattern: pattern(), Op: op, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "fewer":
		op := rapid.SampledFrom(settled).Draw(t, "op")
		return rules.Count{Pattern: pattern(), Op: op, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "distinct":
		values := rapid.SampledFrom([][]int{{0}, {0, 1}}).Draw(t, "values")
		return rules.Distinct{Pattern: pattern(), Values: values, Op: rules.GE, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "distinct-fewer":
		op := rapid.SampledFrom(settled).Draw(t, "op")
		return rules.Distinct{Pattern: pattern(), Values: []int{0}, Op: op, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "first-seen":
		values := rapid.SampledFrom([][]int{{0}, {0, 1}}).Draw(t, "values")
		return rules.FirstSeen{Pattern: pattern(), Values: values}
	case "rate":
		// With a day's sum of 1, the mean of T seconds is T in 50,400.
		times, _ := rules.NumberOf(rapid.SampledFrom([]any{0.5, int64(504), int64(1260), int64(2520), int64(5040), int64(12600), 50400.0}).Draw(t, "times"))
		return rules.Rate{Pattern: pattern(), Op: rapid.SampledFrom([]rules.Op{rules.GT, rules.GE}).Draw(t, "op"), Times: times}
	case "silent":
		return rules.Silent{Pattern: pattern()}
	case "sequence":
		return drawSequence(t, pattern)
	case "aggregate":
		return drawAggregate(t, pattern())
	case "score":
		op := rapid.SampledFrom([]rules.Op{rules.GE, rules.GE, rules.GT, rules.LT, rules.LE, rules.EQ, rules.NE}).Draw(t, "op")
		return rules.Score{Weights: weights, Op: op, N: rapid.Int64Range(1, 6).Draw(t, "n")}
	case "and", "or", "and-not":
		x, y := drawCond(t, depth-1), drawCond(t, depth-1)
		switch rapid.SampledFrom([]string{"and", "or", "and-not"}).Draw(t, "join") {
		case "and":
			return rules.And{X: []rules.Cond{x, y}}
		case "or":
			return rules.Or{X: []rules.Cond{x, y}}
		}
		if settles(y) {
			return rules.And{X: []rules.Cond{x, y}} // `not` of what waits is refused
		}
		return rules.And{X: []rules.Cond{x, rules.Not{X: y}}}
	}
	panic("unreachable")
}

// weights are what every drawn rule with a score has: less than all of them together is asked for.
var weights = []int64{1, 2, 4}

func drawAggregate(t *rapid.T, pattern int) rules.Cond {
	numbers := []any{int64(0), int64(1), int64(2), int64(3), int64(5), 0.3, 0.6, 1.5, int64(-1), int64(1 << 62), 1e19}
	a := rules.Aggregate{
		Func:    rules.Func(rapid.IntRange(0, int(rules.Percentile)).Draw(t, "func")),
		Pattern: pattern, Value: rapid.SampledFrom([]int{valueN, valueN, valueNumberN}).Draw(t, "value"),
		Op: rules.Op(rapid.IntRange(0, int(rules.NE)).Draw(t, "op")),
	}
	if a.Func == rules.Percentile {
		a.Rank, _ = rules.NumberOf(rapid.SampledFrom([]any{int64(1), int64(50), 33.3, int64(75), 99.5, int64(100)}).Draw(t, "rank"))
	}
	a.N, _ = rules.NumberOf(rapid.SampledFrom(numbers).Draw(t, "threshold"))
	if a.Func == rules.Sum && a.N.Sign() <= 0 {
		a.N = rules.Number{Digits: 1}
	}
	return a
}

func drawSequence(t *rapid.T, pattern func() int) rules.Cond {
	var q rules.Sequence
	positive := false
	for range rapid.IntRange(1, 4).Draw(t, "steps") {
		s := rules.Step{Pattern: pattern(), Times: 1}
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0:
			s.Not = true
		case 1:
			s.Times = 2
		}
		positive = positive || !s.Not
		q.Steps = append(q.Steps, s)
	}
	if !positive {
		q.Steps = append(q.Steps, rules.Step{Pattern: pattern(), Times: 1})
	}
	return q
}

func drawRule(t *rapid.T, id, labels string) *drawn {
	r := &drawn{labels: labels}
	r.ID, r.By = id, []string{"k"}
	for i := range patterns {
		r.Patterns = append(r.Patterns, rules.Pattern{Name: patternName(i), Child: -1})
	}
	r.Within = time.Duration(rapid.SampledFrom([]int64{1, 4, 10}).Draw(t, "within"))
	r.Quiet = time.Duration(rapid.SampledFrom([]int64{0, 3, 12, 40}).Draw(t, "quiet"))
	r.When = drawCond(t, 2)
	if rapid.Bool().Draw(t, "two parts") {
		r.By = append(r.By, "g")
	}
	for i := range r.By {
		if rapid.IntRange(0, 3).Draw(t, "grouped") > 0 {
			r.GroupBy = append(r.GroupBy, i)
		}
	}
	r.hop = rapid.IntRange(0, 2).Draw(t, "hop") == 0
	if rapid.IntRange(0, 2).Draw(t, "except") == 0 {
		r.except = append(r.except, exemption{rapid.SampledFrom([]string{"p", "q"}).Draw(t, "known"), midnight - 1})
		if rapid.Bool().Draw(t, "always") {
			r.except = append(r.except, exemption{"r", 1 << 40})
		}
	}
	return r
}

func drawRules(t *rapid.T) *drawn {
	r := drawRule(t, "top", "own")
	each := rules.Or{X: []rules.Cond{rules.Is{Pattern: 0}, rules.Is{Pattern: 1}, rules.Is{Pattern: 2}}}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0: // each event alone
		r.Within, r.When = 0, each
		if rapid.Bool().Draw(t, "new") {
			r.When = rules.Or{X: []rules.Cond{rules.Is{Pattern: 1}, rules.FirstSeen{Values: []int{0}}}}
		}
	case 1, 2: // over another rule, whose key has all parts of this one's
		r.refersTo(drawRule(t, "below", "below"))
		if rapid.IntRange(0, 5).Draw(t, "alone") == 0 {
			r.Within, r.When = 0, each
		}
		if rapid.IntRange(0, 3).Draw(t, "deeper") == 0 {
			r.child.refersTo(drawRule(t, "deepest", "own"))
			r.child.child.teach(t)
		}
		r.child.teach(t)
	}
	r.teach(t)
	return r
}

// refersTo makes the pattern c of a rule the firing points of another.
func (r *drawn) refersTo(child *drawn) {
	for at := child; at != nil && len(r.By) > len(at.By); at = at.child {
		at.By = r.By
	}
	r.hop = false
	r.child, r.Children, r.Patterns[2].Child = child, []*rules.Rule{&child.Rule}, 0
}

// teach gives every first_seen of a rule the rule's `learn`.
func (r *drawn) teach(t *rapid.T) {
	r.learn = rapid.SampledFrom([]int64{4, 10, 40}).Draw(t, "learn")
	r.When = taught(r.When, time.Duration(r.learn))
}

func taught(c rules.Cond, learn time.Duration) rules.Cond {
	all := func(xs []rules.Cond) []rules.Cond {
		out := make([]rules.Cond, 0, len(xs))
		for _, x := range xs {
			out = append(out, taught(x, learn))
		}
		return out
	}
	switch c := c.(type) {
	case rules.FirstSeen:
		c.Learn = learn
		return c
	case rules.And:
		return rules.And{X: all(c.X)}
	case rules.Or:
		return rules.Or{X: all(c.X)}
	case rules.Not:
		return rules.Not{X: taught(c.X, learn)}
	}
	return c
}

func isRate(c rules.Cond) bool { _, ok := c.(rules.Rate); return ok }

// overDays reports whether the rule, or the one that it refers to, is about weeks.
func (r *drawn) overDays() bool {
	return r.any(func(r *drawn) bool { return slices.ContainsFunc(conditions(r.When), isRate) })
}

// drawItems draws what happens, within minutes, or at much the same hour of some days.
func drawItems(t *rapid.T, days bool) []item {
	n := rapid.IntRange(1, 9).Draw(t, "events")
	span := rapid.SampledFrom([]int64{8, 25, 60, 150}).Draw(t, "span")
	some := func(name string) []string {
		bits := rapid.IntRange(0, 7).Draw(t, name)
		var out []string
		for i := range patterns {
			if bits&(1<<i) != 0 {
				out = append(out, patternName(i))
			}
		}
		return out
	}
	value := func(name string) string { return rapid.SampledFrom([]string{"", "p", "q", "r"}).Draw(t, name) }
	keys := func(name string) []string {
		return rapid.SampledFrom([][]string{{"x"}, {"x"}, {"y"}, {"x", "y"}, {"x", "x"}, nil}).Draw(t, name)
	}
	var out []item
	for i := range n {
		at := 1000 + rapid.Int64Range(0, span).Draw(t, "t")
		delay := rapid.SampledFrom([]int64{0, 0, 0, 1, 2, lateness, lateness, lateness + 1, 20, 45, -3}).Draw(t, "delay")
		if days {
			const day = 86400
			at += day * rapid.SampledFrom([]int64{0, 0, 1, 2, 13, 14, 14, 15, 16, 28, 29}).Draw(t, "day")
			delay += rapid.SampledFrom([]int64{0, 0, 0, 0, 0, day - 20, day, 3 * day, 14 * day}).Draw(t, "days late")
		}
		x := item{
			id: event.NewID("test", fmt.Sprint(rapid.IntRange(0, 1<<30).Draw(t, "id"), i), 0), t: at, a: at + delay,
			labels: map[string][]string{"own": some("own"), "below": some("below")},
			k:      keys("k"), m: keys("m"), g: rapid.SampledFrom([]string{"1", "1", "1", "2"}).Draw(t, "g"),
			v: value("v"), w: value("w"),
			n: rapid.SampledFrom([]string{"", "1", "2", "3", "-2", "0.3", "0.3", "1.5", "'2", "'0.3", "'x", "4611686018427387904", "1e19"}).Draw(t, "n"),
		}
		out = append(out, x)
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			x.a += rapid.SampledFrom([]int64{0, 1, 4}).Draw(t, "later")
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(x, y item) int { return int(x.a - y.a) })
	return out
}
