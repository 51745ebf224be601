// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

type sigmaCorrelation struct {
	sigmaDoc
	*sigma.Correlation
	hidden bool
}

// correlate makes rules of the correlations, and hides what they refer to and want no incidents of.
func (s *sigmaDocs) correlate() []*Rule {
	compiled := make(map[*sigmaCorrelation]*Rule)
	for _, c := range s.correlations {
		b := &correlating{docs: s, c: c}
		r, err := b.compile(nil)
		if err != nil {
			s.errs = append(s.errs, c.fails(c.Title, err))
			continue
		}
		compiled[c] = r
		for _, ref := range b.refs {
			if c.Generate {
				continue
			}
			if ref.rule != nil {
				ref.rule.hidden = true
			} else {
				ref.correlation.hidden = true
			}
		}
	}
	var out []*Rule
	for _, c := range s.correlations {
		if r := compiled[c]; r != nil && !c.hidden {
			out = append(out, r)
		}
	}
	return out
}

// correlating is a correlation on its way into a rule (S5).
type correlating struct {
	docs *sigmaDocs
	c    *sigmaCorrelation
	refs []reference
	rule *Rule
	// above are the correlations that led here.
	above []*sigmaCorrelation
	by    []grouping
}

// reference is one rule that a correlation names.
type reference struct {
	name        string
	rule        *sigmaRule
	correlation *sigmaCorrelation
}

// grouping is one field of group-by, with its aliases.
type grouping struct {
	name    string
	aliases map[string]string
	// of is the field where no alias says another, "" for the name.
	of string
}

// field is the name that a rule has for the field.
func (g grouping) field(m sigma.Meta) string {
	return cmp.Or(g.alias(m), g.of, g.name)
}

// alias is the field that the aliases name for a rule, "" if they name none.
func (g grouping) alias(m sigma.Meta) string {
	if m.Name != "" && g.aliases[m.Name] != "" {
		return g.aliases[m.Name]
	}
	return g.aliases[m.ID]
}

// within is the grouping for the rules of a correlation that is referred to. Where the outer one has an alias for it,
// that is a field of the events, or an alias of its own.
func (g grouping) within(c *sigma.Correlation) grouping {
	if field := g.alias(c.Meta); field != "" {
		return grouping{name: g.name, aliases: c.Aliases[field], of: field}
	}
	if len(g.aliases) == 0 {
		g.aliases = c.Aliases[g.name]
	}
	return g
}

// compile makes the rule. outer is the group-by of a correlation that refers to it, which takes the place of its own.
func (b *correlating) compile(outer []grouping) (*Rule, error) {
	if slices.Contains(b.above, b.c) {
		return nil, fmt.Errorf("the correlations go round in a circle at %q", b.c.Title)
	}
	b.rule = sigmaMeta(b.c.Meta, b.c.source)
	b.rule.Within = b.c.Timespan
	if b.by = outer; outer == nil {
		b.by = []grouping{}
		for _, name := range b.c.GroupBy {
			b.by = append(b.by, grouping{name: name, aliases: b.c.Aliases[name]})
		}
	}
	for _, name := range b.c.Rules {
		r, c, err := b.docs.find(name)
		if err != nil {
			return nil, err
		}
		b.refs = append(b.refs, reference{name, r, c})
	}
	for i, g := range b.by {
		b.rule.By = append(b.rule.By, g.name)
		b.rule.GroupBy = append(b.rule.GroupBy, i)
	}
	var err error
	if strings.HasPrefix(b.c.Type, "temporal") {
		err = b.temporal()
	} else {
		err = b.counted()
	}
	if err == nil {
		err = b.aliased()
	}
	if err != nil {
		return nil, err
	}
	b.rule.finish()
	return b.rule, nil
}

// aliased refuses an alias for what the correlation does not refer to: it would be a key that no event has.
func (b *correlating) aliased() error {
	var names []string
	for _, ref := range b.refs {
		m := sigma.Meta{}
		if ref.rule != nil {
			m = ref.rule.Meta
		} else {
			m = ref.correlation.Meta
		}
		names = append(names, m.Name, m.ID)
	}
	for _, alias := range slices.Sorted(maps.Keys(b.c.Aliases)) {
		for _, name := range slices.Sorted(maps.Keys(b.c.Aliases[alias])) {
			if !slices.Contains(names, name) {
				return fmt.Errorf("the alias %s is for %q, which the correlation does not refer to%s", alias, name, meant(name, names))
			}
		}
	}
	return nil
}

