// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"tocsin/event"
	"tocsin/rules"
	"tocsin/stream"
)

// leftOut is what rules took no part in, since their matching ended in a panic.
func (m *Matcher) leftOut(bugs []rules.Bug, rec event.Record) []stream.Quarantined {
	var out []stream.Quarantined
	for _, bug := range bugs {
		m.tell("match", bug.Panic, rec, bug.Rule)
		if bug.Rule != "" {
			out = append(out, stream.Quarantined{
				Record: rec, Reason: "rule_panic", Detail: "it takes no part in the rule " + bug.Rule + ": " + bug.Panic.Error(),
			})
		}
	}
	return out
}

// tell counts a panic, and has the log say once of each place in the code how it came about: who sends one such record can send many.
func (m *Matcher) tell(stage string, bug *event.Panic, rec event.Record, rule string) {
	m.Metrics.Panics.WithLabelValues(stage).Inc()
	m.mu.Lock()
	told := m.bugs[bug.At]
	if m.bugs == nil {
		m.bugs = make(map[string]bool)
	}
	m.bugs[bug.At] = true
	m.mu.Unlock()
	if !told {
		m.Log.Error("a record runs into a fault of ours and is in quarantine; others like it are not logged",
			"stage", stage, "input", rec.Input, "source", rec.Source, "rule", rule, "err", bug, "stack", string(bug.Stack))
	}
}
