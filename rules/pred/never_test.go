// SPDX-License-Identifier: Apache-2.0

package pred_test

import (
	"testing"

	"pgregory.net/rapid"

	"tocsin/event/value"
	"tocsin/rules/pred"
)

func TestNever(t *testing.T) {
	t.Parallel()
	is := func(key string, xs ...string) *pred.Test { return &pred.Test{Field: raw(key), Op: pred.Is, Texts: xs} }
	equal := func(key string, vs ...value.Value) *pred.Test {
		return &pred.Test{Field: raw(key), Op: pred.Equal, Values: vs}
	}
	loose := func(x *pred.Test) *pred.Test { x.Loose = true; return x }
	for name, tc := range map[string]struct {
		node pred.Node
		want bool
	}{
		"two texts":           {pred.And{is("x", "a", "b"), is("x", "c")}, true},
		"one text in common":  {pred.And{is("x", "a", "b"), is("x", "b", "c")}, false},
		"of two fields":       {pred.And{is("x", "a"), is("y", "b")}, false},
		"deeper":              {pred.And{is("x", "a"), pred.And{is("y", "y"), is("x", "b")}}, true},
		"a text and a number": {pred.And{is("x", "5"), equal("x", value.OfInt(5))}, true},
		"one number":          {pred.And{equal("x", value.OfFloat(5)), equal("x", value.OfInt(5))}, false},
		"an array may":        {pred.And{loose(is("x", "a")), loose(is("x", "b"))}, false},
		"there and not":       {pred.And{is("x", "a"), &pred.Test{Field: raw("x"), Op: pred.Null}}, true},
		"either is enough":    {pred.Or{pred.Const(false), is("x", "a")}, false},
		"neither":             {pred.Or{pred.Const(false), pred.And{is("x", "a"), is("x", "b")}}, true},
		"not always":          {pred.Not{X: pred.Or{pred.Const(true), is("x", "a")}}, true},
	} {
		if got := pred.Never(tc.node); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestNeverIsTrue: what is said never to hold holds of no event that is drawn.
func TestNeverIsTrue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 3)
		if pred.Never(n) && pred.Eval(n, drawEvent(t)) {
			t.Fatalf("it holds")
		}
	})
}
