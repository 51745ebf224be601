// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/rules"
)

// plainRule is a rule as the property draws them, with nothing but a condition.
func plainRule(id, labels string, within int, when rules.Cond) *drawn {
	r := &drawn{labels: labels}
	r.ID, r.By, r.GroupBy, r.Within, r.When = id, []string{"k"}, []int{0}, time.Duration(within), when
	for i := range patterns {
		r.Patterns = append(r.Patterns, rules.Pattern{Name: patternName(i), Child: -1})
	}
	return r
}

// over makes r refer to another rule by its pattern c.
func (r *drawn) over(child *drawn) *drawn {
	r.child, r.Children, r.Patterns[2].Child = child, []*rules.Rule{&child.Rule}, 0
	return r
}

// lasting lets incidents last for a quiet time.
func (r *drawn) lasting(seconds int) *drawn {
	r.Quiet = time.Duration(seconds)
	return r
}

// at is an event of the key x with labels.
func at(id string, t, a int64, own, below string) item {
	labels := func(s string) (out []string) {
		for _, r := range s {
			out = append(out, string(r))
		}
		return out
	}
	return item{
		id: event.NewID("test", id, 0), t: t, a: a, k: []string{"x"}, m: []string{"x"}, g: "1",
		labels: map[string][]string{"own": labels(own), "below": labels(below)},
	}
}

