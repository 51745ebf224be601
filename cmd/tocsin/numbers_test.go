// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"tocsin/correlate"
)

// TestEveryNumberOfARuleIsPublic: what an engine counts of a rule is in the API.
func TestEveryNumberOfARuleIsPublic(t *testing.T) {
	t.Parallel()
	var s correlate.Stats
	n := int64(0)
	for name, v := range reflect.ValueOf(&s).Elem().Fields() {
		if v.CanInt() {
			n++
			v.SetInt(n)
			if got := publicNumbers(s); !slices.Contains(slices.Collect(maps.Values(got)), n) {
				t.Errorf("%s is not among %v", name.Name, got)
			}
		}
	}
	if n == 0 {
		t.Error("there are no numbers")
	}
}
