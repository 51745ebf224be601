// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// maxAlternatives bounds the texts that stand for one regular expression.
const maxAlternatives = 32

// required returns texts, without regard to case, of which one stands in every text that the expression finds something
// in; nil if there are none.
func required(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	return literals(re.Simplify())
}

func shortest(texts []string) int {
	n := -1
	for _, s := range texts {
		if n < 0 || len(s) < n {
			n = len(s)
		}
	}
	return n
}

// literals returns texts of which one is a part of whatever re matches; nil if there are none.
func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return spellings(re.Rune)
		}
		return []string{string(re.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if s := literals(sub); len(s) > 0 && shortest(s) > shortest(best) {
				best = s
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			s := literals(sub)
			if len(s) == 0 {
				return nil
			}
			all = append(all, s...)
		}
		if len(all) <= maxAlternatives {
			return all
		}
	}
	return nil
}

// maxSpellings bounds the texts that stand for one literal.
const maxSpellings = 8

// spellings returns the texts, in lower case, of which one stands in each text in lower case of which some part is a
// literal without regard to case; of the literal's beginning if they are too many. For a regular expression more runes are
// one than have one lower case: s is also ſ, and σ is ς.
func spellings(literal []rune) []string {
	texts := []string{""}
	for _, r := range literal {
		lower := lowers(r)
		if len(texts)*len(lower) > maxSpellings {
			break
		}
		longer := make([]string, 0, len(texts)*len(lower))
		for _, s := range texts {
			for _, l := range lower {
				longer = append(longer, s+string(l))
			}
		}
		texts = longer
	}
	return texts
}

// lowers returns the lower cases of the runes that are one with r without regard to case.
func lowers(r rune) []rune {
	out := []rune{unicode.ToLower(r)}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if l := unicode.ToLower(f); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}
