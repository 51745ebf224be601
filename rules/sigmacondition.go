// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tocsin/rules/pred"
)

var sigmaOps = map[string]Op{"gte": GE, "gt": GT, "lte": LE, "lt": LT, "eq": EQ, "neq": NE}

// whole is the threshold of a count.
func (b *correlating) whole() (Op, int64, error) {
	op := sigmaOps[b.c.Op]
	n, err := strconv.ParseInt(b.c.N, 10, 64)
	switch {
	case err != nil || n > maxThreshold:
		return op, 0, fmt.Errorf("%s: a count is compared with a whole number up to %d", b.c.Op, maxThreshold)
	case n < 0 || op == GE && n == 0:
		return op, 0, fmt.Errorf("%s: %s always holds", b.c.Op, b.c.N)
	case op == LT && n == 0:
		return op, 0, fmt.Errorf("%s: %s never holds", b.c.Op, b.c.N)
	}
	return op, n, nil
}

// counted makes event_count and the value_ types: they are over the events of all rules together.
func (b *correlating) counted() error {
	var singles []*sigmaRule
	for _, ref := range b.refs {
		if ref.rule != nil {
			singles = append(singles, ref.rule)
		}
	}
	switch {
	case len(singles) == len(b.refs):
		if err := b.pattern("match", singles); err != nil {
			return err
		}
	case len(b.refs) == 1 && b.c.Type == "event_count":
		if err := b.child("match", b.refs[0].correlation); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is over rules of single events, or event_count over one correlation", b.c.Type)
	}
	for i, name := range b.c.Fields {
		g := grouping{name: name}
		o := operand{field: b.field(g, singles), number: b.c.Type != "value_count"}
		b.rule.Values = append(b.rule.Values, name)
		b.rule.matcher.values = append(b.rule.matcher.values, o)
		if i > 0 && b.c.Type != "value_count" {
			return fmt.Errorf("%s is over one field", b.c.Type)
		}
	}
	switch b.c.Type {
	case "event_count", "value_count":
		op, n, err := b.whole()
		if err != nil {
			return err
		}
		if b.c.Type == "event_count" {
			b.rule.When = Count{Pattern: 0, Op: op, N: n}
			return nil
		}
		if n > maxDistinct {
			return fmt.Errorf("the threshold of value_count is at most %d", maxDistinct)
		}
		d := Distinct{Pattern: 0, Op: op, N: n}
		for i := range b.c.Fields {
			d.Values = append(d.Values, i)
		}
		b.rule.When = d
		return nil
	}
	a := Aggregate{Func: map[string]Func{
		"value_sum": Sum, "value_avg": Avg, "value_percentile": Percentile, "value_median": Median,
	}[b.c.Type], Op: sigmaOps[b.c.Op]}
	var ok bool
	if a.N, ok = numberOfText(b.c.N); !ok {
		return fmt.Errorf("%q is no number", b.c.N)
	}
	if b.c.Percentile != "" {
		a.Rank, _ = numberOfText(b.c.Percentile) // sigma has seen that it is one
	}
	b.rule.When = a
	return nil
}

func numberOfText(s string) (Number, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return NumberOf(n)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Number{}, false
	}
	return NumberOf(f)
}

// temporal makes temporal and temporal_ordered: each rule is a pattern.
func (b *correlating) temporal() error {
	if b.c.Extended != "" && len(b.refs) == 0 {
		for word := range strings.FieldsSeq(strings.NewReplacer("(", " ", ")", " ").Replace(b.c.Extended)) {
			if slices.Contains([]string{"and", "or", "not"}, strings.ToLower(word)) || slices.ContainsFunc(b.refs, func(r reference) bool { return r.name == word }) {
				continue
			}
			r, c, err := b.docs.find(word)
			if err != nil {
				return err
			}
			b.refs = append(b.refs, reference{word, r, c})
		}
	}
	if len(b.refs) > MaxPatterns {
		return fmt.Errorf("a correlation is over at most %d rules, this one over %d", MaxPatterns, len(b.refs))
	}
	for i, ref := range b.refs {
		name := b.patternName(ref.name, i)
		if ref.rule != nil {
			if err := b.pattern(name, []*sigmaRule{ref.rule}); err != nil {
				return err
			}
		} else if err := b.child(name, ref.correlation); err != nil {
			return err
		}
	}
	switch {
	case b.c.Extended != "" && b.c.Type == "temporal_ordered":
		return errors.New("a condition over rules says nothing of their order: use temporal, or leave the condition out")
	case b.c.Extended != "":
		return b.extended()
	case b.c.Op != "" && b.c.Type == "temporal_ordered" && (b.c.Op != "gte" || b.c.N != strconv.Itoa(len(b.refs))): // all of them it is anyway
		return errors.New("a number of rules says nothing of their order: use temporal, or leave the condition out")
	case b.c.Op != "" && b.c.Type == "temporal":
		op, n, err := b.whole()
		weights := make([]int64, len(b.refs))
		for i := range weights {
			weights[i] = 1
		}
		b.rule.When = Score{Weights: weights, Op: op, N: n}
		return err
	case b.c.Type == "temporal_ordered":
		var q Sequence
		for i := range b.refs {
			q.Steps = append(q.Steps, Step{Pattern: i, Times: 1})
		}
		b.rule.When = q
	default:
		var all And
		for i := range b.refs {
			all.X = append(all.X, Is{i})
		}
		b.rule.When = all
	}
	return nil
}

// patternName makes a name of a rule's name; of an id, which says nothing, it makes a number.
func (b *correlating) patternName(ref string, i int) string {
	name := strings.ReplaceAll(slug(ref), "-", "_")
	taken := slices.ContainsFunc(b.rule.Patterns, func(p Pattern) bool { return p.Name == name })
	if taken || reserved(name) || !patternName.MatchString(name) || len(name) > 60 {
		return fmt.Sprintf("rule_%d", i+1)
	}
	return name
}

// extended reads a condition over rules.
func (b *correlating) extended() error {
	var names []string
	for _, ref := range b.refs {
		names = append(names, ref.name)
	}
	// The parser makes conditions over events: a rule is a field that has its place as its name.
	tree, err := b.c.Parse(names, func(name string) (pred.Node, error) {
		return &pred.Test{Field: pred.Field{Name: strconv.Itoa(slices.Index(names, name))}, Op: pred.Exists}, nil
	})
	if err != nil {
		return err
	}
	if b.rule.When, err = overRules(tree); err != nil {
		return err
	}
	return negatableDeep(b.rule.When)
}

func overRules(n pred.Node) (Cond, error) {
	several := func(parts []pred.Node) (out []Cond, err error) {
		for _, x := range parts {
			c, err := overRules(x)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		return out, nil
	}
	switch n := n.(type) {
	case pred.And:
		x, err := several(n)
		return And{x}, err
	case pred.Or:
		x, err := several(n)
		return Or{x}, err
	case pred.Not:
		x, err := overRules(n.X)
		return Not{x}, err
	case *pred.Test:
		i, err := strconv.Atoi(n.Field.Name)
		return Is{i}, err
	}
	return nil, fmt.Errorf("%T is no condition over rules", n)
}

// negatableDeep refuses a negation that has no meaning.
func negatableDeep(c Cond) error {
	var err error
	anyCond(c, func(x Cond) bool {
		if n, ok := x.(Not); ok && err == nil {
			err = negatable(n.X)
		}
		return false
	})
	return err
}
