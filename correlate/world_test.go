// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/rules"
)

// The world of the property: rules are written as files and compiled, events are matched as in `serve`. Times
// are few small numbers, in seconds after zero, so that they collide, gaps fall on T and just beside it, and
// arrivals fall within, at and beyond L.
const (
	lateness = 5
	patterns = 3
	// midnight is the end of the day on which some exceptions expire.
	midnight = 1010
)

var zero = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix() - midnight

// drawn is a rule as the oracle reads it, of which text makes a file.
type drawn struct {
	rules.Rule // When, Within and Quiet (in seconds), Patterns, Children, By, GroupBy
	labels     string
	hop        bool // the pattern b has its key in another field
	except     []exemption
	child      *drawn
	learn      int64 // of every first_seen
	horizon    int64
}

// exemption covers events with a value of w, up to a time.
type exemption struct {
	w       string
	expires int64
}

// item is one event of the input, as it arrives once.
type item struct {
	id     event.ID
	t, a   int64
	labels map[string][]string // what patterns match
	k, m   []string            // the elements of the key fields; none: missing
	g      string
	v, w   string // "" is missing
	n      string // a number; text that spells one begins with a quote
}

func patternName(i int) string { return string(rune('a' + i)) }

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

// event returns the Event that a parser would make of the item.
func (x item) event() *event.Event {
	raw := map[string]any{"g": x.g}
	list := func(xs []string) []any {
		var out []any
		for _, s := range xs {
			out = append(out, s)
		}
		return out
	}
	for name, labels := range x.labels {
		raw[name] = list(labels)
	}
	for name, elements := range map[string][]string{"k": x.k, "m": x.m} {
		switch len(elements) {
		case 0:
		case 1:
			raw[name] = elements[0]
		default:
			raw[name] = list(elements)
		}
	}
	for name, v := range map[string]string{"v": x.v, "w": x.w} {
		if v != "" {
			raw[name] = v
		}
	}
	if text, quoted := strings.CutPrefix(x.n, "'"); quoted {
		raw["n"] = text
	} else if n, err := strconv.ParseInt(x.n, 10, 64); err == nil {
		raw["n"] = n
	} else if f, err := strconv.ParseFloat(x.n, 64); err == nil {
		raw["n"] = f
	}
	e := &event.Event{
		ID: x.id, EventID: x.id.String(), Source: "test",
		Time: (zero + x.t) * int64(time.Second), Arrival: (zero + x.a) * int64(time.Second),
	}
	b, err := json.Marshal(raw)
	if err == nil {
		_, err = e.ParseObject(b)
	}
	if err != nil {
		panic(err) // the object is ours
	}
	return e
}

// text writes the rule, and the one it refers to, as a file.
func (r *drawn) text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.child != nil {
		b.WriteString(r.child.text())
	}
	p("---\nrule: %s\ntitle: %s\nseverity: high\nmatch:", r.ID, r.ID)
	for _, pat := range r.Patterns {
		if pat.Child >= 0 {
			p("  %s: detection(%q)", pat.Name, r.child.ID)
		} else {
			p("  %s: has(raw.%s, %q)", pat.Name, r.labels, pat.Name)
		}
	}
	p("when: %s", when(r.When))
	if strings.Contains(when(r.When), "score") {
		p("weights: {a: %d, b: %d, c: %d}", weights[0], weights[1], weights[2])
	}
	if strings.Contains(when(r.When), "first_seen") {
		p("learn: %ds", r.learn)
	}
	p("by:")
	for _, part := range r.By {
		if part == "k" && r.hop {
			p("  k: {a: raw.k, b: raw.m, c: raw.k}")
		} else {
			p("  %s: raw.%s", part, part)
		}
	}
	if r.Within != 0 {
		p("within: %ds", r.Within)
	}
	if len(r.except) > 0 {
		p("except:")
	}
	for _, x := range r.except {
		day := "2099-12-31"
		if x.expires < midnight {
			day = "2026-03-01"
		}
		p("  - {when: raw.w == %q, reason: known, owner: us, expires: %s}", x.w, day)
	}
	names := make([]string, 0, len(r.GroupBy))
	for _, i := range r.GroupBy {
		names = append(names, r.By[i])
	}
	p("incident: {quiet: %ds, group_by: [%s]}", r.Quiet, strings.Join(names, ", "))
	return b.String()
}

// decimal writes a number as a rule file has it.
func decimal(n rules.Number) string {
	if s := ratOf(n); !s.IsInt() {
		return s.FloatString(1)
	} else if s.Num().IsInt64() {
		return s.RatString()
	}
	return n.String()
}

func when(c rules.Cond) string {
	all := func(xs []rules.Cond, word string) string {
		var out []string
		for _, x := range xs {
			out = append(out, "("+when(x)+")")
		}
		return strings.Join(out, word)
	}
	switch c := c.(type) {
	case rules.Is:
		return patternName(c.Pattern)
	case rules.Count:
		return fmt.Sprintf("count(%s) %s %d", patternName(c.Pattern), c.Op, c.N)
	case rules.Distinct:
		return fmt.Sprintf("distinct(%s, %s) %s %d", patternName(c.Pattern),
			[]string{"raw.v", "raw.v, raw.w"}[len(c.Values)-1], c.Op, c.N)
	case rules.Rate:
		return fmt.Sprintf("rate(%s) %s %s * usual(%[1]s)", patternName(c.Pattern), c.Op, decimal(c.Times))
	case rules.Silent:
		return fmt.Sprintf("silent(%s)", patternName(c.Pattern))
	case rules.FirstSeen:
		return fmt.Sprintf("first_seen(%s, %s)", patternName(c.Pattern), []string{"raw.v", "raw.v, raw.w"}[len(c.Values)-1])
	case rules.Score:
		return fmt.Sprintf("score %s %d", c.Op, c.N)
	case rules.Aggregate:
		value, rank := []string{valueN: "raw.n", valueNumberN: "number(raw.n)"}[c.Value], ""
		if c.Func == rules.Percentile {
			rank = ", " + decimal(c.Rank)
		}
		return fmt.Sprintf("%s(%s, %s%s) %s %s", c.Func, patternName(c.Pattern), value, rank, c.Op, decimal(c.N))
	case rules.Sequence:
		var steps []string
		for _, s := range c.Steps {
			step := patternName(s.Pattern)
			switch {
			case s.Not:
				step = "not " + step
			case s.Times > 1:
				step = fmt.Sprintf("repeat(%s, %d)", step, s.Times)
			}
			steps = append(steps, step)
		}
		return "sequence(" + strings.Join(steps, ", ") + ")"
	case rules.And:
		return all(c.X, " and ")
	case rules.Or:
		return all(c.X, " or ")
	case rules.Not:
		return "not (" + when(c.X) + ")"
	}
	panic(fmt.Sprintf("no condition: %T", c))
}
