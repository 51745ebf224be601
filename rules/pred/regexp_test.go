// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"slices"
	"testing"
)

// TestRequired: what an index may look for, in lower case, in the lower case of a text that an expression matches.
func TestRequired(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`System`:             {"System"},
		`(?i)cmd\.exe`:       {"cmd.exe"},
		`(?i)system`:         {"system", "syſtem", "ſystem", "ſyſtem"},
		`(?i)\x{212a}elvin`:  {"kelvin"},
		`\x{212a}elvin`:      {"\u212aelvin"},
		`(?i)abcσ`:           {"abcς", "abcσ"},
		`(?i)abcdkk`:         {"abcdkk"},
		`(?i)abcdssssss`:     {"abcdsss", "abcdssſ", "abcdsſs", "abcdsſſ", "abcdſss", "abcdſsſ", "abcdſſs", "abcdſſſ"},
		`(?i)ssss`:           {"sss", "ssſ", "sſs", "sſſ", "ſss", "ſsſ", "ſſs", "ſſſ"},
		`arp\s+-a`:           {"arp"},
		`a+`:                 {"a"},
		`a*|[bc]`:            nil,
		`abc|[bc]`:           nil,
		`ab.*cdef`:           {"cdef"},
		`cdef.*ab`:           {"cdef"},
		`(ab){2,}`:           {"ab"},
		`(ab){0,2}`:          nil,
		`(abcd|efghi)[0-9]+`: {"abcd", "efghi"},
	} {
		got := required(expr)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
