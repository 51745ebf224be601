// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestNarrowing: the index is asked for what leaves out incidents.
func TestNarrowing(t *testing.T) {
	t.Parallel()
	all := func(n int, has string) (out [][]bool) {
		for range n {
			i := make([]bool, len(has))
			for n, c := range has {
				i[n] = c == 'x'
			}
			out = append(out, i)
		}
		return out
	}
	for _, tt := range []struct {
		name           string
		found          [][]bool
		always, groups int
		short          bool
		want           []int
	}{
		{"what all have is left out", append(all(90, "xx."), all(10, "xxx")...), -1, 0, false, []int{2}},
		{"a group that most have as well", append(all(80, "x."), all(20, ".x")...), -1, 2, false, []int{1}},
		{"not one that many have", append(all(70, "x."), all(30, ".x")...), -1, 2, false, []int{0, 1}},
		{"nor what the way is of, though all have it", append(all(90, "xx.."), all(10, "xxxx")...), 1, 3, false, []int{1, 2, 3}},
		{"one group at least", append(all(90, "xx"), all(10, "x.")...), -1, 2, false, []int{1}},
		{"no group beside a text that few have", append(all(90, "xx."), all(10, "xxx")...), -1, 2, false, []int{2}},
		{"two that half of them have, not the same", append(all(50, "x."), all(50, ".x")...), -1, 0, false, []int{0, 1}},
		{"two that half of them have, the same", append(all(50, ".."), all(50, "xx")...), -1, 0, false, []int{0}},
		{"one piece at least, if nothing else is asked for", append(all(1, "x."), all(99, "xx")...), -1, 0, false, []int{1}},
		{"all of none", all(100, "..."), -1, 1, false, []int{0, 1, 2}},
		{"a short one beside what none has", all(100, ".."), -1, 1, true, []int{0}},
		{"a short one beside two that none has together", append(all(50, "x.."), all(50, ".x.")...), -1, 2, true, []int{0, 1}},
		{"a short one beside what some have", append(all(10, "x."), all(90, "..")...), -1, 1, true, []int{0, 1}},
		{"a short one beside what all have", all(100, "x."), -1, 1, true, []int{1}},
		{"a short one alone", all(100, "x"), -1, 0, true, []int{0}},
		{"as many as are worth a look", all(100, "................"), -1, 0, false, []int{0, 1, 2, 3, 4, 5, 6, 7}},
	} {
		if diff := gocmp.Diff(tt.want, narrowing(tt.found, tt.always, tt.groups, tt.short)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestSample: of a time that has more than a number has, too.
func TestSample(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ oldest, newest int64 }{{0, 1000}, {-1 << 63, 1<<63 - 1}, {7, 7}} {
		_, args := way{}.sample(tt.oldest, tt.newest)
		at := args[0].([]int64)
		if len(at) != times || at[0] != tt.newest || at[times-1] < tt.oldest || !slices.IsSortedFunc(at, func(a, b int64) int { return cmp.Compare(b, a) }) {
			t.Errorf("from %d to %d: %d", tt.oldest, tt.newest, at)
		}
	}
}
