// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// traced are rules of every kind of condition.
var traced = func() string {
	var out []string
	for i, body := range []string{
		"when: count(a) >= 2\nwithin: 10s", "when: a and not b\nwithin: 5s", "when: sequence(a, not c, b)\nwithin: 10s",
		"when: sequence(a, b, not c)\nwithin: 4s", "when: count(a) < 2\nwithin: 4s", "when: silent(a)\nwithin: 5s",
		"when: first_seen(a, host.name)\nlearn: 3s\nwithin: 5s", "when: distinct(a, host.name) >= 2 or count(c) >= 3\nwithin: 8s", "when: a",
		"except: [{when: host.name == \"h1\", reason: known, owner: ops, expires: 2099-01-01}]\nwhen: count(b) >= 2\nwithin: 6s",
	} {
		out = append(out, fmt.Sprintf("rule: r%d\ntitle: T\nseverity: low\nby: [user.name]\n"+
			"match: {a: event.action == \"a\", b: event.action == \"b\", c: event.action == \"c\"}\n%s\n", i, body))
	}
	return strings.Join(out, "---\n") + "---\nrule: over\ntitle: T\nseverity: low\nby: [user.name]\nmatch: {d: event.action == \"b\", r: detection(\"r1\")}\n" +
		"when: sequence(r, d)\nwithin: 10s\n"
}()

// standing are the detections at the end of a trace, as a test expects them.
func standing(t interface{ Fatalf(string, ...any) }, r *rules.Rule, trace pipeline.Trace) []rules.Expect {
	if trace.Stopped != "" {
		t.Fatalf("%s: it stopped: %s", r.ID, trace.Stopped)
	}
	last := make(map[string]pipeline.TracedDetection)
	for _, m := range trace.Moments {
		for _, d := range m.Detections {
			if last[d.ID] = d; d.Gone {
				delete(last, d.ID)
			}
		}
	}
	var out []rules.Expect
	for _, d := range last {
		retracted := d.Retracted != nil
		out = append(out, rules.Expect{Key: d.View(r).Key, Count: &d.EventCount, First: &d.First, Last: &d.Last, Retracted: &retracted})
	}
	return out
}

// TestTraceEndsAsATest: what stands at the last moment is what a test finds, wherever its `until` is, and what is settled does not
// change while events come on time. What arrives after `until` might as well not be there.
func TestTraceEndsAsATest(t *testing.T) {
	t.Parallel()
	const lateness = 3 * time.Second
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(traced)}})
	if err != nil {
		t.Fatal(err)
	}
	parser := ingest.NewParser(ingest.ParserConfig{})
	rapid.Check(t, func(t *rapid.T) {
		onTime := rapid.Bool().Draw(t, "on time")
		test := rules.Test{Name: "drawn"}
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			at := time.Duration(rapid.IntRange(0, 30).Draw(t, "at")) * time.Second
			delay := rapid.IntRange(0, 9).Draw(t, "delay")
			if onTime {
				delay = min(delay, int(lateness/time.Second))
			}
			test.Events = append(test.Events, rules.TestEvent{At: at, Arrives: at + time.Duration(delay)*time.Second, Fields: map[string]any{
				"event.id": fmt.Sprint(i), "event.action": rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "action"),
				"user.name": rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user"), "host.name": rapid.SampledFrom([]string{"h1", "h2"}).Draw(t, "host"),
			}})
		}
		if test.HasUntil = rapid.Bool().Draw(t, "ends"); test.HasUntil {
			test.Until = time.Duration(rapid.IntRange(0, 60).Draw(t, "until")) * time.Second
		}
		for _, r := range set.Rules {
			trace, err := pipeline.TraceRule(context.Background(), set, r, test, parser, lateness)
			if err != nil {
				t.Fatal(err)
			}
			test.Expect = standing(t, r, trace)
			if err := pipeline.RunTest(context.Background(), set, r, test, parser, lateness); err != nil {
				t.Fatal(err)
			}
			if test.HasUntil {
				without := test
				without.Events = slices.DeleteFunc(slices.Clone(test.Events), func(e rules.TestEvent) bool { return e.Arrives > test.Until })
				if err := pipeline.RunTest(context.Background(), set, r, without, parser, lateness); err != nil {
					t.Fatalf("without what arrives after %s: %v", test.Until, err)
				}
			}
			settled := make(map[string]bool)
			for _, m := range trace.Moments {
				for _, d := range m.Detections {
					if settled[d.ID] && onTime {
						t.Fatalf("%s: what was settled changed at %s: %+v", r.ID, m.Clock, d)
					}
					settled[d.ID] = d.Settled
				}
			}
		}
	})
}

