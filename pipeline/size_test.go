// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/rules"
)

// TestMessagesAreBounded: matches of any sizes come out of the messages as they went in, and every message fits.
func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 50_000, 400_000, maxEntryBytes, 3 << 20}), 0, 30).Draw(t, "sizes")
		var entries []correlate.Entry
		for start := 0; start < len(sizes); {
			n := rapid.IntRange(1, len(sizes)-start).Draw(t, "batch")
			var matches []rules.Match
			for _, size := range sizes[start : start+n] {
				matches = append(matches, rules.Match{Rule: "r", Event: rules.EventRef{About: rules.About(strings.Repeat("x", size))}})
			}
			start += n
			for len(matches) > 0 {
				n := fitting(matches)
				entries = append(entries, correlate.Entry{Matches: &correlate.Matches{Matches: matches[:n]}})
				matches = matches[n:]
			}
		}
		var back []correlate.Entry
		for _, data := range messages(entries) {
			got, err := correlate.DecodeEntries(data, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > 4<<20 { // half of what NATS takes
				t.Errorf("a message of %d bytes has %d entries, the first of %d matches", len(data), len(got), len(got[0].Matches.Matches))
			}
			back = append(back, got...)
		}
		if d := cmp.Diff(entries, back); d != "" {
			t.Errorf("(-in +out):\n%s", d)
		}
	})
}
