// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"strings"
	"testing"

	"tocsin/event"
)

// TestGuardSaysWhere: whatever ends a call is returned with the line that it came from, twice the same.
func TestGuardSaysWhere(t *testing.T) {
	t.Parallel()
	var nothing *event.Event
	for name, fn := range map[string]func(){
		"said":    func() { panic("so") },
		"runtime": func() { _ = nothing.Time },
		"index":   func() { _ = []int(nil)[len(name(nothing))] },
	} {
		p, again := event.Guard(fn), event.Guard(fn)
		if p == nil || !strings.HasPrefix(p.At, "tocsin/event_test.TestGuardSaysWhere.func") || p.Error() != again.Error() {
			t.Errorf("%s: %v, then %v", name, p, again)
		}
	}
	if p := event.Guard(func() {}); p != nil {
		t.Errorf("nothing happened: %v", p)
	}
}

func name(*event.Event) string { return "" }
