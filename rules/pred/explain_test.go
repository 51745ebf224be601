// SPDX-License-Identifier: Apache-2.0

package pred_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event/value"
	"tocsin/rules/pred"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	object, err := value.Parse([]byte(`{"Image":"cmd.exe","User":"ana","n":5}`))
	if err != nil {
		t.Fatal(err)
	}
	is := func(key, s string) pred.Node { return &pred.Test{Field: raw(key), Op: pred.Is, Texts: []string{s}} }
	for name, tc := range map[string]struct {
		node  pred.Node
		holds bool
		why   []string
	}{
		"what breaks an and":       {pred.And{is("Image", "cmd.exe"), is("User", "bob"), is("Host", "h")}, false, []string{`User is "bob": false of ana`, `Host is "h": false of `}},
		"all that makes an and":    {pred.And{is("Image", "cmd.exe"), is("User", "ana")}, true, []string{`Image is "cmd.exe": true of cmd.exe`, `User is "ana": true of ana`}},
		"the first that is enough": {pred.Or{is("Image", "x"), is("User", "ana"), is("Image", "cmd.exe")}, true, []string{`User is "ana": true of ana`}},
		"all of which one would do": {pred.Or{is("Image", "x"), is("User", "y")}, false, []string{
			`Image is "x": false of cmd.exe`, `User is "y": false of ana`,
		}},
		"a not that breaks":  {pred.And{is("Image", "cmd.exe"), pred.Not{X: is("User", "ana")}}, false, []string{`User is "ana": true of ana`}},
		"a constant decides": {pred.And{pred.Const(false), is("Image", "cmd.exe")}, false, nil},
	} {
		holds, why := pred.Explain(tc.node, record{object})
		var got []string
		for _, r := range why {
			got = append(got, fmt.Sprintf("%s: %t of %s", r.Test, r.Holds, r.Value.Text()))
		}
		if diff := cmp.Diff(tc.why, got); holds != tc.holds || diff != "" {
			t.Errorf("%s: %t %s", name, holds, diff)
		}
	}
}

// TestExplainIsEval: an explanation comes to the same end, and its reasons are true.
func TestExplainIsEval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, e := drawNode(t, 3), drawEvent(t)
		holds, why := pred.Explain(n, e)
		if holds != pred.Eval(n, e) {
			t.Fatalf("explained as %t", holds)
		}
		for _, r := range why {
			if r.Holds != pred.Eval(r.Test, e) {
				t.Fatalf("%s is explained as %t", r.Test, r.Holds)
			}
		}
	})
}

func TestPrint(t *testing.T) {
	t.Parallel()
	other := raw("y")
	for want, x := range map[string]pred.Test{
		`x is "a" or "b", in any case`: {Op: pred.Is, Fold: true, Texts: []string{"a", "b"}},
		`x == 5 or "5"`:                {Op: pred.Equal, Values: []value.Value{value.OfInt(5), value.OfString("5")}},
		`number(x) > 2.5`:              {Op: pred.Greater, Number: true, Values: []value.Value{value.OfFloat(2.5)}},
		`x exists`:                     {Op: pred.Exists},
		`x contains y`:                 {Op: pred.Contains, Other: &other},
		`x matches "a+"`:               {Op: pred.Match, Regexp: regexp.MustCompile("a+")},
		`x is like "a*b?c\\*"`:         {Op: pred.Like, Globs: []pred.Glob{pred.ParseGlob(`a*b?c\*`)}},
		`the hour of x >= 22`:          {Op: pred.Calendar, Part: pred.Hour, Compare: pred.GreaterEqual, Values: []value.Value{value.OfInt(22)}},
		`x endsWith "1" or "2" or "3" or "4" or "5" or 2 more`: {Op: pred.Suffix, Texts: []string{"1", "2", "3", "4", "5", "6", "7"}},
	} {
		x.Field = raw("x")
		if got := x.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
