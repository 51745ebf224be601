// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNarrowing: of a text the index is asked for what leaves out incidents.
func TestNarrowing(t *testing.T) {
	t.Parallel()
	all := func(n int, grouped bool, has ...int64) (out []walked) {
		for range n {
			out = append(out, walked{grouped, has})
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		pieces  []string
		found   []walked
		grouped bool
		want    []int
	}{
		{"what all have is left out", []string{"use", "ser", "r-7"}, append(all(90, true, 0, 1), all(10, true, 0, 1, 2)...), true, []int{2}},
		{"two that half of them have, not the same", []string{"abc", "bcd"}, append(all(50, true, 0), all(50, true, 1)...), true, []int{0, 1}},
		{"two that half of them have, the same", []string{"abc", "bcd"}, append(all(50, true), all(50, true, 0, 1)...), true, []int{0}},
		{"one at least, if nothing else is asked for", []string{"use", "ser"}, append(all(1, true, 0), all(99, true, 0, 1)...), false, []int{1}},
		{"all of none", []string{"use", "ser"}, all(100, false), true, []int{0, 1}},
		{"a short one beside what none has", []string{"7"}, all(100, false), true, nil},
		{"a short one beside what some have", []string{"7"}, all(100, true), true, []int{0}},
		{"a short one alone", []string{"7"}, all(100, true, 0), false, []int{0}},
		{"as many as are worth a look", make([]string, 2*narrowest), all(100, true), true, []int{0, 1, 2, 3, 4, 5, 6, 7}},
	} {
		if diff := cmp.Diff(tt.want, narrowing(tt.pieces, tt.found, tt.grouped)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
