// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"testing"
)

// numbers writes n numbers, each with a format.
func numbers(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func native(match string) string {
	return "rule: r\ntitle: t\nseverity: low\nmatch: |\n  " + match + "\n"
}

func ofSigma(detection string) string {
	return "title: t\nid: t\nlogsource: {product: linux}\ndetection:\n" + detection
}

// chain is a rule of n, each of which refers to the next.
func chain(n int) string {
	var b strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&b, "rule: r-%d\ntitle: t\nseverity: low\nmatch: {a: 'detection(\"r-%d\")'}\nwhen: a\nwithin: 1m\nby: [host.name]\n---\n", i, i+1)
	}
	return b.String() + fmt.Sprintf("rule: r-%d\ntitle: t\nseverity: low\nmatch: exists(raw.x)\nby: [host.name]\n", n-1)
}

// diamonds is a rule over levels of two rules each, which refer to both of the next: one of one level more is more than
// twice as many.
func diamonds(levels int) string {
	var b strings.Builder
	b.WriteString("rule: r-0-0\ntitle: t\nseverity: low\nmatch: exists(raw.x)\nby: [host.name]\n")
	b.WriteString("---\nrule: r-0-1\ntitle: t\nseverity: low\nmatch: exists(raw.y)\nby: [host.name]\n")
	for i := 1; i <= levels; i++ {
		for j := range 2 {
			fmt.Fprintf(&b, "---\nrule: r-%d-%d\ntitle: t\nseverity: low\nmatch: {a: 'detection(\"r-%d-0\")', b: 'detection(\"r-%d-1\")'}\nwhen: a and b\nwithin: 1m\nby: [host.name]\n", i, j, i-1, i-1)
		}
	}
	return b.String()
}

// correlations is a chain of n correlations over a rule.
func correlations(n int) string {
	const of = "---\ntitle: c%d\nname: c%d\ncorrelation: {type: event_count, rules: [%s], timespan: 1m, condition: {gte: 2}}\n"
	var b strings.Builder
	b.WriteString(ofSigma("  sel: {a: b}\n  condition: sel\n"))
	below := "t"
	for i := range n {
		fmt.Fprintf(&b, of, i, i, below)
		below = fmt.Sprintf("c%d", i)
	}
	return b.String()
}

// copied are n correlations over one large rule, of 8 bytes for each character of its wildcards.
func copied(n int) string {
	var b strings.Builder
	b.WriteString(ofSigma("  sel:\n    a:\n" + numbers(400, "      - '"+strings.Repeat("y", 990)+"%d*z'\n") + "  condition: sel\n"))
	for i := range n {
		fmt.Fprintf(&b, "---\ntitle: c%d\ncorrelation: {type: event_count, rules: [t], timespan: 1m, condition: {gte: 2}}\n", i)
	}
	return b.String()
}

