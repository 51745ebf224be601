// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"tocsin/rules/pred"
)

// condition parses an expression over names; `of` is allowed if the names can be listed. Precedence, loosest first: or,
// and, not, 1/all of, brackets.
type condition struct {
	tokens []string
	names  []string
	depth  int
	leaves int
	// leaf makes the condition of a name.
	leaf func(name string) (pred.Node, error)
}

// Bounds of a condition: brackets and negations, and selections that it names or that `of` names for it.
const (
	maxNesting = 100
	maxLeaves  = 5000
)

func parseCondition(src string, names []string, leaf func(string) (pred.Node, error)) (pred.Node, error) {
	if strings.Contains(src, "|") {
		return nil, errors.New("an aggregation after | is no longer of Sigma: write a correlation")
	}
	c := &condition{tokens: tokens(src), names: names}
	c.leaf = func(name string) (pred.Node, error) {
		if c.leaves++; c.leaves > maxLeaves {
			return nil, fmt.Errorf("it names selections more than %d times", maxLeaves)
		}
		return leaf(name)
	}
	n, err := c.or()
	if err == nil && len(c.tokens) > 0 {
		err = fmt.Errorf("%q is one too many", c.tokens[0])
	}
	return n, err
}

var apart = strings.NewReplacer("(", " ( ", ")", " ) ")

func tokens(src string) []string { return strings.Fields(apart.Replace(src)) }

// next reports whether the next token is a word, and takes it.
func (c *condition) next(word string) bool {
	if len(c.tokens) > 0 && strings.EqualFold(c.tokens[0], word) {
		c.tokens = c.tokens[1:]
		return true
	}
	return false
}

func (c *condition) or() (pred.Node, error) {
	n, err := c.and()
	if err != nil {
		return nil, err
	}
	either := pred.Or{n}
	for c.next("or") {
		if n, err = c.and(); err != nil {
			return nil, err
		}
		either = append(either, n)
	}
	if len(either) == 1 {
		return either[0], nil
	}
	return either, nil
}

func (c *condition) and() (pred.Node, error) {
	n, err := c.not()
	if err != nil {
		return nil, err
	}
	all := pred.And{n}
	for c.next("and") {
		if n, err = c.not(); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (c *condition) not() (pred.Node, error) {
	if c.depth++; c.depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	defer func() { c.depth-- }()
	if c.next("not") {
		n, err := c.not()
		return pred.Not{X: n}, err
	}
	if c.next("(") {
		n, err := c.or()
		if err == nil && !c.next(")") {
			err = errors.New("a ( is not closed")
		}
		return n, err
	}
	if len(c.tokens) == 0 {
		return nil, errors.New("the condition ends too early")
	}
	word := c.tokens[0]
	c.tokens = c.tokens[1:]
	if (word == "1" || strings.EqualFold(word, "all") || strings.EqualFold(word, "any")) && c.next("of") {
		return c.of(strings.EqualFold(word, "all"))
	}
	switch strings.ToLower(word) {
	case ")", "and", "or", "of":
		return nil, fmt.Errorf("%q is not expected here", word)
	}
	if !slices.Contains(c.names, word) {
		return nil, fmt.Errorf("there is no selection %q%s", word, meant(word, c.names))
	}
	return c.leaf(word)
}

// of reads what `1 of` and `all of` are about: them, or a pattern. Names that begin with _ are left out, unless the
// pattern begins so.
func (c *condition) of(all bool) (pred.Node, error) {
	if len(c.tokens) == 0 {
		return nil, errors.New("of what?")
	}
	pattern := c.tokens[0]
	c.tokens = c.tokens[1:]
	var out []pred.Node
	for _, name := range c.names {
		var fits bool
		if strings.EqualFold(pattern, "them") {
			fits = !strings.HasPrefix(name, "_")
		} else {
			fits, _ = path.Match(pattern, name)
			fits = fits && (!strings.HasPrefix(name, "_") || strings.HasPrefix(pattern, "_"))
		}
		if !fits {
			continue
		}
		n, err := c.leaf(name)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("no selection is named %s", pattern)
	case len(out) == 1:
		return out[0], nil
	case all:
		return pred.And(out), nil
	default:
		return pred.Or(out), nil
	}
}

// meant offers the nearest of some names.
func meant(name string, names []string) string {
	best, least := "", len(name)/2+2
	for _, x := range names {
		if d := distance(name, x); d < least {
			best, least = x, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the edit distance of two texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := above
			if a[i] != b[j] {
				d = 1 + min(above, row[j], row[j+1])
			}
			above, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
