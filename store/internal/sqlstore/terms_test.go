// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to int64
		want     []string
	}{
		{"within one", 3*day + 1, 4*day - 1, []string{"day=3"}},
		{"from the first of one to the first of another", 3 * day, 5 * day, []string{"day=3", "day=4", "day=5"}},
		{"both sides of zero", -day, 1, []string{"day=-1", "day=0"}},
		{"too many", 0, 1000 * day, nil},
		{"all there are", math.MinInt64, math.MaxInt64, nil},
	} {
		if diff := cmp.Diff(tt.want, days(tt.from, tt.to)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestStartOfDay(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]int64{0: 0, 1: 0, day: day, 2*day - 1: day, -1: -day, -day: -day, math.MinInt64: math.MinInt64} {
		if got := startOfDay(at); got != want {
			t.Errorf("%d: %d, want %d", at, got, want)
		}
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"u":     "'u':*",
		"ÿñ":    "'ÿñ':*",
		"abc":   "'abc':*",
		"abcd":  "'abcd'",
		"aaaab": "'aaaa' & 'aaab'",
		`o'\xy`: `'''\\xy' & 'o''\\x'`,
	} {
		if got := words(pieces(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
