// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/rules"
)

func num(t testing.TB, v any) rules.Number {
	t.Helper()
	n, ok := rules.NumberOf(v)
	if !ok {
		t.Fatalf("%v is no number", v)
	}
	return n
}

// formed is a rule over two patterns with a condition and what else the form needs.
func formed(when, more string) []rules.File {
	return []rules.File{{Name: "f.yml", Data: []byte("rule: r\ntitle: t\nseverity: low\nmatch: {a: user.name == \"a\", b: user.name == \"b\"}\n" +
		"when: |\n  " + when + "\nwithin: 5m\n" + more)}}
}

// TestForms: what each form of `when` is read as.
func TestForms(t *testing.T) {
	t.Parallel()
	const weights = "weights: {a: 20, b: 50}\n"
	for _, tt := range []struct {
		when, more string
		want       rules.Cond
	}{
		{"sum(a, raw.bytes) >= 1000", "", rules.Aggregate{Func: rules.Sum, N: num(t, int64(1000))}},
		{"sum(b, number(raw.bytes)) > 0.5", "", rules.Aggregate{Func: rules.Sum, Pattern: 1, Op: rules.GT, N: num(t, 0.5)}},
		{"max(a, source.port) >= -3", "", rules.Aggregate{Func: rules.Max, N: num(t, int64(-3))}},
		{"min(a, raw.n) < 10.25", "", rules.Aggregate{Func: rules.Min, Op: rules.LT, N: num(t, 10.25)}},
		{"avg(a, raw.n) != 3", "", rules.Aggregate{Func: rules.Avg, Op: rules.NE, N: num(t, int64(3))}},
		{"median(a, raw.n) == 3", "", rules.Aggregate{Func: rules.Median, Op: rules.EQ, N: num(t, int64(3))}},
		{"percentile(a, raw.n, 99.9) <= 3", "", rules.Aggregate{Func: rules.Percentile, Rank: num(t, 99.9), Op: rules.LE, N: num(t, int64(3))}},
		{"score >= 70", weights, rules.Score{Weights: []int64{20, 50}, N: 70}},
		{"first_seen(a, user.name)", "learn: 14d\n", rules.FirstSeen{Values: []int{0}, Learn: 14 * 24 * time.Hour}},
		{"first_seen(b, user.name, raw.x) and a", "learn: 1h\n", rules.And{X: []rules.Cond{rules.FirstSeen{Pattern: 1, Values: []int{0, 1}, Learn: time.Hour}, rules.Is{}}}},
		{"silent(b)", "", rules.Silent{Pattern: 1}},
		{"rate(a) > 4 * usual(a)", "", rules.Rate{Op: rules.GT, Times: num(t, int64(4))}},
		{"rate(b) >= usual(b) * 2.5", "", rules.Rate{Pattern: 1, Times: num(t, 2.5)}},
		{"rate(a) > usual(a)", "", rules.Rate{Op: rules.GT, Times: num(t, int64(1))}},
		{"score < 50", weights, rules.Score{Weights: []int64{20, 50}, Op: rules.LT, N: 50}},
	} {
		set, err := rules.Compile(formed(tt.when, tt.more))
		if err != nil {
			t.Errorf("%s: %v", tt.when, err)
			continue
		}
		if d := cmp.Diff(tt.want, set.Rules[0].When); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.when, d)
		}
	}
}

// TestFormsSayWhatIsWrong has one mistake each.
func TestFormsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	const weights = "weights: {a: 20, b: 50}\n"
	for _, tt := range []struct{ when, more, want string }{
		{"sum(a) >= 5", "", "sum takes a pattern and a field, as in sum(a, raw.bytes) >= 1000"},
		{"sum(a, raw.n)", "", "sum(a, raw.n) is a number: compare it"},
		{"sum(a, user.name) >= 5", "", "user.name is of type string, and sum is over numbers: write number(user.name)"},
		{"sum(a, usr.name) >= 5", "", `unknown field "usr.name"`},
		{"sum(a, exists(raw.n)) >= 5", "", "exists(raw.n) is neither a field nor number(field)"},
		{"sum(c, raw.n) >= 5", "", `there is no pattern "c" in match`},
		{"sum(a, raw.n) >= 0", "", "always holds: a sum leaves negative values out"},
		{"sum(a, raw.n) < 0", "", "never holds: a sum leaves negative values out"},
		{"max(a, raw.n) >= \"5\"", "", "the threshold is a number"},
		{"percentile(a, raw.n) >= 5", "", "percentile takes a pattern, a field and a percentage"},
		{"percentile(a, raw.n, 101) >= 5", "", "a number above 0 and up to 100"},
		{"percentile(a, raw.n, 99.99999) >= 5", "", "with four decimals at most"},
		{"a and not (avg(a, raw.n) > 5)", "", "`not` of avg with >: write the opposite comparison"},
		{"score >= 50", "", "score adds up `weights`, and the rule has none"},
		{"score", weights, "score is a number: compare it, as in score >= 100"},
		{"score >= 71", weights, "never holds: all weights together are 70"},
		{"score >= 0", weights, "always holds"},
		{"score >= 1.5", weights, "compared with a whole number"},
		{"a and not (score == 20)", weights, "`not` of a score with ==: write the opposite comparison"},
		{"count(a) >= 3", weights, "weights is for score, and `when` has none"},
		{"score >= 20", "weights: {a: -20}\n", "the weight of a is a whole number between 1 and"},
		{"score >= 20", "weights: {c: 20}\n", `unknown key "c" in weights`},
		{"first_seen(a)", "learn: 14d\n", "first_seen takes a pattern and at least one field"},
		{"first_seen(a, user.name)", "", "learn is missing"},
		{"first_seen(a, user.nam)", "learn: 14d\n", `unknown field "user.nam" (did you mean "user.name"?)`},
		{"first_seen(a, user.name)", "learn: 2000d\n", "learn is between 1s and 366d"},
		{"count(a) >= 3", "learn: 14d\n", "learn is for first_seen, and `when` has none"},
		{strings.Repeat("first_seen(a, user.name) or ", 8) + "first_seen(b, user.name)", "learn: 14d\n", "a rule has at most 8 first_seen, this one has 9"},
		{"silent(a, b)", "", "silent takes one pattern"},
		{"a and not silent(b)", "", "`not silent(…)` has no meaning here"},
		{"rate(a) > 4", "", "a rate is compared with what is usual for the same pattern, as in rate(a) > 4 * usual(a)"},
		{"rate(a) > 4 * usual(b)", "", "for the same pattern"},
		{"rate(a) < usual(a)", "", "a rate is compared by > or >="},
		{"rate(a) > 0 * usual(a)", "", "times a number above 0"},
		{"rate(a)", "", "rate(a) is a number: compare it"},
		{"a and not (rate(a) > usual(a))", "", "`not` of a rate"},
		{"summ(a, raw.n)", "", `unknown form "summ" (did you mean "sum"?)`},
		{"user.name >= 3", "", "only what counts or adds up is compared"},
	} {
		_, err := rules.Compile(formed(tt.when, tt.more))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `f.yml:`) {
			t.Errorf("%s: %v\nwant %s", tt.when, err, tt.want)
		}
	}
}

