// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// means refuses a correlation that would load and mean less than it says (S1): keys that its type does not read, rules
// that its condition leaves out, and comparisons that hold of nothing or of everything. at has the keys.
func (c *Correlation) means(at map[string]ast.Node) error {
	condition := at["condition"]
	temporal := strings.HasPrefix(c.Type, "temporal")
	switch {
	case len(c.Fields) > 0 && (temporal || c.Type == "event_count"):
		return fail(condition, "%s counts events or rules and reads no field: for distinct values there is value_count", c.Type)
	case c.Percentile != "" && c.Type != "value_percentile":
		return fail(condition, "%s reads no percentile: there is value_percentile", c.Type)
	case temporal && c.Extended != "":
		return c.leavesOut(condition)
	case temporal && c.Op != "":
		return c.ofRules(condition)
	}
	n, _ := strconv.ParseFloat(c.N, 64)
	switch {
	case c.Type == "event_count" && (c.Op == "lt" && n <= 1 || c.Op == "lte" && n < 1 || c.Op == "eq" && n == 0):
		return fail(condition, "%s: %s never holds: it is counted from an event of the rules on, which is one; the native silent(…) is for none", c.Op, c.N)
	case c.Type == "value_sum" && (n < 0 && (c.Op == "gt" || c.Op == "gte" || c.Op == "neq") || n == 0 && c.Op == "gte"):
		return fail(condition, "%s: %s always holds: a sum leaves negative values out", c.Op, c.N)
	case c.Type == "value_sum" && (n < 0 || n == 0 && c.Op == "lt"):
		return fail(condition, "%s: %s never holds: a sum leaves negative values out", c.Op, c.N)
	case c.Type == "value_percentile":
		return c.rank(condition)
	}
	return nil
}

// leavesOut refuses rules that a condition over rules does not name: they would count for nothing, and open no incidents
// of their own either. So does pySigma.
func (c *Correlation) leavesOut(at ast.Node) error {
	words := tokens(c.Extended)
	for _, name := range c.Rules {
		if !slices.Contains(words, name) {
			return fail(at, "the condition %q does not name %q, which stands in rules: name it, or leave it out there", c.Extended, name)
		}
	}
	return nil
}

// ofRules refuses a number of rules that is always reached, or never. One has: it is judged at an event of one of them.
func (c *Correlation) ofRules(at ast.Node) error {
	for i, name := range c.Rules {
		if c.Type == "temporal" && slices.Contains(c.Rules[:i], name) {
			return fail(at, "rules names %q twice: its events would count as those of two rules", name)
		}
	}
	n, err := strconv.ParseInt(c.N, 10, 64)
	if err != nil {
		return fail(at, "%s: a number of rules is whole, not %s", c.Op, c.N)
	}
	holds := 0
	for have := range int64(len(c.Rules)) {
		if compares(have+1, c.Op, n) {
			holds++
		}
	}
	switch {
	case holds == 0:
		return fail(at, "%s: %s never holds: the correlation is over %d rules", c.Op, c.N, len(c.Rules))
	case holds == len(c.Rules) && (c.Op == "lt" || c.Op == "lte" || c.Op == "neq"):
		return fail(at, "%s: %s always holds: the correlation is over %d rules", c.Op, c.N, len(c.Rules))
	}
	return nil
}

func compares(a int64, op string, b int64) bool {
	switch op {
	case "gte":
		return a >= b
	case "gt":
		return a > b
	case "lte":
		return a <= b
	case "lt":
		return a < b
	case "eq":
		return a == b
	}
	return a != b
}

// rank refuses what is no percentile, and more decimals than the rank of an event can need.
func (c *Correlation) rank(at ast.Node) error {
	p, err := strconv.ParseFloat(c.Percentile, 64)
	if err != nil || !(p >= 0 && p <= 100) {
		return fail(at, "the percentile is a number from 0 to 100, not %q", c.Percentile)
	}
	if _, decimals, _ := strings.Cut(c.Percentile, "."); len(strings.TrimRight(decimals, "0")) > 4 || strings.ContainsAny(c.Percentile, "eExXpP") {
		return fail(at, "the percentile %s has more than four decimals, or an exponent", c.Percentile)
	}
	return nil
}
