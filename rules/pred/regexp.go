// SPDX-License-Identifier: Apache-2.0

package pred

import "regexp/syntax"

// maxAlternatives bounds the texts that stand for one regular expression.
const maxAlternatives = 32

// required returns texts, without regard to case, of which one stands in every text that the expression finds something
// in. ok is false if there are none worth looking for.
func required(expr string) (texts []string, ok bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, false
	}
	texts = literals(re.Simplify())
	return texts, len(texts) > 0 && shortest(texts) >= minGram
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
		return []string{string(re.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literals(re.Sub[0])
		}
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
