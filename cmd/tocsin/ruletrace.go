// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/api"
	"tocsin/pipeline"
	"tocsin/rules"
)

func (b backend) TraceRule(ctx context.Context, q api.TraceQuery) (api.RuleTrace, error) {
	ctx, release, err := b.checkTurn(ctx)
	if err != nil {
		return api.RuleTrace{}, err
	}
	defer release()
	return tracePosted(ctx, b.n.cfg, q, b.n.sets.Current().Files, b.n.parser)
}

// tracePosted follows a rule of a file that was posted through one of its tests, or through events, until ctx ends.
func tracePosted(ctx context.Context, cfg Config, q api.TraceQuery, files []rules.File, parser pipeline.Parser) (api.RuleTrace, error) {
	set, wrong := compilePosted(q.Text, files)
	if len(wrong) > 0 {
		bad := &api.BadRulesError{}
		for _, err := range wrong {
			bad.Mistakes = append(bad.Mistakes, cut(err.Error()))
		}
		return api.RuleTrace{}, bad
	}
	r := set.Rules[0]
	if q.Rule != "" {
		if r = set.ByID(q.Rule); r == nil {
			return api.RuleTrace{}, &api.BadTraceError{Location: "body.rule", Message: fmt.Sprintf("no rule of the text is called %q", q.Rule)}
		}
	}
	test, err := tracedTest(r, q)
	if err != nil {
		return api.RuleTrace{}, err
	}
	found, err := pipeline.TraceRule(ctx, set, r, test, parser, cfg.Lateness)
	if bad, ok := errors.AsType[*pipeline.TestEventError](err); ok {
		out := &api.BadTraceError{Location: fmt.Sprintf("body.events[%d]", bad.Place-1), Message: cut(err.Error())}
		if line := test.Events[bad.Place-1].Line; line > 0 {
			out.Location, out.Message = "body.text", fmt.Sprintf("line %d: %s", line, out.Message)
		}
		return api.RuleTrace{}, out
	}
	if err != nil {
		return api.RuleTrace{}, &api.BadTraceError{Location: "body", Message: cut(err.Error())}
	}
	return viewTrace(r, test.Name, cfg.Lateness, found), nil
}

// tracedTest is the events that were given, as a test of them, or the test that is asked for.
func tracedTest(r *rules.Rule, q api.TraceQuery) (rules.Test, error) {
	if len(q.Events) > 0 {
		var t rules.Test
		for i, e := range q.Events {
			te, err := rules.ReadTestEvent(e)
			if err != nil {
				return t, &api.BadTraceError{Location: fmt.Sprintf("body.events[%d]", i), Message: fmt.Sprintf("event %d: %s", i+1, cut(err.Error()))}
			}
			t.Events = append(t.Events, te)
		}
		return t, nil
	}
	for _, t := range r.Tests {
		if q.Test == "" || t.Name == q.Test {
			return t, nil
		}
	}
	return rules.Test{}, &api.BadTraceError{Location: "body.test", Message: fmt.Sprintf("line %d: rule %q has no test %q", r.Line, r.ID, q.Test)}
}

func viewTrace(r *rules.Rule, test string, lateness time.Duration, t pipeline.Trace) api.RuleTrace {
	out := api.RuleTrace{Rule: r.ID, Test: test, Within: r.Within.Seconds(), Lateness: lateness.Seconds(), Moments: []api.TraceMoment{}, Keys: t.Keys, Stopped: t.Stopped}
	for _, m := range t.Moments {
		v := api.TraceMoment{Clock: m.Clock.Seconds(), Event: viewTraced(m.Event), Keys: []api.TraceKey{}, Detections: []api.TraceDetection{}}
		for _, k := range m.Keys {
			key := api.TraceKey{Number: k.Number, Key: keyOf(r, k.Key), Steps: []api.NearStep{}, From: k.From.Seconds(), To: k.To.Seconds(), Events: listed(k.Events), Closed: k.Closed}
			for _, s := range k.Steps {
				key.Steps = append(key.Steps, api.NearStep(s))
			}
			if k.Due != nil {
				due := k.Due.Seconds()
				key.Due = &due
			}
			v.Keys = append(v.Keys, key)
		}
		for _, d := range m.Detections {
			v.Detections = append(v.Detections, api.TraceDetection{ID: d.ID, Key: keyOf(r, d.Key), First: d.First.Seconds(), Last: d.Last.Seconds(),
				EventCount: d.EventCount, Events: listed(d.Events), State: stateOf(d)})
		}
		out.Moments = append(out.Moments, v)
	}
	return out
}

func viewTraced(e *pipeline.TracedEvent) *api.TraceEvent {
	if e == nil {
		return nil
	}
	v := &api.TraceEvent{Place: e.Place, ID: e.ID, At: e.Time.Seconds(), Late: e.Late, Matches: []api.TraceMatch{}, Missing: e.Missing}
	for _, m := range e.Matches {
		v.Matches = append(v.Matches, api.TraceMatch{Rule: m.Rule.ID, Key: keyOf(m.Rule, m.Key), Patterns: m.Patterns})
	}
	if x := e.Excepted; x != nil {
		v.Excepted = &api.TraceException{When: x.When, Reason: x.Reason, Owner: x.Owner}
	}
	return v
}

func stateOf(d pipeline.TracedDetection) string {
	switch {
	case d.Gone:
		return "joined"
	case d.Retracted != nil:
		return "retracted"
	case d.Settled:
		return "settled"
	}
	return "open"
}

// listed is a list that is there, if only empty.
func listed(places []int) []int {
	if places == nil {
		return []int{}
	}
	return places
}