// TestEngineOnWhatWentWrong plays, in every order, what the property once found the engine to get wrong and finds
// seldom.
func TestEngineOnWhatWentWrong(t *testing.T) {
	t.Parallel()
	is := func(p int) rules.Cond { return rules.Is{Pattern: p} }
	count := func(p int, n int64) rules.Cond { return rules.Count{Pattern: p, Op: rules.GE, N: n} }
	valued := at("1", 1000, 1000, "a", "a")
	valued.v = "p"
	with := func(v string, x item) item { x.v = v; return x }
	fresh := func(learn time.Duration) rules.Cond { return rules.FirstSeen{Values: []int{0}, Learn: learn} }
	for _, tc := range []struct {
		name     string
		rule     *drawn
		items    []item
		closings []closed
	}{
		{
			name: "a late event ends what a folded firing point counts", rule: plainRule("top", "own", 4, count(1, 2)),
			items: []item{ // the first one's time to be forgotten is when forgetting takes the second's with it, and not the third's
				at("0", 997, 997, "a", ""), at("1", 1001, 1001, "b", ""), at("2", 1000, 1002, "b", ""), at("3", 1005, 1005, "b", ""), at("4", 1000, 1020, "a", ""),
			},
		},
		{
			name:  "a referenced rule's firing point turns up late",
			rule:  plainRule("top", "own", 1, is(0)).over(plainRule("below", "below", 10, is(2))),
			items: []item{at("1", 1002, 1002, "a", ""), at("2", 1003, 1005, "", "a"), at("3", 1000, 1020, "", "c")},
		},
		{
			name:  "two events of one time stand alone",
			rule:  plainRule("top", "own", 0, rules.Or{X: []rules.Cond{is(0), is(2)}}).over(plainRule("below", "below", 1, is(0))),
			items: []item{at("1", 1001, 1001, "a", ""), at("2", 1001, 1001, "", "a"), at("3", 1001, 1001, "a", "a")},
		},
		{
			name: "values of a firing point of a referenced rule",
			rule: plainRule("top", "own", 1, rules.Distinct{Pattern: 2, Values: []int{0}, Op: rules.GE, N: 1}).
				over(plainRule("below", "below", 1, is(0))),
			items: []item{valued},
		},
		{
			name: "a detection takes the place of one that is taken back, and the incident's sum stays",
			rule: plainRule("top", "own", 0, rules.Or{X: []rules.Cond{is(0), is(2)}}).lasting(3).
				over(plainRule("below", "below", 1, rules.And{X: []rules.Cond{is(1), rules.Count{Pattern: 0, Op: rules.LT, N: 1}}})),
			items: []item{at("1", 1000, 1000, "a", ""), at("2", 1003, 1003, "", "b"), at("3", 1003, 1009, "a", "a")},
		},
		{
			name: "an incident of the future is closed", rule: plainRule("top", "own", 1, is(0)),
			items:    []item{at("1", 1013, 1010, "a", "")},
			closings: []closed{{closing{"x", "x", 1010, event.NewID("test", "1", 0)}, 1013}},
		},
		{
			name: "an incident is closed before a late event joins what it is of to what is older", rule: plainRule("top", "own", 3, is(0)),
			items:    []item{at("1", 1000, 1000, "a", ""), at("2", 1004, 1004, "a", ""), at("3", 1002, 1007, "a", "")},
			closings: []closed{{closing{"x", "x", 1006, event.NewID("test", "2", 0)}, 1004}},
		},
		{
			name: "a value is known from before what is kept of events", rule: plainRule("top", "own", 0, fresh(40)).learning(40),
			items: []item{
				with("q", at("1", 1000, 1000, "a", "")), with("p", at("2", 1030, 1030, "a", "")),
				with("r", at("3", 1068, 1068, "a", "")), with("p", at("4", 1069, 1069, "a", "")),
			},
		},
		{
			name: "an event is judged again after what made it wait is no longer new",
			rule: plainRule("top", "own", 10, rules.And{X: []rules.Cond{is(2), rules.Not{X: fresh(100)}}}).learning(100),
			items: []item{
				at("q", 910, 910, "a", ""), at("z", 1000, 1000, "c", ""), at("e", 1002, 1025, "b", ""),
				with("p", at("y", 1010, 1050, "a", "")), at("w", 1051, 1051, "c", ""), with("p", at("x", 1005, 1075, "a", "")),
			},
		},
		{
			name: "a score beside a value that is new, and one beside others",
			rule: plainRule("top", "own", 1, rules.Or{X: []rules.Cond{
				rules.Distinct{Pattern: 0, Values: []int{0}, Op: rules.GE, N: 1}, rules.Score{Weights: weights, Op: rules.GE, N: 1}, fresh(4),
			}}).over(plainRule("below", "below", 1, is(0))).learning(4),
			items: []item{at("1", 1000, 1000, "", "a")},
		},
		{
			name: "what comes after an event can be judged no more makes its key no older",
			rule: plainRule("top", "own", 0, rules.Or{X: []rules.Cond{is(1), fresh(40)}}).learning(40),
			items: []item{
				at("1", 1000, 1000, "a", ""), with("p", at("2", 1041, 1041, "a", "")), at("3", 1002, 1047, "a", ""), at("4", 1100, 1100, "b", ""),
			},
		},
		{
			name: "a late event makes a firing point of a silence", rule: plainRule("top", "own", 4, rules.Silent{}),
			items: []item{at("1", 1000, 1000, "a", ""), at("2", 1002, 1015, "a", ""), at("3", 1007, 1007, "a", ""), at("4", 1007, 1007, "a", "")},
		},
		{
			name: "the copy that arrived first comes last", rule: plainRule("top", "own", 0, is(0)),
			items: []item{at("1", 1000, 1010, "a", ""), at("1", 1000, 1001, "a", "")},
		},
		{
			name: "events of 1690 and of 2041 are far apart", rule: plainRule("top", "own", 4, is(0)).lasting(3),
			items: []item{at("1", -10_570_000_000, 1000, "a", ""), at("2", 480_000_000, 1000, "a", "")},
		},
		{
			name: "the copy that arrived first comes last", rule: plainRule("top", "own", 0, is(0)),
			items: []item{at("1", 1000, 1010, "a", ""), at("1", 1000, 1001, "a", "")},
		},
		{
			name: "events of 1690 and of 2041 that stand alone are far apart", rule: plainRule("top", "own", 0, is(0)).lasting(3),
			items: []item{at("1", -10_570_000_000, 1000, "a", ""), at("2", 480_000_000, 1000, "a", "")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.rule, tc.items, tc.closings)
			if len(w.want) == 0 {
				t.Fatal("nothing is found")
			}
			for order := range orders(tc.items) {
				for batch := 1; batch <= len(order); batch++ {
					for split := -1; split < len(order); split++ {
						w.compare(t, fmt.Sprintf("order %v, batch %d, split %d", order, batch, split), order, batch, split)
					}
				}
			}
		})
	}
}

// learning sets the `learn` of a rule.
func (r *drawn) learning(seconds int64) *drawn {
	r.learn = seconds
	return r
}

// orders yields every order of a few items, of more those that begin anew somewhere.
func orders(items []item) func(yield func([]item) bool) {
	if len(items) <= 5 {
		return permutations(items)
	}
	return func(yield func([]item) bool) {
		for i := range items {
			if !yield(append(slices.Clone(items[i:]), items[:i]...)) {
				return
			}
		}
	}
}

// permutations yields every order.
func permutations(items []item) func(yield func([]item) bool) {
	return func(yield func([]item) bool) {
		var step func(done, rest []item) bool
		step = func(done, rest []item) bool {
			if len(rest) == 0 {
				return yield(done)
			}
			for i := range rest {
				left := append(append([]item(nil), rest[:i]...), rest[i+1:]...)
				if !step(append(slices.Clip(done), rest[i]), left) {
					return false
				}
			}
			return true
		}
		step(nil, items)
	}
}
