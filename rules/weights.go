// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// weights reads `weights`: what each pattern adds to the score. It returns one for each pattern, nil if there is no such key.
func (d *draft) weights(n ast.Node, names []string) []int64 {
	if n == nil {
		return nil
	}
	out := make([]int64, len(names))
	for _, e := range d.entries(n, "weights", names) {
		v, _ := d.scalar(e.value, "weights."+e.key)
		w, ok := v.(int64)
		if !ok || w < 1 || w > maxThreshold {
			d.fail(e.value, "the weight of %s is a whole number between 1 and %d: a pattern can only add to a score", e.key, maxThreshold)
			continue
		}
		out[slices.Index(names, e.key)] = w
	}
	return out
}

// unused refuses keys that only some forms read, where `when` has none of them.
func (d *draft) unused(fields map[string]ast.Node) {
	isScore := func(c Cond) bool { _, ok := c.(Score); return ok }
	if fields["weights"] != nil && !anyCond(d.rule.When, isScore) {
		d.fail(d.at["weights"], "weights is for score, and `when` has none: score >= 100")
	}
	isRate := func(c Cond) bool { _, ok := c.(Rate); return ok }
	if d.rule.Within > maxRateWithin && anyCond(d.rule.When, isRate) {
		d.fail(fields["within"], "with usual(…) within is at most 1h: what is usual is told by the hour of the day")
	}
	news := 0
	anyCond(d.rule.When, func(c Cond) bool {
		if _, ok := c.(FirstSeen); ok {
			news++
		}
		return false
	})
	if fields["learn"] != nil && news == 0 {
		d.fail(d.at["learn"], "learn is for first_seen, and `when` has none: first_seen(a, user.name)")
	}
	if news > maxFirstSeen {
		d.fail(fields["when"], "a rule has at most %d first_seen, this one has %d", maxFirstSeen, news)
	}
	if news > 0 && len(d.rule.Patterns) > MaxPatterns-maxFirstSeen {
		d.fail(fields["when"], "a rule with first_seen has at most %d patterns, this one has %d", MaxPatterns-maxFirstSeen, len(d.rule.Patterns))
	}
}

// anyCond reports whether a condition, or one that it is made of, is of a kind.
func anyCond(c Cond, is func(Cond) bool) bool {
	within := func(x Cond) bool { return anyCond(x, is) }
	switch c := c.(type) {
	case And:
		return slices.ContainsFunc(c.X, within)
	case Or:
		return slices.ContainsFunc(c.X, within)
	case Not:
		return within(c.X)
	}
	return c != nil && is(c)
}
