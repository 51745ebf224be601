// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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
		b := &correlating{docs: s, c: c, linked: &linked{}}
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
	above  []*sigmaCorrelation
	linked *linked
	by     []grouping
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
	if err := b.linked.another(b.c.Title); err != nil {
		return nil, err
	}
	if err := b.docs.copies(perCorrelation); err != nil {
		return nil, err
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
		if !b.docs.groupedBy(alias) {
			return fmt.Errorf("the alias %s is for no field of group-by%s", alias, meant(alias, b.c.GroupBy))
		}
		for _, name := range slices.Sorted(maps.Keys(b.c.Aliases[alias])) {
			if !slices.Contains(names, name) {
				return fmt.Errorf("the alias %s is for %q, which the correlation does not refer to%s", alias, name, meant(name, names))
			}
		}
	}
	return nil
}

// groupedBy reports whether a correlation groups by a field, or by way of an alias: that of a correlation above can be
// for a name of one that it refers to.
func (s *sigmaDocs) groupedBy(field string) bool {
	return slices.ContainsFunc(s.correlations, func(c *sigmaCorrelation) bool {
		if slices.Contains(c.GroupBy, field) {
			return true
		}
		for _, by := range c.Aliases {
			for _, of := range by {
				if of == field {
					return true
				}
			}
		}
		return false
	})
}

// pattern adds a pattern of rules of one event: an event of any of them.
func (b *correlating) pattern(name string, of []*sigmaRule) error {
	var either pred.Or
	for _, r := range of {
		if err := b.docs.copies(r.Size + perField*len(b.by)); err != nil {
			return err
		}
		either = append(either, r.Condition())
		b.rule.warnOf(r)
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
	return nil
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
	inner := &correlating{docs: b.docs, c: c, above: append(slices.Clip(b.above), b.c), linked: b.linked}
	by := make([]grouping, len(b.by))
	for i, g := range b.by {
		by[i] = g.within(c.Correlation)
	}
	r, err := inner.compile(by)
	if err != nil {
		return err
	}
	b.rule.warnings = append(b.rule.warnings, r.warnings...)
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
