// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"
	"time"
)

// TestUndisturbed: an answer counts if neither the tick before it nor the one after it was slow, and all do where none would be left.
func TestUndisturbed(t *testing.T) {
	t.Parallel()
	took := []time.Duration{40, 30, 20, 10}
	for _, x := range []struct{ ticks, want []time.Duration }{
		{[]time.Duration{10, 10, 10, 10, 10}, []time.Duration{10, 20, 30, 40}},
		{[]time.Duration{10, 14, 10, 15, 10}, []time.Duration{30, 40}},
		{[]time.Duration{99, 10, 10, 10, 99}, []time.Duration{20, 30}},
		{[]time.Duration{10, 99, 10, 99, 10}, took},
	} {
		if got := undisturbed(took, x.ticks); !slices.Equal(got, x.want) {
			t.Errorf("of ticks %v: %v, want %v", x.ticks, got, x.want)
		}
	}
}
