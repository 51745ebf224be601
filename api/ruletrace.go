// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// RuleTrace is what a rule makes of a few events, moment by moment. Times are seconds after the start of a test.
type RuleTrace struct {
	// Rule and Test are what was traced; there is no test where events were given.
	Rule string `json:"rule"`
	Test string `json:"test,omitempty"`
	// Within is the rule's, Lateness what an event may come late, in seconds.
	Within   float64 `json:"within"`
	Lateness float64 `json:"lateness"`
	// Moments are each arrival, and each clock at which something changes by time alone.
	Moments []TraceMoment `json:"moments"`
	// Keys is how many keys the events have: the first fifty are told of.
	Keys int `json:"keys"`
	// Stopped says what ended the trace before it was over.
	Stopped string `json:"stopped,omitempty" enum:"moments,time"`
}

// TraceMoment has what changed since the moment before.
type TraceMoment struct {
	Clock float64 `json:"clock"`
	// Event is what arrived; without one time alone has passed.
	Event      *TraceEvent      `json:"event,omitempty"`
	Keys       []TraceKey       `json:"keys"`
	Detections []TraceDetection `json:"detections"`
}

// TraceEvent is an event on arrival, and what the rule sees in it.
type TraceEvent struct {
	// Place is the event's among those given, from 1.
	Place int     `json:"place"`
	ID    string  `json:"id"`
	At    float64 `json:"at"`
	// Late: it came later than the lateness allows.
	Late    bool         `json:"late"`
	Matches []TraceMatch `json:"matches"`
	// Excepted is the exception that leaves the event out; Missing are the parts of the key that it lacks.
	Excepted *TraceException `json:"excepted,omitempty"`
	Missing  []string        `json:"missing,omitempty"`
}

// TraceMatch is the patterns of a rule that match an event, for one key.
type TraceMatch struct {
	// Rule is the traced one, or one that it refers to.
	Rule     string         `json:"rule"`
	Key      map[string]any `json:"key"`
	Patterns []string       `json:"patterns"`
}

// TraceException is why an event is left out.
type TraceException struct {
	When   string `json:"when"`
	Reason string `json:"reason"`
	Owner  string `json:"owner"`
}

// TraceKey is how far a key came.
type TraceKey struct {
	// Number counts the keys as they come, from 1.
	Number int            `json:"number"`
	Key    map[string]any `json:"key"`
	Steps  []NearStep     `json:"steps"`
	// From and To bound the window that the steps are about; Events are the places of those in it.
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Events []int   `json:"events"`
	// Due is the clock at which what holds and waits is decided.
	Due *float64 `json:"due,omitempty"`
	// Closed: no event that comes on time joins those that there are.
	Closed bool `json:"closed"`
}

// TraceDetection is a detection as it stands at a moment.
type TraceDetection struct {
	ID         string         `json:"id"`
	Key        map[string]any `json:"key"`
	First      float64        `json:"first"`
	Last       float64        `json:"last"`
	EventCount int64          `json:"event_count"`
	// Events are the places of its evidence.
	Events []int `json:"events"`
	// State: it stands and can change, no event that comes on time can change it, it was contradicted, or joined into another one.
	State string `json:"state" enum:"open,settled,retracted,joined"`
}

// TraceQuery is what is traced: a rule of a file, with one of its tests or with events.
type TraceQuery struct {
	Text, Rule, Test string
	// Events are as those of a test, each as JSON; with none it is the test.
	Events [][]byte
}

// BadTraceError says why a rule cannot be followed.
type BadTraceError struct {
	// Location is where in the request.
	Location string
	Message  string
}

func (e *BadTraceError) Error() string { return e.Message }

func (s *server) registerRuleTrace(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: traceRule, Method: http.MethodPost, Path: "/api/v1/rules/trace", Summary: "Follow a rule through a few events",
		Description: "The engine itself, one moment after the other: each arrival, and each clock at which something changes by time alone. With `events` they are as those of a test " +
			"(`at`, `arrives`, canonical fields or a record under its source's name); without, it is the test with the name, or the rule's first. Nothing is kept. It takes turns with checks, " +
			"has five seconds, at most 200 events and 500 moments, and says so where that ends it.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Text   string                       `json:"text" maxLength:"262144" doc:"rule file: one rule or several, as YAML"`
			Rule   string                       `json:"rule,omitempty" maxLength:"200" doc:"id of the rule; else the first in the file"`
			Test   string                       `json:"test,omitempty" maxLength:"1000" doc:"name of one of its tests"`
			Events []map[string]json.RawMessage `json:"events,omitempty" maxItems:"200" doc:"events as those of a test"`
		}
	}) (*one[RuleTrace], error) {
		q := TraceQuery{Text: in.Body.Text, Rule: in.Body.Rule, Test: in.Body.Test}
		for _, e := range in.Body.Events {
			b, err := json.Marshal(e)
			if err != nil {
				return nil, problem(http.StatusUnprocessableEntity, "an event is no JSON")
			}
			q.Events = append(q.Events, b)
		}
		out, err := s.Backend.TraceRule(ctx, q)
		if err != nil {
			return nil, untraced(err)
		}
		return &one[RuleTrace]{out}, nil
	})
}

// untraced says what is wrong with what was to be traced.
func untraced(err error) error {
	if bad, ok := errors.AsType[*BadRulesError](err); ok {
		m := problem(http.StatusUnprocessableEntity, "the rule is wrong: "+strings.Join(bad.Mistakes[:min(1, len(bad.Mistakes))], ""))
		for _, mistake := range bad.Mistakes {
			m.Errors = append(m.Errors, &huma.ErrorDetail{Message: mistake, Location: "body.text"})
		}
		return m
	}
	if bad, ok := errors.AsType[*BadTraceError](err); ok {
		m := problem(http.StatusUnprocessableEntity, bad.Message)
		m.Errors = []*huma.ErrorDetail{{Message: bad.Message, Location: bad.Location}}
		return m
	}
	return unwell(err)
}
