// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// Bounds of what one rule asks of a processor and of memory (detection.md P5).
const (
	// MaxProgram bounds the instructions that a regular expression compiles to: x{1000} is a thousand.
	MaxProgram = 3000
	// MaxGlob bounds the characters of a pattern with wildcards.
	MaxGlob = 1000
	// MaxSteps bounds the steps that all texts of a rule take for each byte that they read.
	MaxSteps = 10_000
	// MaxSize bounds a condition that is written out, in bytes.
	MaxSize = 4 << 20
)

const (
	// budget is how many steps a rule has for one event, about a second's worth at the very worst.
	budget = 64 << 20
	// longest is the length of a text that no field exceeds: that of a record.
	longest = 1 << 20
)

// NewRegexp compiles a regular expression that is within the bounds, and says how many instructions it has.
func NewRegexp(expr string) (re *regexp.Regexp, program int, err error) {
	if program, err = programSize(expr); err != nil {
		return nil, 0, err
	}
	if program > MaxProgram {
		return nil, 0, fmt.Errorf("the regular expression is a program of %d instructions, at most %d are allowed: repetitions within others multiply", program, MaxProgram)
	}
	re, err = regexp.Compile(expr)
	return re, program, err
}

// programSize counts the instructions of an expression. One that is far too large is not compiled to be counted.
func programSize(expr string) (int, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	if n := unfolded(tree); n > 4*MaxProgram {
		return n, nil
	}
	p, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, err
	}
	return len(p.Inst), nil
}

// unfolded counts the nodes of an expression as if its repetitions were written out.
func unfolded(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += unfolded(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// CheckGlob refuses a pattern with wildcards that is too long.
func CheckGlob(g Glob) error {
	n := len(g.Chunks) - 1
	for _, c := range g.Chunks {
		n += len(c)
	}
	if n > MaxGlob {
		return fmt.Errorf("a pattern with wildcards has at most %d characters, this one has %d", MaxGlob, n)
	}
	return nil
}

// steps says roughly how many steps a test takes for each byte of a text, an instruction of a regular expression being
// one. What is looked at in one place only, or looked up, costs nothing here.
func (t *Test) steps() int {
	switch {
	case t.Other != nil:
		return 0
	case t.Op == Match:
		n, _ := programSize(t.Regexp.String())
		return n
	case t.Op == Like:
		n := 0
		for _, g := range t.Globs {
			n += g.widest()
		}
		return n / 4
	case t.Op == Contains:
		return len(t.Texts) / 8
	}
	return 0
}

// widest is the length of the longest chunk that is searched for.
func (g Glob) widest() int {
	n := 0
	for _, c := range g.Chunks[1:max(1, len(g.Chunks)-1)] {
		n = max(n, len(c))
	}
	return n
}

// tests calls f with every test of a condition, as often as it stands there.
func tests(n Node, f func(*Test)) {
	switch n := n.(type) {
	case And:
		for _, x := range n {
			tests(x, f)
		}
	case Or:
		tests(And(n), f)
	case Not:
		tests(n.X, f)
	case Gated:
		tests(n.Gate, f)
		tests(n.X, f)
	case *Test:
		f(n)
	}
}

// Ration bounds what one rule's conditions cost: one that takes too many steps for each byte is refused; of others the
// tests that take many read no more of a text than they have steps for ([Test].Reach). It comes before [Compile].
func Ration(conds ...Node) error {
	costly := make(map[*Test]int)
	sum := 0
	for _, c := range conds {
		tests(c, func(t *Test) {
			if _, seen := costly[t]; !seen {
				costly[t] = t.steps()
				sum += costly[t]
			}
		})
	}
	if sum > MaxSteps {
		return fmt.Errorf("its regular expressions, wildcards and lists take %d steps for each byte that they read, at most %d are allowed", sum, MaxSteps)
	}
	if sum*longest <= budget {
		return nil
	}
	for t, n := range costly {
		if reach := budget / sum; n > 0 && (t.Reach == 0 || t.Reach > reach) {
			t.Reach = reach
		}
	}
	return nil
}

// Reach is how many bytes of a text the tests of a condition read at least; 0 is all of them.
func Reach(n Node) int {
	least := 0
	tests(n, func(t *Test) {
		if t.Reach > 0 && (least == 0 || t.Reach < least) {
			least = t.Reach
		}
	})
	return least
}

// Size is how large a condition is in bytes, more or less, with what stands in it twice counted twice.
func Size(n Node) int {
	const each = 32
	size := each
	switch n := n.(type) {
	case And:
		for _, x := range n {
			size += Size(x)
		}
	case Or:
		return Size(And(n))
	case Not:
		size += Size(n.X)
	case Gated:
		size += Size(n.Gate) + Size(n.X)
	case *Test:
		size += each * (len(n.Values) + len(n.Nets) + len(n.Field.Sources))
		if n.List == "" { // the values of a list are there once
			for _, s := range n.Texts {
				size += each + len(s)
			}
		}
		for _, g := range n.Globs {
			size += each
			for _, c := range g.Chunks {
				size += each/4*len(c) + each/4
			}
		}
		if n.Regexp != nil {
			size += len(n.Regexp.String())
		}
	}
	return size
}
