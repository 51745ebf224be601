// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSpansAreTheirSightings: stretches say of any time what the sightings that they are made of say, in whatever order these
// came, and a stretch is forgotten as a whole.
func TestSpansAreTheirSightings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gap := rapid.Int64Range(1, 6).Draw(t, "gap")
		times := rapid.SliceOfN(rapid.Int64Range(0, 60), 0, 12).Draw(t, "times")
		var s spans
		for _, x := range times {
			s = s.add(x, gap)
		}
		slices.Sort(times)
		var want spans
		for _, x := range times {
			if n := len(want); n > 0 && x-want[n-1].to <= gap {
				want[n-1].to = x
			} else {
				want = append(want, span{x, x})
			}
		}
		if !slices.Equal(s, want) {
			t.Fatalf("gap %d: %v make %v, want %v", gap, times, s, want)
		}
		at := rapid.Int64Range(-5, 70).Draw(t, "at")
		seen := slices.ContainsFunc(times, func(x int64) bool { return x < at && at-x <= gap })
		if s.before(at, gap) != seen {
			t.Fatalf("gap %d: %v, before %d: %t, want %t", gap, times, at, s.before(at, gap), seen)
		}
		want = slices.DeleteFunc(want, func(x span) bool { return x.to < at })
		if s = s.forget(at); !slices.Equal(s, want) {
			t.Fatalf("forgotten up to %d: %v, want %v", at, s, want)
		}
	})
}
