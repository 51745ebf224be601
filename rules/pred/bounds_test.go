// SPDX-License-Identifier: Apache-2.0

package pred_test

import (
	"strings"
	"testing"

	"tocsin/event/value"
	"tocsin/rules/pred"
)

// TestRegexpBounds: an expression is bounded by the program that it compiles to, however short it is written.
func TestRegexpBounds(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		strings.Repeat("a", pred.MaxProgram-2):                                 "",
		strings.Repeat("a", pred.MaxProgram-1):                                 "a program of 3001 instructions, at most 3000",
		`(((a?){10}){10}){9}b`:                                                 "a program of 3801 instructions",
		`((((a?){10}){10}){10}b){1}(a{1000}){1}(((((a|b|cc)?){10}){10}){10}b)`: "at most 3000 are allowed",
		// It is not compiled to be counted: that would be 14,002.
		`(a?b?c?d?e?f?){1000}`: "a program of 15000 instructions",
		`.{1000,}`:             "",
		`(\p{L}|\p{N}){99}`:    "",
		`a{1001}`:              "invalid repeat count",
	} {
		_, program, err := pred.NewRegexp(expr)
		switch {
		case want == "" && (err != nil || program > pred.MaxProgram || program == 0):
			t.Errorf("%.40s: %d instructions, %v", expr, program, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.40s: %v, want %s", expr, err, want)
		}
	}
}

func TestGlobBounds(t *testing.T) {
	t.Parallel()
	if err := pred.CheckGlob(pred.ParseGlob("*" + strings.Repeat("?", pred.MaxGlob-2) + "*")); err != nil {
		t.Error(err)
	}
	if err := pred.CheckGlob(pred.ParseGlob("*" + strings.Repeat("?", pred.MaxGlob-1) + "*")); err == nil || !strings.Contains(err.Error(), "at most 1000 characters, this one has 1001") {
		t.Error(err)
	}
}

func matches(t *testing.T, expr string) *pred.Test {
	t.Helper()
	re, _, err := pred.NewRegexp(expr)
	if err != nil {
		t.Fatal(err)
	}
	return &pred.Test{Field: raw("x"), Op: pred.Match, Loose: true, Regexp: re}
}

// TestRation: a rule that takes too many steps for each byte is refused, and one that takes many reads less of a text.
func TestRation(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("a", pred.MaxProgram-2)
	all := pred.And{matches(t, large), matches(t, large), matches(t, large), matches(t, strings.Repeat("a", 998))}
	if err := pred.Ration(all); err != nil {
		t.Errorf("%d steps: %v", pred.MaxSteps, err)
	}
	if err := pred.Ration(all, matches(t, "a")); err == nil || !strings.Contains(err.Error(), "take 10003 steps for each byte that they read, at most 10000") {
		t.Error(err)
	}
	if err := pred.Ration(all, all); err != nil {
		t.Errorf("what stands there twice is evaluated once, and yet: %v", err)
	}

	texts := make([]string, 8*500)
	globs := make([]pred.Glob, 4)
	for i := range globs {
		globs[i] = pred.ParseGlob("a*" + strings.Repeat("b", 400) + "*c")
	}
	for name, tc := range map[string]struct {
		test *pred.Test
		want int
	}{
		"a short expression reads all":          {matches(t, "a{62}"), 0},
		"a long one as much as there are steps": {matches(t, strings.Repeat("a", 998)), 64 << 20 / 1000},
		"a long list":                           {&pred.Test{Field: raw("x"), Op: pred.Contains, Texts: texts}, 64 << 20 / 500},
		"wildcards, by what is searched for":    {&pred.Test{Field: raw("x"), Op: pred.Like, Globs: globs}, 64 << 20 / 400},
		"a list of whole texts is looked up":    {&pred.Test{Field: raw("x"), Op: pred.Is, Texts: texts}, 0},
		"wildcards without a search in them":    {&pred.Test{Field: raw("x"), Op: pred.Like, Globs: []pred.Glob{pred.ParseGlob(strings.Repeat("b", 999) + "*")}}, 0},
	} {
		if err := pred.Ration(pred.Not{X: pred.Or{pred.Gated{Gate: pred.Const(true), X: tc.test}}}); err != nil || tc.test.Reach != tc.want {
			t.Errorf("%s: reads %d, want %d (%v)", name, tc.test.Reach, tc.want, err)
		}
		if got := pred.Reach(pred.And{tc.test}); got != tc.want {
			t.Errorf("%s: the condition reads %d, want %d", name, got, tc.want)
		}
	}
}

// TestReach: of a text, or of all in an array or a record, no more is read, whoever reads it.
func TestReach(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"x":"12345abcd"}`:               true,
		`{"x":"123456abcd"}`:              false,
		`{"x":["12345","abcd"]}`:          true,
		`{"x":["123456","abcd"]}`:         false,
		`{"x":["éé1","abcd"]}`:            true,
		`{"x":["12345abc","abcd"]}`:       false,
		`{"x":"ab","y":{"z":["abcdef"]}}`: false,
	} {
		object, err := value.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		x := matches(t, "abcd")
		list := &pred.Test{Field: raw("x"), Op: pred.Contains, Loose: true, Texts: []string{"abcd"}}
		everywhere := &pred.Test{Field: pred.Field{Everywhere: true}, Op: pred.Contains, Loose: true, Fold: true, Texts: []string{"abcd"}}
		for _, n := range []*pred.Test{x, list, everywhere} {
			n.Reach = 9
			if n == everywhere && strings.Contains(text, `"z"`) {
				n.Reach = 5
			}
			run := pred.Compile([]pred.Node{n}).NewRun()
			if got := []bool{pred.Eval(n, record{object}), len(run.Match(record{object})) > 0, len(run.MatchAll(record{object})) > 0}; got[0] != want || got[1] != want || got[2] != want {
				t.Errorf("%s of %s: %v, want %t", n, text, got, want)
			}
		}
	}
}

// TestSize: what stands in a condition twice counts twice, and the values of a lookup list not at all.
func TestSize(t *testing.T) {
	t.Parallel()
	long := &pred.Test{Field: raw("x"), Op: pred.Is, Texts: []string{strings.Repeat("a", 1000)}}
	listed := &pred.Test{Field: raw("x"), Op: pred.Is, Texts: long.Texts, List: "l"}
	one := pred.Size(long)
	if one < 1000 || one > 1200 {
		t.Errorf("a text of 1000 is %d", one)
	}
	for name, n := range map[string]pred.Node{
		"and": pred.And{long, long}, "or": pred.Or{long, long}, "not": pred.And{pred.Not{X: long}, long}, "gate": pred.Gated{Gate: long, X: long},
	} {
		if got := pred.Size(n); got < 2*one || got > 2*one+100 {
			t.Errorf("%s: two of %d are %d", name, one, got)
		}
	}
	if got := pred.Size(listed); got > 100 {
		t.Errorf("a test of a list is %d", got)
	}
	if got := pred.Size(matches(t, strings.Repeat("a", 1000))); got < 1000 {
		t.Errorf("a regular expression of 1000 is %d", got)
	}
	if got := pred.Size(&pred.Test{Field: raw("x"), Op: pred.Like, Globs: []pred.Glob{pred.ParseGlob(strings.Repeat("a", 500) + "*")}}); got < 500 {
		t.Errorf("a pattern of 500 is %d", got)
	}
}
