// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/ingest"
	"tocsin/rules"
)

const tracedRule = `rule: seen
title: Seen
severity: low
match: {login: event.action == "login"}
when: count(login) >= 2
by: [user.name]
within: 1m
tests:
  - {name: two, events: [{at: 0s, event.action: login, user.name: ana}, {at: 10s, event.action: login, user.name: ana}], expect: [{count: 2}]}
  - {name: of a source, events: [{at: 0s, audit: {a: 1}}], expect: []}
`

// TestRuleTrace: a test of what is written is followed, and so are events; what is wrong is told with where.
func TestRuleTrace(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{writeFile(t, "r.yml", benchRules)} })
	var out api.RuleTrace
	if code := s.ask(t, http.MethodPost, "/api/v1/rules/trace", map[string]any{"text": tracedRule}, &out); code != 200 || out.Test != "two" || len(out.Moments) != 3 {
		t.Fatalf("%d %+v", code, out)
	}
	m := out.Moments[1]
	if m.Clock != 10 || m.Event.Place != 2 || m.Event.Matches[0].Patterns[0] != "login" || m.Keys[0].Steps[0].Have != 2 || m.Keys[0].From != -50 ||
		m.Detections[0].State != "open" || m.Detections[0].Key["user.name"] != "ana" || len(m.Detections[0].Events) != 2 {
		t.Errorf("%+v", m)
	}
	if last := out.Moments[2]; last.Event != nil || last.Detections[0].State != "settled" || !last.Keys[0].Closed || last.Clock < 70 {
		t.Errorf("%+v", last)
	}
	events := []map[string]any{{"at": "0s", "event.action": "login", "user.name": "ben"}, {"at": "5s", "arrives": "9s", "event.action": "other", "user.name": "ben"}}
	out = api.RuleTrace{}
	if code := s.ask(t, http.MethodPost, "/api/v1/rules/trace", map[string]any{"text": tracedRule, "events": events}, &out); code != 200 || out.Test != "" ||
		len(out.Moments) != 3 || out.Moments[1].Clock != 9 || len(out.Moments[1].Event.Matches) != 0 {
		t.Errorf("%d %+v", code, out)
	}
	for name, tc := range map[string]struct {
		body map[string]any
		want string
	}{
		"a rule that is wrong": {map[string]any{"text": strings.Replace(tracedRule, "login)", "logout)", 1)}, "posted.yml:5:"},
		"no such rule":         {map[string]any{"text": tracedRule, "rule": "other"}, `no rule of the text is called "other"`},
		"no such test":         {map[string]any{"text": tracedRule, "test": "three"}, `has no test "three"`},
		"an event of it":       {map[string]any{"text": tracedRule, "test": "of a source"}, "line 10: event 1"},
		"a field":              {map[string]any{"text": tracedRule, "events": []map[string]any{{}, {"usr.name": "x"}}}, `event 2: unknown field "usr.name" (did you mean`},
		"too many":             {map[string]any{"text": tracedRule, "events": make([]map[string]any, 201)}, "events"},
	} {
		var p struct {
			Detail string
			Errors []struct{ Message, Location string }
		}
		code := s.ask(t, http.MethodPost, "/api/v1/rules/trace", tc.body, &p)
		said := p.Detail
		for _, e := range p.Errors {
			said += " " + e.Location + ": " + e.Message
		}
		if code != 422 || !strings.Contains(said, tc.want) || !strings.Contains(said, "body.") {
			t.Errorf("%s: %d %s", name, code, said)
		}
	}
	var audit struct{ Items []struct{ Operation string } }
	s.ask(t, http.MethodGet, "/api/v1/audit", nil, &audit)
	for _, e := range audit.Items {
		if e.Operation == "trace-rule" {
			t.Error("a trace is in the audit log")
		}
	}
}

// TestTracesTakeTurns with checks, and end with who asked.
func TestTracesTakeTurns(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := backend{&node{checking: make(chan struct{}, 1)}}
	b.n.checking <- struct{}{}
	if _, err := b.TraceRule(ctx, api.TraceQuery{}); !errors.Is(err, api.ErrBusy) {
		t.Errorf("%v", err)
	}
	out, err := tracePosted(ctx, Config{Lateness: time.Minute}, api.TraceQuery{Text: tracedRule}, []rules.File{}, ingest.NewParser(ingest.ParserConfig{}))
	if err != nil || out.Stopped != "time" {
		t.Errorf("%v %+v", err, out)
	}
}