// TestRuleBounds: what is at a bound loads, and one more is refused, with its line and how many there are.
func TestRuleBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		at, over string
		want     string
	}{
		"values of a list": {
			ofSigma("  sel:\n    a:\n" + numbers(10_000, "    - v%d\n") + "  condition: sel"),
			ofSigma("  sel:\n    a:\n" + numbers(10_001, "    - v%d\n") + "  condition: sel"),
			`f.yml:6: rule "t": a list has at most 10000 values, this one has 10001`,
		},
		"keywords": {
			ofSigma("  sel:\n" + numbers(10_000, "  - v%d\n") + "  condition: sel"),
			ofSigma("  sel:\n" + numbers(10_001, "  - v%d\n") + "  condition: sel"),
			`f.yml:6: rule "t": a list has at most 10000 values, this one has 10001`,
		},
		"a condition written out": {
			ofSigma("  sel: {a: " + strings.Repeat("x", 4034) + "}\n  condition: sel" + strings.Repeat(" or sel", 999)),
			ofSigma("  sel: {a: " + strings.Repeat("x", 4034) + "}\n  condition: sel" + strings.Repeat(" or sel", 1000)),
			`f.yml:6: rule "t": condition: with each selection written out where it is named it is`,
		},
		"a regular expression of Sigma": {
			ofSigma("  sel: {a|re: 'a{1000}b{1000}c{998}'}\n  condition: sel"),
			ofSigma("  sel: {a|re: 'a{1000}b{1000}c{999}'}\n  condition: sel"),
			`f.yml:5: rule "t": the regular expression is a program of 3001 instructions, at most 3000`,
		},
		"the regular expressions of a rule of Sigma": {
			ofSigma("  sel: {a|re: ['a{998}', 'b{998}', 'c{998}', 'd{998}', 'e{998}', 'f{998}', 'g{998}', 'h{998}', 'i{998}']}\n  x: {a|re: 'j{998}'}\n  condition: sel and x"),
			ofSigma("  sel: {a|re: ['a{998}', 'b{998}', 'c{998}', 'd{998}', 'e{998}', 'f{998}', 'g{998}', 'h{998}', 'i{998}']}\n  x: {a|re: 'j{999}'}\n  condition: sel and x"),
			`f.yml:6: rule "t": the regular expressions so far are programs of 10001 instructions together, at most 10000`,
		},
		"wildcards of Sigma": {
			ofSigma("  sel: {a: 'x*" + strings.Repeat("?", 998) + "'}\n  condition: sel"),
			ofSigma("  sel: {a: 'x*" + strings.Repeat("?", 999) + "'}\n  condition: sel"),
			`f.yml:5: rule "t": a pattern with wildcards has at most 1000 characters, this one has 1001`,
		},
		"matches": {
			native(`raw.x matches "a{1000}b{1000}c{998}"`),
			native(`raw.x matches "a{1000}b{1000}c{999}"`),
			`f.yml:5: rule "r": pattern match: the regular expression is a program of 3001 instructions, at most 3000`,
		},
		"the steps of a pattern": {
			native(`raw.x matches "a{1000}b{1000}c{998}" and raw.y matches "a{1000}b{1000}c{998}" and raw.z matches "a{1000}b{1000}c{998}" and raw.x matches "a{998}"`),
			native(`raw.x matches "a{1000}b{1000}c{998}" and raw.y matches "a{1000}b{1000}c{998}" and raw.z matches "a{1000}b{1000}c{998}" and raw.x matches "a{999}"`),
			`f.yml:4: rule "r": pattern match: its regular expressions, wildcards and lists take 10001 steps for each byte that they read, at most 10000`,
		},
		"the steps of a rule": {
			"rule: r\ntitle: t\nseverity: low\nmatch: {a: 'raw.x matches \"" + strings.Repeat("a{1000}", 2) + "\" or raw.y matches \"a{998}\"', b: 'raw.x matches \"" + strings.Repeat("b{999}", 3) + "\"'}\nwhen: a and b\nwithin: 1m\nby: [host.name]\nexcept: [{when: 'raw.x matches \"" + strings.Repeat("c{999}", 3) + "\" or raw.x matches \"d{994}\"', reason: r, owner: o, expires: 2030-01-01}]",
			"rule: r\ntitle: t\nseverity: low\nmatch: {a: 'raw.x matches \"" + strings.Repeat("a{1000}", 2) + "\" or raw.y matches \"a{998}\"', b: 'raw.x matches \"" + strings.Repeat("b{999}", 3) + "\"'}\nwhen: a and b\nwithin: 1m\nby: [host.name]\nexcept: [{when: 'raw.x matches \"" + strings.Repeat("c{999}", 3) + "\" or raw.x matches \"d{999}\" or raw.x matches \"e{999}\"', reason: r, owner: o, expires: 2030-01-01}]",
			`f.yml:4: rule "r": its regular expressions, wildcards and lists take 11`,
		},
		"glob": {
			native(`glob(raw.x, "*` + strings.Repeat("?", 999) + `")`),
			native(`glob(raw.x, "*` + strings.Repeat("?", 1000) + `")`),
			`f.yml:5: rule "r": pattern match: a pattern with wildcards has at most 1000 characters, this one has 1001`,
		},
		"rules that refer to rules": {
			chain(100),
			chain(101),
			`f.yml:4: rule "r-0": detection("r-1"): with what it refers to the rule "r-0" is 101 rules or more`,
		},
		"rules that refer to rules twice": {
			diamonds(5),
			diamonds(6),
			`rule "r-6-0": detection("r-5-1"): with what it refers to the rule "r-6-0" is 127 rules or more`,
		},
		"correlations of correlations": {
			correlations(100),
			correlations(101),
			`rule "c100": with what it refers to it is more than 100 correlations, each counted as often as it is referred to; "c0" is one too many`,
		},
		"what correlations copy": {
			copied(1),
			copied(22),
			`correlations and filters copy more than 67108864 bytes of the rules that they name`,
		},
	} {
		if _, err := Compile([]File{{Name: "f.yml", Data: []byte(tc.at)}}); err != nil {
			t.Errorf("%s: at the bound: %.300v", name, err)
		}
		if _, err := Compile([]File{{Name: "f.yml", Data: []byte(tc.over)}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %.300v, want %s", name, err, tc.want)
		}
	}
}

