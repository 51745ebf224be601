// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"strings"
	"testing"

	"tocsin/rules"
)

// TestMistakesHaveTheirPlace: a mistake is told of where it is, in whatever form of YAML it is written.
func TestMistakesHaveTheirPlace(t *testing.T) {
	t.Parallel()
	const head = "rule: x\ntitle: X\nseverity: low\n"
	tests := []struct {
		name, text   string
		line, column int
	}{
		{"a plain expression", head + "match: exists(usr.name)\n", 4, 15},
		{"one in quotes", head + "match: \"exists(usr.name)\"\n", 4, 16},
		{"one of several", head + "match:\n  a: exists(user.name)\n  b: event.action == \"ä\" and exists(usr.name)\nwhen: a and b\nwithin: 1m\n", 6, 37},
		{"a block", head + "match: |\n  exists(user.name) and\n    not exists(usr.name)\n", 6, 16},
		{"one that is folded has the place of its value", head + "match: >\n  exists(user.name)\n  and exists(usr.name)\n", 4, 8},
		{"a condition", head + "match: {a: exists(user.name), b: exists(host.name)}\nwhen: a and and b\nwithin: 1m\n", 5, 13},
		{"an exception", head + "match: exists(user.name)\nexcept:\n  - {when: exists(usr.name), reason: r, owner: o, expires: 2027-01-01}\n", 6, 19},
		{"a key", head + "mtch: exists(user.name)\n", 4, 1},
		{"a value", "rule: x\ntitle: X\nseverity: lo\nmatch: exists(user.name)\n", 3, 11},
		{"no YAML", head + "match: [exists(user.name)\n", 4, 8},
		{"a key that is missing has a line alone", "rule: x\nseverity: low\nmatch: exists(user.name)\n", 1, 0},
		{"an expression of one line in each of two documents", head + "match: exists(user.name)\n---\n" + head + "match: exists(usr.name)\n", 9, 15},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, errs := rules.CompileLenient([]rules.File{{Name: "x.yml", Data: []byte(tt.text)}})
			for _, err := range errs {
				if e, ok := errors.AsType[*rules.Error](err); ok && e.Line == tt.line && e.Column == tt.column {
					return
				}
			}
			for _, err := range errs {
				e, _ := errors.AsType[*rules.Error](err)
				t.Errorf("%d:%d %v, want %d:%d", e.Line, e.Column, err, tt.line, tt.column)
			}
			if len(errs) == 0 {
				t.Error("it compiles")
			}
		})
	}
}

// TestSourceIsTheDocument of a rule, with its comments, and nothing of its neighbours.
func TestSourceIsTheDocument(t *testing.T) {
	t.Parallel()
	docs := []string{
		"# About a.\nrule: a\ntitle: A\nseverity: low\nmatch: |\n  exists(user.name)\n",
		"\n# About b.\nrule: b\ntitle: B\nseverity: low\nmatch: exists(host.name)\n",
		"rule: c\ntitle: C\nseverity: low\nmatch: exists(host.name)",
	}
	set, err := rules.Compile([]rules.File{{Name: "x.yml", Data: []byte(strings.Join(docs, "--- # next\n"))}, {Name: "y.yml", Data: []byte("---\n" + strings.Replace(docs[2], "rule: c", "rule: d", 1))}})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"a", "b", "c"} {
		if text, _ := set.Source(set.ByID(id)); text != docs[i] {
			t.Errorf("%s is %q, want %q", id, text, docs[i])
		}
	}
	if text, line := set.Source(set.ByID("d")); !strings.HasPrefix(text, "rule: d") || line != 2 {
		t.Errorf("d is %q, in line %d", text, line)
	}
}
