// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin/api"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/rules"
)

// Bounds of a check: how long it may take with its wait, and how much it tells.
const (
	checkTime   = 5 * time.Second
	maxFindings = 100
	maxMessage  = 4 << 10
)

func (b backend) RuleSource(id string) (api.RuleSource, error) {
	set := b.n.sets.Current()
	r := set.ByID(id)
	if r == nil {
		return api.RuleSource{}, incident.ErrNotFound
	}
	text, line := set.Source(r)
	return api.RuleSource{File: r.File, Line: line, Text: text, Revision: r.Revision}, nil
}

func (b backend) RuleOf(ctx context.Context, id, revision string) (api.RuleSource, error) {
	w, err := pipeline.RuleOf(ctx, b.n.streams, id, revision)
	if errors.Is(err, pipeline.ErrNotWritten) || errors.Is(err, pipeline.ErrUnreadable) {
		return api.RuleSource{}, &api.NoTextError{Why: err.Error()}
	}
	return api.RuleSource{File: w.File, Line: w.Line, Text: w.Text, Revision: revision}, err
}

// checkTurn waits for the turn of who checks a rule, and is held until the work has ended, whether or not somebody still waits for
// it. The error is ErrBusy.
func (b backend) checkTurn(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	select {
	case b.n.checking <- struct{}{}:
		return ctx, func() { <-b.n.checking; cancel() }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, api.ErrBusy
	}
}

func (b backend) CheckRules(ctx context.Context, text string) (api.RuleCheck, error) {
	ctx, release, err := b.checkTurn(ctx)
	if err != nil {
		return api.RuleCheck{}, err
	}
	defer release()
	return checkPosted(ctx, b.n.cfg, text, b.n.sets.Current().Files, b.n.parser), nil
}

// checkPosted says what is wrong with a rule file beside others, and runs its tests until ctx ends.
func checkPosted(ctx context.Context, cfg Config, text string, files []rules.File, parser pipeline.Parser) api.RuleCheck {
	out := api.RuleCheck{Rules: []string{}, Findings: []api.Finding{}, Tests: []api.TestRun{}}
	set, wrong := compilePosted(text, files)
	found := invalidOf(wrong)
	if len(wrong) == 0 {
		found = oddities(cfg, set)
	}
	for _, r := range set.Rules {
		out.Rules = append(out.Rules, r.ID)
	}
	for _, f := range found {
		if len(out.Findings) == maxFindings {
			out.MoreFindings++
			continue
		}
		out.Findings = append(out.Findings, api.Finding{Level: f.Level, Kind: f.Kind, Rule: f.Rule, Line: f.Line, Column: f.Column, Message: cut(f.Message)})
	}
	if len(wrong) > 0 {
		return out
	}
	for _, r := range set.Rules {
		for _, t := range r.Tests {
			out.Tests = append(out.Tests, runPosted(ctx, set, r, t, parser, cfg.Lateness))
		}
	}
	return out
}

func runPosted(ctx context.Context, set *rules.Set, r *rules.Rule, t rules.Test, parser pipeline.Parser, lateness time.Duration) api.TestRun {
	run := api.TestRun{Rule: r.ID, Name: t.Name, Line: t.Line, State: "passed"}
	switch err := pipeline.RunTest(ctx, set, r, t, parser, lateness); {
	case ctx.Err() != nil:
		run.State = "not_run"
	case err != nil:
		run.State, run.Message = "failed", err.Error()
		if f, ok := errors.AsType[pipeline.TestFailure](err); ok {
			run.Line, run.Message = f.Line, f.Message
		}
		run.Message = cut(run.Message)
	}
	return run
}

// cut bounds what is said of one mistake.
func cut(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}
