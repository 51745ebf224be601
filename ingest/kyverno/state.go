// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"encoding/json"
	"fmt"
	"maps"

	"tocsin/event"
)

// stateFormat is the version of an encoded State.
const stateFormat = 1

// Standing is a violation that was told and has not ended (protocols.md 2.5).
type Standing struct {
	// ID is that of the record that told it.
	ID       string      `json:"id"`
	Source   string      `json:"source,omitempty"`
	Policy   string      `json:"policy"`
	Rule     string      `json:"rule,omitempty"`
	Category string      `json:"category,omitempty"`
	Severity string      `json:"severity,omitempty"`
	Result   string      `json:"result"`
	Resource Resource    `json:"resource"`
	Since    event.Stamp `json:"since"`
}

// State is what is remembered of one report (protocols.md 2.5). What passes is not remembered: a result that is not
// there and one that passes are the same to what comes next.
type State struct {
	// Standing are the violations, by key.
	Standing map[string]Standing
	// Step counts the steps, Last is the latest second that one of them had.
	Step uint64
	Last int64
	// Pending are the records of the last step, byte for byte, until they are known to be committed.
	Pending []json.RawMessage
}

type stateJSON struct {
	Format   int                 `json:"format"`
	Standing map[string]Standing `json:"standing,omitempty"`
	Step     uint64              `json:"step"`
	Last     int64               `json:"last,omitempty"`
	Pending  []json.RawMessage   `json:"pending,omitempty"`
}

// clone copies a State as far as a step changes it.
func (s State) clone() State {
	s.Standing = maps.Clone(s.Standing)
	if s.Standing == nil {
		s.Standing = make(map[string]Standing)
	}
	s.Pending = nil
	return s
}

// Encode returns the form in which a State is kept.
func (s State) Encode() ([]byte, error) {
	b, err := json.Marshal(stateJSON{stateFormat, s.Standing, s.Step, s.Last, s.Pending})
	if err != nil {
		return nil, fmt.Errorf("encode the state of a report: %w", err)
	}
	return b, nil
}

// DecodeState reads what Encode wrote; nothing is the State of a report that nobody saw yet.
func DecodeState(b []byte) (State, error) {
	if len(b) == 0 {
		return State{}, nil
	}
	var j stateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return State{}, fmt.Errorf("decode the state of a report: %w", err)
	}
	if j.Format != stateFormat {
		return State{}, fmt.Errorf("decode the state of a report: format %d, want %d", j.Format, stateFormat)
	}
	return State{j.Standing, j.Step, j.Last, j.Pending}, nil
}