// TestUsualIsByTheHour: a window longer than that has no usual rate.
func TestUsualIsByTheHour(t *testing.T) {
	t.Parallel()
	files := formed("rate(a) > usual(a)", "")
	files[0].Data = []byte(strings.Replace(string(files[0].Data), "within: 5m", "within: 2h", 1))
	if _, err := rules.Compile(files); err == nil || !strings.Contains(err.Error(), "within is at most 1h") || !strings.Contains(err.Error(), "f.yml:7") {
		t.Errorf("within 2h: %v", err)
	}
}

// TestFormsChangeTheRevision: what a form means is part of the rule's revision (R2).
func TestFormsChangeTheRevision(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, tt := range []struct{ when, more string }{
		{"sum(a, raw.n) >= 5", ""},
		{"sum(a, raw.n) >= 6", ""},
		{"sum(a, raw.n) > 5", ""},
		{"sum(a, raw.m) >= 5", ""},
		{"sum(a, number(raw.n)) >= 5", ""},
		{"max(a, raw.n) >= 5", ""},
		{"percentile(a, raw.n, 50) >= 5", ""},
		{"percentile(a, raw.n, 95) >= 5", ""},
		{"score >= 20", "weights: {a: 20, b: 50}\n"},
		{"score >= 20", "weights: {a: 30, b: 50}\n"},
		{"first_seen(a, raw.n)", "learn: 14d\n"},
		{"first_seen(a, raw.n)", "learn: 15d\n"},
		{"silent(a)", ""},
		{"rate(a) > 2 * usual(a)", ""},
		{"rate(a) > 3 * usual(a)", ""},
	} {
		set, err := rules.Compile(formed(tt.when, tt.more))
		if err != nil {
			t.Fatal(err)
		}
		rev := set.Rules[0].Revision
		if was, ok := seen[rev]; ok {
			t.Errorf("%q and %q have one revision", was, tt.when+tt.more)
		}
		seen[rev] = tt.when + tt.more
	}
	// The revision of a rule that uses none of the later forms must not move: its windows would be lost.
	set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(shell)}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := set.Rules[0].Revision, "caaf83fd12de702fdf206a5fa2ff08c3"; got != want {
		t.Errorf("the revision of %s is %s, and was %s", set.Rules[0].ID, got, want)
	}
}

// TestNumbersAreDecimals: a Number compares as the fraction that its text is.
func TestNumbersAreDecimals(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Uint64(), func(n uint64) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.SampledFrom([]any{0.3, 1e19, 1e-300, -1.5, int64(0), 0.0, 9007199254740993.0, int64(9007199254740993)}),
	)
	fraction := func(v any) *big.Rat {
		r, _ := new(big.Rat).SetString(fmt.Sprint(v)) // as it is printed: the shortest that reads back
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		v, w := value.Draw(t, "v"), value.Draw(t, "w")
		a, okA := rules.NumberOf(v)
		b, okB := rules.NumberOf(w)
		x, y := fraction(v), fraction(w)
		if okA != (x != nil) || okB != (y != nil) {
			t.Fatalf("%v, %v: numbers %t, %t", v, w, okA, okB)
		}
		if !okA || !okB {
			return
		}
		if got, want := a.Compare(b), x.Cmp(y); got != want {
			t.Fatalf("%v (%s) compares with %v (%s) as %d, want %d", v, a, w, b, got, want)
		}
		if a.Compare(a) != 0 || a.Sign() != x.Sign() {
			t.Fatalf("%v: %s", v, a)
		}
		if n, ok := rules.ReadNumber(string(event.AppendValue(nil, v))); !ok || n != a {
			t.Fatalf("%v is encoded and read as %s", v, n)
		}
	})
	for _, v := range []any{"5", nil, true, []any{int64(1)}} {
		if n, ok := rules.NumberOf(v); ok {
			t.Errorf("%v is read as the number %s", v, n)
		}
	}
}
