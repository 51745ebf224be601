// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/api"
	"tocsin/ingest"
	"tocsin/rules"
)

const benchRules = `# Who logs in.
rule: seen
title: Seen
severity: low
match: exists(user.name)
by: [user.name]
---
rule: other
title: Other
severity: low
match: exists(host.name)
`

func (s *serving) ask(t *testing.T, method, path string, body, into any) int {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.node.api.Addr().String()+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

// TestRuleBench: what is written is told of as the command line tells of it, its tests are run, and it is compared with what is in force.
func TestRuleBench(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{writeFile(t, "r.yml", benchRules)} })
	for n := range 5 {
		s.post(numbered(n))
	}
	var src api.RuleSource
	if code := s.ask(t, http.MethodGet, "/api/v1/rules/other/source", nil, &src); code != 200 || src.Line != 8 || !strings.HasPrefix(src.Text, "rule: other\n") {
		t.Errorf("%d %+v", code, src)
	}
	if code := s.ask(t, http.MethodGet, "/api/v1/rules/none/source", nil, nil); code != 404 {
		t.Errorf("the source of none: %d", code)
	}
	s.ask(t, http.MethodGet, "/api/v1/rules/seen/source", nil, &src)
	check := func(text string) (c api.RuleCheck) {
		if code := s.ask(t, http.MethodPost, "/api/v1/rules/check", map[string]string{"rule": text}, &c); code != 200 {
			t.Fatalf("%d for %.80s", code, text)
		}
		return c
	}
	if c := check(src.Text); len(c.Rules) != 1 || len(c.Findings) != 1 || c.Findings[0].Kind != "no-tests" || c.Findings[0].Level != "warning" || c.Findings[0].Line != 2 {
		t.Errorf("as it is: %+v", c)
	}
	if c := check(strings.Replace(src.Text, "user.name)", "usr.name)", 1)); len(c.Findings) != 1 || c.Findings[0].Line != 5 || c.Findings[0].Column != 15 ||
		!strings.Contains(c.Findings[0].Message, `did you mean "user.name"?`) || len(c.Rules) != 0 {
		t.Errorf("misspelt: %+v", c)
	}
	tests := "tests:\n  - {name: fires, events: [{at: 0s, user.name: ana}], expect: [{count: 1}]}\n  - {name: does not, events: [{at: 0s, user.name: ana}], expect: []}\n"
	if c := check(src.Text + tests); len(c.Findings) != 0 || len(c.Tests) != 2 || c.Tests[0].State != "passed" || c.Tests[1].State != "failed" ||
		c.Tests[1].Line != 9 || !strings.Contains(c.Tests[1].Message, "expected 0 detections") {
		t.Errorf("with tests: %+v", c)
	}
	for text, want := range map[string]string{
		"":                                   "there is no rule in it",
		"# nothing\n":                        "there is no rule in it",
		"- a\n- b\n":                         "documents of keys and values",
		"apiVersion: v1\nkind: Pod\n":        `unknown key "apiVersion"`,
		src.Text + "---\nrule: [\n":          "",
		"a: " + strings.Repeat("[", 200_000): "deep",
	} {
		if c := check(text); len(c.Findings) == 0 || c.Findings[0].Level != "error" || c.Findings[0].Line < 1 || !strings.Contains(c.Findings[0].Message, want) {
			t.Errorf("%.40q: %+v", text, c)
		}
	}
	if c := check(strings.Repeat("a\n", 60_000)); len(c.Findings) > maxFindings {
		t.Errorf("%d findings", len(c.Findings))
	}
	if code := s.ask(t, http.MethodPost, "/api/v1/rules/check", map[string]string{"rule": strings.Repeat("x", 256<<10+1)}, nil); code != 422 {
		t.Errorf("more than is checked: %d", code)
	}
	if code := s.ask(t, http.MethodPost, "/api/v1/rules/check", map[string]string{"rule": strings.Repeat("x", 1<<20)}, nil); code != 413 {
		t.Errorf("more than is read: %d", code)
	}

	var job api.Backtest
	s.ask(t, http.MethodPost, "/api/v1/backtests", map[string]any{"rule": strings.Replace(src.Text, "exists(user.name)", `user.name == "u1"`, 1), "compare": true}, &job)
	for job.State == "waiting" || job.State == "running" {
		s.ask(t, http.MethodGet, "/api/v1/backtests/"+job.ID, nil, &job)
	}
	c := job.Result.Comparison
	if c == nil || c.Removed == 0 || c.Added != 0 || c.Same+c.Changed != job.Result.IncidentCount || len(c.Differences) != c.Removed+c.Changed {
		t.Fatalf("%+v, %+v", job.Result, c)
	}
	for _, d := range c.Differences {
		if d.Change == "removed" && (d.Before == nil || d.After != nil || d.Before.Key["user.name"] != "u0") {
			t.Errorf("%+v", d)
		}
	}
	var audit struct{ Items []struct{ Operation string } }
	s.ask(t, http.MethodGet, "/api/v1/audit", nil, &audit)
	started := false
	for _, e := range audit.Items {
		if e.Operation == "check-rules" {
			t.Error("a check is in the audit log")
		}
		started = started || e.Operation == "start-backtest"
	}
	if !started {
		t.Error("the backtest is not in the audit log")
	}
}

// TestChecksTakeTurns: who does not get a turn is told so, and a check whose time is up does not run its tests.
func TestChecksTakeTurns(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := backend{&node{checking: make(chan struct{}, 1)}}
	b.n.checking <- struct{}{}
	if _, err := b.CheckRules(ctx, "x"); !errors.Is(err, api.ErrBusy) {
		t.Errorf("%v", err)
	}
	text := "rule: a\ntitle: A\nseverity: low\nmatch: exists(user.name)\ntests: [{name: fires, events: [{at: 0s, user.name: ana}], expect: [{count: 1}]}]\n"
	c := checkPosted(ctx, Config{}, text, []rules.File{}, ingest.NewParser(ingest.ParserConfig{}))
	if len(c.Tests) != 1 || c.Tests[0].State != "not_run" {
		t.Errorf("%+v", c)
	}
}
