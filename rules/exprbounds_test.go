// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"strings"
	"testing"

	"tocsin/rules"
)

// TestBoundsOfExpressions: what an expression and a condition can cost is bounded at load (P5), and no narrower than it says.
func TestBoundsOfExpressions(t *testing.T) {
	t.Parallel()
	const text = 64 << 10 // bytes of an expression
	pattern := func(expr string) string { return one("match: |\n  " + expr + "\nby: []") }
	among := func(n int) string { return pattern(`user.name in [` + strings.Repeat(`"a", `, n-1) + `"a"]`) }
	long := func(bytes int) string {
		head := `user.name == "`
		return head + strings.Repeat("x", bytes-len(head)-1) + `"`
	}
	except := func(bytes int) string {
		return pattern("exists(user.name)") + "\nexcept:\n  - {reason: r, owner: o, expires: 2027-01-01, when: '" + long(bytes) + "'}"
	}
	when := func(cond string) string {
		return one("match: {a: exists(user.name), b: exists(host.name)}\nwhen: a and b and " + cond + "\nby: []\nwithin: 1m")
	}
	for name, tc := range map[string]struct{ within, beyond, want string }{
		"nodes":              {among(1990), among(2000), "node"},
		"bytes of a literal": {pattern(long(text)), pattern(long(text + 1)), "longer than 65536 bytes"},
		"an exception":       {except(text), except(text + 1), "longer than 65536 bytes"},
		"repeat":             {when("sequence(repeat(a, 1000))"), when("sequence(repeat(a, 1001))"), "between 1 and 1000"},
		"steps":              {when("sequence(repeat(a, 500), repeat(b, 500))"), when("sequence(repeat(a, 500), repeat(b, 501))"), "at most 1000 steps"},
		"distinct":           {when("distinct(a, user.name) >= 10000"), when("distinct(a, user.name) >= 10001"), "at most 10000"},
	} {
		if _, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(tc.within)}}); err != nil {
			t.Errorf("%s: what is within the bound does not load: %.300v", name, err)
		}
		if _, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(tc.beyond)}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: beyond the bound the error is %.300v, want one that has %q", name, err, tc.want)
		}
	}
}
