// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestLagOfPartitions: what waits is about the messages of the partition, not all those of the stream, and never none where one waits
// or nobody would take it.
func TestLagOfPartitions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at         standing
		last, want uint64
	}{
		{standing{seq: 100, owned: true}, 100, 0},
		{standing{seq: 100, owned: true}, 101, 1},
		{standing{seq: 100, owned: true}, 1700, 100},
		{standing{seq: 100, owned: true}, 0, 0}, // all of it was trimmed
		{standing{seq: 100}, 100, 1},
		{standing{seq: 100}, 1700, 100},
	} {
		if got := tt.at.lag(tt.last, 16); got != tt.want {
			t.Errorf("%+v up to %d: %d wait, want %d", tt.at, tt.last, got, tt.want)
		}
	}
}
