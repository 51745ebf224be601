// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"pgregory.net/rapid"
)

// TestYAMLBounds: what is at a bound is read, and one more is refused with its line.
func TestYAMLBounds(t *testing.T) {
	t.Parallel()
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, tc := range map[string]struct {
		most int
		// text has n of what is bounded.
		text func(n int) string
		want string
		line func(n int) int
	}{
		"bytes":         {MaxFile, func(n int) string { return "a: " + strings.Repeat("x", n-3) }, "at most 1048576 bytes, this one has more", func(int) int { return 1 }},
		"documents":     {maxDocuments, func(n int) string { return many(n, "---\na%d: b\n") }, "at most 1000 documents", func(n int) int { return 2*n - 1 }},
		"keys":          {maxYAMLKeys, func(n int) string { return many(n, "k%d: v\n") }, "at most 5000 keys", func(n int) int { return n }},
		"values":        {maxYAMLTokens/2 - 1, func(n int) string { return "a:\n" + strings.Repeat("- b\n", n) }, "at most 60000 keys, values and signs", func(n int) int { return n + 1 }},
		"flow":          {maxYAMLDepth, func(n int) string { return "\n" + strings.Repeat("[", n) + strings.Repeat("]", n) }, "nested deeper than 100", func(int) int { return 2 }},
		"flow of maps":  {maxYAMLDepth, func(n int) string { return strings.Repeat("{a: ", n) + strings.Repeat("}", n) }, "nested deeper than 100", func(int) int { return 1 }},
		"indents":       {maxYAMLDepth, func(n int) string { return indents(n, "a:\n") + "b" }, "nested deeper than 100", func(n int) int { return n }},
		"compact lists": {maxYAMLDepth, func(n int) string { return strings.Repeat("- ", n) + "a" }, "nested deeper than 100", func(int) int { return 1 }},
		"lists in maps": {maxYAMLDepth / 2, func(n int) string { return lists(n) }, "nested deeper than 100", func(n int) int { return 2*n - 1 }},
		"tags":          {maxYAMLDepth, func(n int) string { return strings.Repeat("!t ", n) + "a" }, "nested deeper than 100", func(int) int { return 1 }},
		"anchors":       {maxYAMLDepth, func(n int) string { return strings.Repeat("&x\n", n) + "a" }, "nested deeper than 100", func(n int) int { return n }},
		"long keys": {maxYAMLPaths/200_000 - 1, func(n int) string {
			return strings.Repeat("k", 100_000) + ": [" + strings.Repeat("\na,", n)
		}, "too long for how many values", func(n int) int { return n + 1 }},
	} {
		at, over := tc.text(tc.most), tc.text(tc.most+1)
		if _, err := tokens([]byte(at)); err != nil {
			t.Errorf("%s: %d are refused: %v", name, tc.most, err)
		}
		_, err := tokens([]byte(over))
		e, ok := errors.AsType[*boundError](err)
		if !ok || !strings.Contains(e.what, tc.want) {
			t.Errorf("%s: %d give %v, want %s", name, tc.most+1, err, tc.want)
		} else if want := tc.line(tc.most + 1); e.line != want {
			t.Errorf("%s: the error is in line %d, want %d", name, e.line, want)
		}
	}
}

func indents(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + line)
	}
	return b.String()
}

// lists nests mappings and sequences that begin in the same column.
func lists(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + "a:\n" + strings.Repeat("  ", i) + "- \n")
	}
	return b.String()
}

// depthOf is how deep the parser's own tree is.
type depthOf struct {
	depth int
	most  *int
}

func (d depthOf) Visit(ast.Node) ast.Visitor {
	d.depth++
	*d.most = max(*d.most, d.depth)
	return d
}

// TestYAMLDepth: whatever the parser reads, it goes only as deep as was counted before.
func TestYAMLDepth(t *testing.T) {
	t.Parallel()
	pieces := []string{"[", "[", "{", "]", "}", ",", "- ", "- ", "-\n", "? ", "?\n", ": ", ":\n", "a", "b: ", "c:\n", "\n", " ", "  ", "&x ", "*x ", "!t ", "|\n", "'q'", `"d"`, "---\n", "...\n", "# c\n", "<<: "}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 60).Draw(t, "text"), "")
		f, err := parseYAML([]byte(text))
		if err != nil {
			return
		}
		all, err := tokens([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var x yamlExtent
		counted := 0
		for _, tk := range all {
			x.beyond(tk)
			counted = max(counted, len(x.open)+x.marks)
		}
		most := 0
		for _, d := range f.Docs {
			if d.Body != nil {
				ast.Walk(depthOf{0, &most}, d.Body)
			}
		}
		// A mapping is two of the parser's nodes, a value another; an anchor and its name are two.
		if most > 3*counted+3 {
			t.Fatalf("%q is %d deep for the parser, and %d was counted", text, most, counted)
		}
	})
}

// TestYAMLAliasesAreNotFilledIn: what aliases would make large is refused, not made.
func TestYAMLAliasesAreNotFilledIn(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("title: t\nlogsource: {product: linux}\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n")
	for i := 1; i <= 12; i++ {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 10), ", "))
	}
	for doc, want := range map[string]string{
		b.String() + "detection:\n  sel: {f: *x12}\n  condition: sel\n":         "f.yml:17: rule \"t\": f: a value is a text",
		b.String() + "detection:\n  sel: {<<: *x12}\n  condition: sel\n":        "f.yml:17: rule \"t\": <<: a value is a text",
		b.String() + "detection:\n  sel: {f: [*x1, b]}\n  condition: sel\n":     "f.yml:17: rule \"t\": f: a value is a text",
		"rule: r\ntitle: &t x\nseverity: low\nmatch: exists(raw.x)\nby: [*t]\n": "f.yml:2: rule \"r\": title: YAML anchors and aliases are not used here",
	} {
		if _, err := Compile([]File{{Name: "f.yml", Data: []byte(doc)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