// TestTraceOfShippedRules: so it is of every test of the rules that are shipped.
func TestTraceOfShippedRules(t *testing.T) {
	t.Parallel()
	set := shipped(t)
	parser := ingest.NewParser(ingest.ParserConfig{})
	for _, r := range set.Rules {
		for _, test := range r.Tests {
			trace, err := pipeline.TraceRule(t.Context(), set, r, test, parser, time.Minute)
			if err != nil {
				t.Fatalf("%s, %s: %v", r.ID, test.Name, err)
			}
			test.Expect = standing(t, r, trace)
			if err := pipeline.RunTest(t.Context(), set, r, test, parser, time.Minute); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTrace tells it moment by moment: an absence waits, is told at its deadline, taken back by who comes late, and a key that
// is left behind closes.
func TestTrace(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(traced)}})
	if err != nil {
		t.Fatal(err)
	}
	e := func(at, arrives int, fields ...string) rules.TestEvent {
		te := rules.TestEvent{At: time.Duration(at) * time.Second, Arrives: time.Duration(arrives) * time.Second, Fields: make(map[string]any)}
		for i := 0; i < len(fields); i += 2 {
			te.Fields[fields[i]] = fields[i+1]
		}
		return te
	}
	parser := ingest.NewParser(ingest.ParserConfig{})
	for _, tc := range []struct {
		rule   string
		events []rules.TestEvent
		want   []string
	}{
		{"r1", []rules.TestEvent{e(0, 0, "event.action", "a", "user.name", "u"), e(2, 9, "event.action", "b", "user.name", "u"), e(20, 20, "event.action", "z")}, []string{
			"0s: event 1 [a]; key 1 [-5s, 0s] of [1]: a 1/1 done, not b 0/0 done, due 8s",
			"8s: key 1 [-5s, 0s] of [1]: a 1/1 done, not b 0/0 done; detection [1] of 0s to 0s",
			"9s: event 2 late [b]; key 1 [-3s, 2s] of [1 2]: a 1/1 done, not b 1/0; detection [1] of 0s to 0s retracted",
			"15s: key 1 [-3s, 2s] of [1 2]: a 1/1 done, not b 1/0, closed",
			"20s: event 3 []",
		}},
		{"r9", []rules.TestEvent{e(0, 0, "event.action", "b", "user.name", "u", "host.name", "h1"), e(1, 1, "event.action", "b", "user.name", "u"),
			e(2, 2, "event.action", "b"), e(4, 4, "event.action", "b", "user.name", "u")}, []string{
			"0s: event 1 [] excepted: known",
			"1s: event 2 [b]; key 1 [-5s, 1s] of [2]: count(b) >= 2 1/2",
			"2s: event 3 [] without [user.name]",
			"4s: event 4 [b]; key 1 [-2s, 4s] of [2 4]: count(b) >= 2 2/2 done; detection [2 4] of 1s to 4s",
			"13s: key 1 [-2s, 4s] of [2 4]: count(b) >= 2 2/2 done, closed; detection [2 4] of 1s to 4s settled",
		}},
	} {
		trace, err := pipeline.TraceRule(t.Context(), set, set.ByID(tc.rule), rules.Test{Events: tc.events}, parser, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range trace.Moments {
			got = append(got, printedMoment(m))
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.rule, d)
		}
	}
}

func printedMoment(m pipeline.Moment) string {
	var out []string
	if e := m.Event; e != nil {
		text := fmt.Sprintf("event %d", e.Place)
		if e.Late {
			text += " late"
		}
		var patterns []string
		for _, x := range e.Matches {
			patterns = append(patterns, x.Patterns...)
		}
		text += fmt.Sprint(" ", patterns)
		if e.Excepted != nil {
			text += " excepted: " + e.Excepted.Reason
		}
		if e.Missing != nil {
			text += fmt.Sprint(" without ", e.Missing)
		}
		out = append(out, text)
	}
	for _, k := range m.Keys {
		var steps []string
		for _, s := range k.Steps {
			text := fmt.Sprintf("%s %d/%d", s.What, s.Have, s.Need)
			if s.Done {
				text += " done"
			}
			steps = append(steps, text)
		}
		if k.Due != nil {
			steps = append(steps, fmt.Sprint("due ", *k.Due))
		}
		if k.Closed {
			steps = append(steps, "closed")
		}
		out = append(out, fmt.Sprintf("key %d [%s, %s] of %v: %s", k.Number, k.From, k.To, k.Events, strings.Join(steps, ", ")))
	}
	for _, d := range m.Detections {
		text := fmt.Sprintf("detection %v of %s to %s", d.Events, d.First, d.Last)
		if d.Settled {
			text += " settled"
		}
		if d.Retracted != nil {
			text += " retracted"
		}
		out = append(out, text)
	}
	return m.Clock.Round(time.Second).String() + ": " + strings.Join(out, "; ")
}

// TestTraceIsBounded by events, and by who waits.
func TestTraceIsBounded(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(traced)}})
	if err != nil {
		t.Fatal(err)
	}
	parser := ingest.NewParser(ingest.ParserConfig{})
	var test rules.Test
	for i := range pipeline.MaxTraced {
		at := time.Duration(i) * time.Minute
		test.Events = append(test.Events, rules.TestEvent{At: at, Arrives: at, Fields: map[string]any{"event.action": "a", "user.name": fmt.Sprint(i)}})
	}
	r := set.ByID("r1")
	began := time.Now()
	trace, err := pipeline.TraceRule(t.Context(), set, r, test, parser, time.Second)
	t.Log(time.Since(began))
	if err != nil || trace.Stopped != "moments" || len(trace.Moments) != 500 || trace.Keys < 100 {
		t.Errorf("%v: %q after %d moments of %d keys", err, trace.Stopped, len(trace.Moments), trace.Keys)
	}
	for _, m := range trace.Moments {
		for _, k := range m.Keys {
			if k.Number > 50 {
				t.Fatalf("key %d is told of", k.Number)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if trace, err := pipeline.TraceRule(ctx, set, r, test, parser, time.Second); err != nil || trace.Stopped != "time" {
		t.Errorf("nobody waits: %v %q", err, trace.Stopped)
	}
	test.Events = append(test.Events, test.Events[0])
	if _, err := pipeline.TraceRule(t.Context(), set, r, test, parser, time.Second); err == nil {
		t.Error("more events than are traced")
	}
}
