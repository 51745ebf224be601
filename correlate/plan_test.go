// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
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

// TestRetentionIsBounded: rules that refer to each other, each over a year, would have their events kept for centuries.
func TestRetentionIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for n, match := range []string{"exists(user.name)", `detection("r0")`, `detection("r1")`, `detection("r2")`, `detection("r3")`, `detection("r4")`} {
		fmt.Fprintf(&b, "---\nrule: r%d\ntitle: t\nseverity: low\nmatch: {a: '%s', b: exists(host.name)}\nby: []\nwithin: 366d\nwhen: a and not b\n", n, match)
	}
	set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(b.String())}})
	if err != nil {
		t.Fatal(err)
	}
	for n, r := range set.Rules {
		err := correlate.Check(r)
		if refused := n >= 3; refused != (err != nil) || refused && !strings.Contains(err.Error(), "the limit is 9125 days") {
			t.Errorf("%s: %v", r.ID, err)
		}
	}
}