// pattern adds a pattern of rules of one event: an event of any of them.
func (b *correlating) pattern(name string, of []*sigmaRule) {
	var either pred.Or
	for _, r := range of {
		either = append(either, r.Condition())
	}
	cond := pred.Node(either)
	if len(either) == 1 {
		cond = either[0]
	}
	b.rule.Patterns = append(b.rule.Patterns, Pattern{Name: name, Source: pred.Print(cond), Child: -1})
	b.rule.matcher.patterns = append(b.rule.matcher.patterns, cond)
	b.rule.keySources = append(b.rule.keySources, "sigma", pred.Digest(cond))
	for i, g := range b.by {
		if len(b.rule.matcher.keys) <= i {
			b.rule.matcher.keys = append(b.rule.matcher.keys, keyPart{name: g.name})
		}
		part := &b.rule.matcher.keys[i]
		part.perPattern = append(part.perPattern, b.choice(g, of))
	}
}

// choice reads a field of group-by of events of any of the rules: where aliases give it several names, by the rule that
// the event fits.
func (b *correlating) choice(g grouping, of []*sigmaRule) choice {
	same := func(r *sigmaRule) bool { return g.field(r.Meta) == g.field(of[0].Meta) }
	if !slices.ContainsFunc(of, func(r *sigmaRule) bool { return !same(r) }) {
		return choice{{field: b.field(g, of)}}
	}
	var out choice
	for _, r := range of {
		out = append(out, option{r.Condition(), b.field(g, []*sigmaRule{r})})
	}
	return out
}

// field reads a field of group-by of events of any of the rules.
func (b *correlating) field(g grouping, of []*sigmaRule) pred.Field {
	f := pred.Field{Name: g.name}
	for _, r := range of {
		for _, s := range sigma.Field(b.docs.config, g.field(r.Meta), r.Rule).Sources {
			if !slices.ContainsFunc(f.Sources, func(x pred.Source) bool { return x.Slot == s.Slot && slices.Equal(x.Path, s.Path) }) {
				f.Sources = append(f.Sources, s)
			}
		}
	}
	b.rule.keySources = append(b.rule.keySources, g.name+" "+pred.Digest(&pred.Test{Field: f, Op: pred.Exists}))
	return f
}

// child adds a pattern that is another correlation's firing point.
func (b *correlating) child(name string, c *sigmaCorrelation) error {
	inner := &correlating{docs: b.docs, c: c, above: append(slices.Clip(b.above), b.c)}
	by := make([]grouping, len(b.by))
	for i, g := range b.by {
		by[i] = g.within(c.Correlation)
	}
	r, err := inner.compile(by)
	if err != nil {
		return err
	}
	r.ParentKey = []int{}
	for i := range b.by {
		r.ParentKey = append(r.ParentKey, i)
	}
	b.rule.Patterns = append(b.rule.Patterns, Pattern{Name: name, Child: len(b.rule.Children)})
	b.rule.Children = append(b.rule.Children, r)
	b.rule.matcher.patterns = append(b.rule.matcher.patterns, nil)
	for i := range b.by {
		if len(b.rule.matcher.keys) <= i {
			b.rule.matcher.keys = append(b.rule.matcher.keys, keyPart{name: b.by[i].name})
		}
		b.rule.matcher.keys[i].perPattern = append(b.rule.matcher.keys[i].perPattern, nil)
	}
	return nil
}

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
		b.pattern("match", singles)
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
		if a.Rank, ok = numberOfText(b.c.Percentile); !ok || a.Rank.Sign() < 0 || a.Rank.Compare(Number{Digits: 100}) > 0 {
			return errors.New("the percentile is a number from 0 to 100")
		}
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
			b.pattern(name, []*sigmaRule{ref.rule})
		} else if err := b.child(name, ref.correlation); err != nil {
			return err
		}
	}
	switch {
	case b.c.Extended != "" && b.c.Type == "temporal_ordered":
		return errors.New("a condition over rules says nothing of their order: use temporal, or leave the condition out")
	case b.c.Extended != "":
		return b.extended()
	case b.c.Op != "" && b.c.Type == "temporal_ordered":
		return errors.New("a number of rules says nothing of their order: use temporal, or leave the condition out")
	case b.c.Op != "":
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
