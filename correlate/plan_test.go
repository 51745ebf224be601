// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"strings"
	"testing"

	"tocsin/correlate"
	"tocsin/rules"
)

// TestAlternativesAreBounded: a condition has 64 alternatives at most, however it is written (P5).
func TestAlternativesAreBounded(t *testing.T) {
	t.Parallel()
	either := func(n int) string { return strings.Repeat("(a or b) and ", n-1) + "(a or b)" }
	for cond, want := range map[string]string{
		either(6): "", either(7): "more than 64 alternatives",
		"not (" + strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(either(7), "or", "&"), "and", "or"), "&", "and") + ")": "more than 64 alternatives",
	} {
		set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(
			"rule: r\ntitle: t\nseverity: low\nmatch: {a: exists(user.name), b: exists(host.name)}\nby: []\nwithin: 1m\nwhen: " + cond)}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := correlate.Check(set.Rules[0]); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", cond, got, want)
		}
	}
}