// TestCopiesAreCounted: the bound of what is copied is over all documents, and exact.
func TestCopiesAreCounted(t *testing.T) {
	t.Parallel()
	var s sigmaDocs
	if err := s.copies(maxCopied - 1); err != nil {
		t.Error(err)
	}
	if err := s.copies(1); err != nil {
		t.Error(err)
	}
	if err := s.copies(1); err == nil {
		t.Error("one byte more is allowed")
	}
}

// TestFiltersAreBounded: what filters add to a rule counts for it.
func TestFiltersAreBounded(t *testing.T) {
	t.Parallel()
	filter := "---\ntitle: f%d\nlogsource: {product: linux}\nfilter:\n  rules: [t]\n  sel: {a|re: '%%d|" + strings.Repeat("x", 990) + "'}\n  condition: not sel\n"
	text := ofSigma("  sel: {a: b}\n  condition: sel\n")
	for i := range 11 {
		text += fmt.Sprintf(filter, i)
	}
	if _, err := Compile([]File{{Name: "f.yml", Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), `rule "t": its regular expressions, wildcards and lists take 10`) {
		t.Errorf("%.300v", err)
	}
	large := "---\ntitle: f%d\nlogsource: {product: linux}\nfilter:\n  rules: [t]\n  sel: {a: " + strings.Repeat("x", 400_000) + "}\n  condition: sel" + strings.Repeat(" or sel", 8) + "\n"
	text = ofSigma("  sel: {a: b}\n  condition: sel\n") + fmt.Sprintf(large, 1)
	if _, err := Compile([]File{{Name: "f.yml", Data: []byte(text)}}); err != nil {
		t.Errorf("%.300v", err)
	}
	text += fmt.Sprintf(large, 2)
	if _, err := Compile([]File{{Name: "f.yml", Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), `with it the rule "t" is 72`) {
		t.Errorf("%.300v", err)
	}
	// One filter of 3 MB is added to each rule.
	text = "title: f\nlogsource: {product: linux}\nfilter:\n  rules: any\n  sel:\n    a:\n" + numbers(400, "      - '"+strings.Repeat("y", 990)+"%d*z'\n") + "  condition: sel\n"
	text += numbers(24, "---\ntitle: t%d\nlogsource: {product: linux}\ndetection:\n  sel: {a: b}\n  condition: sel\n")
	if _, err := Compile([]File{{Name: "f.yml", Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), `f.yml:1: rule "f": with this one, correlations and filters copy more than`) {
		t.Errorf("%.300v", err)
	}
}

// TestCostlyPatternsAreToldOf: a pattern that reads the beginning of a text only loads with a warning.
func TestCostlyPatternsAreToldOf(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"abcd{998}":         "",
		"abcd{1000}e{1000}": "the pattern match is costly: its regular expressions, wildcards and long lists read the first 33470 bytes of a text",
	} {
		set, err := Compile([]File{{Name: "f.yml", Data: []byte(native(`raw.x matches "` + expr + `"`))}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range set.Warnings() {
			if w.Kind == "reads-part" {
				got = w.Message
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
