// SPDX-License-Identifier: Apache-2.0

package pred_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

// Texts are drawn of few pieces, so that they often fit.
var pieces = []string{"a", "B", "abcd", "ABCDE", "cmd.exe", `\`, "*", "é", "Ⱥ", "K", "1", "4688", " ", "abcdabcd", "system", "\u017fy\u017ftem", "SYSTEM", "\u212aelvin", "kelvin", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3", "\u0130"}

func text(t *rapid.T, label string) string {
	var s string
	for _, p := range rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, label) {
		s += p
	}
	return s
}

func anyValue(t *rapid.T, depth int) any {
	kinds := 6
	if depth > 0 {
		kinds = 8
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0, 1:
		return text(t, "text")
	case 2:
		return rapid.SampledFrom([]any{1, 4688, 2.5, json.Number("4688.0"), json.Number("18446744073709551615"), -1}).Draw(t, "number")
	case 3:
		return rapid.Bool().Draw(t, "bool")
	case 4:
		return nil
	case 5:
		return "2026-03-02T23:30:00Z"
	case 6:
		var out []any
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			out = append(out, anyValue(t, depth-1))
		}
		return out
	default:
		out := make(map[string]any)
		for _, k := range []string{"x", "y", "z"}[:rapid.IntRange(0, 3).Draw(t, "members")] {
			out[k] = anyValue(t, depth-1)
		}
		return out
	}
}

func drawEvent(t *rapid.T) pred.Event {
	object := make(map[string]any)
	for _, k := range []string{"x", "y", "z", "message", "other"} {
		if rapid.IntRange(0, 3).Draw(t, "has "+k) > 0 {
			object[k] = anyValue(t, 2)
		}
	}
	b, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	v, err := value.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return record{v}
}

func drawField(t *rapid.T) pred.Field {
	source := func() pred.Source {
		switch rapid.IntRange(0, 5).Draw(t, "source") {
		case 0:
			return pred.Source{Slot: event.Message}
		case 1:
			return pred.Source{Path: []pred.Step{{Key: "x"}, {Key: "y"}}}
		case 2:
			return pred.Source{Path: []pred.Step{{Key: "y"}, {Index: 1}}}
		default:
			return pred.Source{Path: []pred.Step{{Key: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "key")}}}
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "everywhere") == 0 {
		return pred.Field{Everywhere: true}
	}
	f := pred.Field{Sources: []pred.Source{source()}}
	if rapid.Bool().Draw(t, "two") {
		f.Sources = append(f.Sources, source())
	}
	return f
}

func drawTest(t *rapid.T) *pred.Test {
	x := &pred.Test{Field: drawField(t), Op: pred.Op(rapid.IntRange(int(pred.Equal), int(pred.Calendar)).Draw(t, "op"))}
	x.Loose, x.Fold = rapid.Bool().Draw(t, "loose"), rapid.Bool().Draw(t, "fold")
	for range rapid.IntRange(1, 10).Draw(t, "texts") {
		s := text(t, "constant")
		if x.Fold {
			s = pred.Fold(s)
		}
		x.Texts = append(x.Texts, s)
		g := pred.ParseGlob(s + rapid.SampledFrom([]string{"", "*", "?"}).Draw(t, "wild"))
		x.Globs = append(x.Globs, g)
		x.Values = append(x.Values, rapid.SampledFrom([]value.Value{
			value.OfString(s), value.OfInt(4688), value.OfFloat(2.5), value.OfUint(18446744073709551615), value.OfBool(true), value.OfInt(23),
		}).Draw(t, "value"))
	}
	flags := ""
	if x.Fold {
		flags = "(?i)"
	}
	x.Regexp = regexp.MustCompile(flags + rapid.SampledFrom([]string{`abcd`, `^(abcd|cmd)+\.`, `c?md\.exe$`, `[ab]+`, `(?i)ABCDE`, `(abcd){0,2}B`, `(abcd|4688){2}`,
		`(?i)system`, `(?i)kelvin|system`, `(?i)\x{3c3}\x{3af}\x{3c3}\x{3c5}\x{3c6}\x{3bf}\x{3c3}`, `(?i)[s]y[s]tem`, `\x{212a}elvin`, `(?i)\x{17f}ystem`, `(?i)\x{130}abcd`}).Draw(t, "regexp"))
	if x.Op == pred.Contains || x.Op == pred.Like || x.Op == pred.Match {
		x.Reach = rapid.SampledFrom([]int{0, 0, 0, 1, 5, 9}).Draw(t, "reach")
	}
	x.Nets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	x.Part, x.Compare = pred.Hour, rapid.SampledFrom([]pred.Op{pred.Equal, pred.Less, pred.GreaterEqual}).Draw(t, "compare")
	if x.Op <= pred.Suffix {
		x.Number = x.Op < pred.Is && rapid.IntRange(0, 5).Draw(t, "number") == 0
		if rapid.IntRange(0, 7).Draw(t, "other") == 0 && !x.Field.Everywhere && x.Reach == 0 {
			o := drawField(t)
			o.Everywhere = false
			if len(o.Sources) > 0 {
				x.Other = &o
			}
			if x.Other != nil && rapid.Bool().Draw(t, "constant field") {
				x.Field = pred.Field{Const: rapid.SampledFrom([]value.Value{value.OfString("abcd"), value.OfInt(4688)}).Draw(t, "const")}
			}
		}
	}
	return x
}

func drawNode(t *rapid.T, depth int) pred.Node {
	kind := rapid.IntRange(0, 5).Draw(t, "node")
	if depth == 0 || kind < 2 {
		return drawTest(t)
	}
	switch kind {
	case 2:
		return pred.Not{X: drawNode(t, depth-1)}
	case 3:
		if rapid.IntRange(0, 9).Draw(t, "constant") == 0 {
			return pred.Const(rapid.Bool().Draw(t, "const"))
		}
		return drawTest(t)
	}
	var parts []pred.Node
	for range rapid.IntRange(0, 4).Draw(t, "parts") {
		parts = append(parts, drawNode(t, depth-1))
	}
	if kind == 4 {
		return pred.And(parts)
	}
	return pred.Or(parts)
}

// TestProgramIsEval: with the index and without it a program finds what the plain evaluator finds, event after event.
func TestProgramIsEval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var conds []pred.Node
		gate := drawNode(t, 1)
		for range rapid.IntRange(1, 8).Draw(t, "conditions") {
			n := drawNode(t, 3)
			if rapid.Bool().Draw(t, "gated") {
				n = pred.Gated{Gate: gate, X: n}
			}
			conds = append(conds, n)
		}
		run := pred.Compile(conds).NewRun()
		for range rapid.IntRange(1, 4).Draw(t, "events") {
			e := drawEvent(t)
			want := []int{}
			for i, n := range conds {
				if pred.Eval(n, e) {
					want = append(want, i)
				}
			}
			if got := run.Match(e); !slices.Equal(got, want) {
				t.Fatalf("indexed: %v, want %v, of %v", got, want, e.Object().Any())
			}
			if got := run.MatchAll(e); !slices.Equal(got, want) {
				t.Fatalf("not indexed: %v, want %v, of %v", got, want, e.Object().Any())
			}
		}
	})
}

// TestEventsThatMatchNothingCostNoMemory: what is needed is kept for the next.
func TestEventsThatMatchNothingCostNoMemory(t *testing.T) {
	object, err := value.Parse([]byte(`{"x":"C:\\Windows\\System32\\CMD.exe /c WhoAmI","y":["Some","thing",4688],"z":{"n":4688},"message":"Hello, World"}`))
	if err != nil {
		t.Fatal(err)
	}
	var e pred.Event = record{object}
	texts := func(op pred.Op, key string, xs ...string) pred.Node {
		return &pred.Test{Field: raw(key), Op: op, Fold: true, Loose: true, Texts: xs}
	}
	run := pred.Compile([]pred.Node{
		pred.And{texts(pred.Contains, "x", "system32"), pred.Not{X: texts(pred.Suffix, "x", "whoami")}},
		pred.And{texts(pred.Contains, "x", "whoami"), texts(pred.Is, "message", "else")},
		texts(pred.Is, "y", "else"), texts(pred.Prefix, "z", "468"), texts(pred.Contains, "message", "nothing of it"),
	}).NewRun()
	if n := testing.AllocsPerRun(100, func() {
		if got := run.Match(e); len(got) != 0 {
			t.Fatal(got)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
