// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"tocsin/event"
	"tocsin/rules/pred"
)

// exception is a known good, up to the end of a day (E2).
type exception struct {
	covers  pred.Node
	expires int64
}

// excepts reports whether an exception of the rule covers an event (E1).
func (m *matcher) excepts(e *event.Event) bool { return m.exceptionFor(e) >= 0 }

// exceptionFor returns the place of the exception that covers an event, -1 if none does.
func (m *matcher) exceptionFor(e *event.Event) int {
	for i, x := range m.exceptions {
		if e.Time <= x.expires && pred.Eval(x.covers, e) {
			return i
		}
	}
	return -1
}

// barred says which of the rules above the one at a site leaves an event out: how many references up the nearest is, 0 if
// none does. The event takes part in the rule at the site all the same, which is a copy of what somebody else may have
// written for other ends: that it fires there is no match of the one that leaves it out.
func (at *site) barred(e *event.Event) int {
	for up := 1; up <= len(at.path); up++ {
		if at.top.at(at.path[:len(at.path)-up]).matcher.excepts(e) {
			return up
		}
	}
	return 0
}
