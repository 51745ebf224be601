// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestListOf: of incidents whose lists are the same, one that gets more leaves the others as they are.
func TestListOf(t *testing.T) {
	t.Parallel()
	seen := make(decoded[[]string])
	var got [2][]string
	for n := range got {
		var err error
		if got[n], err = listOf(seen, "sources", `["a","b","c"]`); err != nil {
			t.Fatal(err)
		}
		got[n] = append(got[n], "of one")
		got[n][3] += string(rune('0' + n))
	}
	if diff := cmp.Diff([2][]string{{"a", "b", "c", "of one0"}, {"a", "b", "c", "of one1"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 2 {
		if _, err := listOf(seen, "sources", "what is none"); err == nil {
			t.Error("what is no list was read")
		}
	}
}

// TestPadded: of any ids a page may have, statements have few numbers of them.
func TestPadded(t *testing.T) {
	t.Parallel()
	numbers := make(map[int]bool)
	var ids []any
	for n := range chunk + 1 {
		got := padded(ids)
		numbers[len(got)] = true
		if diff := cmp.Diff(ids, got[:n]); n > 0 && diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
		for _, id := range got[n:] {
			if id != ids[n-1] {
				t.Errorf("%d: one more is %v", n, id)
			}
		}
		ids = append(ids, n)
	}
	if len(numbers) > 11 {
		t.Errorf("%d numbers of ids", len(numbers))
	}
}
