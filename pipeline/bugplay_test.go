// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// TestAPanicIsNamed: a rule that cannot be matched without a panic takes no part in a replay, which names it; its test fails, and so does a
// backtest of it, and one whose engine ends in a panic, after which the next one runs.
func TestAPanicIsNamed(t *testing.T) {
	t.Parallel()
	set, whole := compiled(t), compiled(t)
	bad := set.ByID("any")
	bad.GroupBy = []int{-1} // no place of a key: the compiler makes no such rule
	parser := ingest.NewParser(ingest.ParserConfig{})
	log := logins([]int{0, 1, 1}, []bool{false, true, false})
	play := pipeline.NewReplay(set, parser, time.Minute)
	for _, m := range log.msgs {
		for _, rec := range m.Records {
			if err := play.Add(rec.Source, rec.Raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := play.Run(0, 0)
	if err != nil || res.Bug == nil || !strings.Contains(res.Bug.Error(), "the rule any ") || res.Stats["any"].Matched != 0 || res.Stats["never"].Matched == 0 {
		t.Errorf("a replay: %v, %v, %+v", err, res.Bug, res.Stats)
	}
	test := rules.Test{Name: "t", Events: []rules.TestEvent{{Fields: map[string]any{"user.name": "u0"}}}}
	if err := pipeline.RunTest(t.Context(), set, bad, test, parser, time.Minute); err == nil || !strings.Contains(err.Error(), "index out of range [-1]") {
		t.Errorf("its test: %v", err)
	}
	if _, err := pipeline.TraceRule(t.Context(), set, bad, test, parser, time.Minute); err == nil || !strings.Contains(err.Error(), "index out of range [-1]") {
		t.Errorf("a trace: %v", err)
	}
	b := pipeline.NewBacktests(log, parser, time.Minute)
	none := pipeline.NewBacktests(nil, parser, time.Minute)
	for _, one := range []*pipeline.Backtests{b, none} {
		go func() { _ = one.Run(t.Context()) }()
	}
	for _, x := range []struct {
		b    *pipeline.Backtests
		set  *rules.Set
		says string
	}{{b, set, "index out of range [-1]"}, {b, whole, ""}, {none, whole, "nil pointer"}, {none, whole, "nil pointer"}} {
		job, err := x.b.Start(x.set, nil, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		job = ended(t, x.b, job.ID)
		if _, bug := errors.AsType[*event.Panic](job.Err); bug != (x.says != "") || bug && !strings.Contains(job.Err.Error(), x.says) {
			t.Errorf("a backtest: %s, %v, want %q", job.State, job.Err, x.says)
		}
	}
}
