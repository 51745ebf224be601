// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"time"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// testStart is when a rule's tests begin; the year is of no meaning.
var testStart = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()

// TestFailure says what a rule's test wanted and did not get.
type TestFailure struct {
	Rule, Test string
	File       string
	Line       int
	Message    string
}

func (f TestFailure) Error() string {
	return fmt.Sprintf("%s:%d: rule %q, test %q: %s", f.File, f.Line, f.Rule, f.Test, f.Message)
}

// RunTest runs one test of a rule of the Set: in order, shuffled, duplicated, and split by a restart; each must
// find the same. It returns nil if the test passes, ctx's error if that ended first.
func RunTest(ctx context.Context, set *rules.Set, r *rules.Rule, t rules.Test, parser Parser, lateness time.Duration) error {
	fail := func(line int, format string, args ...any) error {
		return TestFailure{Rule: r.ID, Test: t.Name, File: r.File, Line: line, Message: fmt.Sprintf(format, args...)}
	}
	// Only the rule under test may fire.
	alone := set.Only(r)
	until := endOf(t)
	run := func(way string, decided bool) (Result, error) {
		play := NewReplay(alone, parser, lateness)
		play.Stop, play.Decided = ctx.Err, decided
		events, err := testEvents(ctx, parser, t.Events)
		if bad, ok := errors.AsType[*TestEventError](err); ok {
			return Result{}, fail(t.Events[bad.Place-1].Line, "%v", err)
		}
		if err != nil {
			return Result{}, err
		}
		play.events = events
		split := 0
		switch way {
		case "shuffled":
			play.Shuffle(1)
		case "duplicated":
			play.Duplicate()
		case "split by a restart":
			split = max(1, len(arrivedBy(until, events))/2)
		}
		res, err := play.Run(until, split)
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if err = cmp.Or(err, res.Bug); err != nil {
			return Result{}, fail(t.Line, "%v", err)
		}
		return res, nil
	}
	res, err := run("in order", false)
	if err != nil {
		return err
	}
	msg := compareExpect(ctx, r, t, shown(t, res.Detections))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if msg != "" && res.Ahead > 0 {
		msg += fmt.Sprintf("\n  `until` ends the input before %d of the %d events arrive", res.Ahead, len(t.Events))
	}
	if msg != "" {
		return fail(t.Line, "%s", msg)
	}
	// What is found is the same in any order once all is decided (I6), and an `until` can come before that.
	if t.HasUntil {
		if res, err = run("in order", true); err != nil {
			return err
		}
	}
	want := content(res.Detections)
	for _, way := range []string{"shuffled", "duplicated", "split by a restart"} {
		if res, err = run(way, true); err != nil {
			return err
		}
		if have := content(res.Detections); want != have {
			return fail(t.Line, "%s it finds\n%sand in order\n%sthe engine broke its promise", way, have, want)
		}
	}
	return nil
}

// endOf is when a test's `until` ends its input (Unix nanoseconds), 0 if it has none.
func endOf(t rules.Test) int64 {
	if !t.HasUntil {
		return 0
	}
	return testStart + int64(t.Until)
}

// content prints what of detections must not depend on how their events came (I6): whether one was ever made that was
// contradicted later does.
func content(ds []incident.Detection) string {
	var out []string
	for _, d := range ds {
		if d.Retracted != nil {
			continue
		}
		var evidence []string
		for _, e := range d.Evidence {
			evidence = append(evidence, e.Step+":"+e.Event.About.EventID())
		}
		sort.Strings(evidence)
		out = append(out, fmt.Sprintf("  %v [%s, %s] %d events %v %v\n", d.Key.Values(), event.Stamp(d.First), event.Stamp(d.Last),
			d.EventCount, d.Steps, evidence))
	}
	sort.Strings(out)
	return strings.Join(out, "")
}

// shown leaves out retracted detections unless the test asks for them.
func shown(t rules.Test, ds []incident.Detection) []incident.Detection {
	wanted := false
	for _, e := range t.Expect {
		wanted = wanted || e.Retracted != nil
	}
	var out []incident.Detection
	for _, d := range ds {
		if d.Retracted == nil || wanted {
			out = append(out, d)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].First != out[j].First {
			return out[i].First < out[j].First
		}
		return out[i].Key < out[j].Key
	})
	return out
}

// TestEventError says why an event of a test cannot be read.
type TestEventError struct {
	// Place is the event's among those of the test, from 1.
	Place int
	Err   error
}

func (e *TestEventError) Error() string { return fmt.Sprintf("event %d: %v", e.Place, e.Err) }
func (e *TestEventError) Unwrap() error { return e.Err }

// testEvents returns the events of a test in the order of their arrival.
func testEvents(ctx context.Context, parser Parser, tes []rules.TestEvent) ([]*event.Event, error) {
	var out []*event.Event
	for i, te := range tes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := testEvent(parser, te, i)
		if err != nil {
			return nil, &TestEventError{i + 1, err}
		}
		out = append(out, e)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Arrival < out[j].Arrival })
	return out, nil
}

func testEvent(parser Parser, te rules.TestEvent, i int) (*event.Event, error) {
	at, arrives := testStart+int64(te.At), testStart+int64(te.Arrives)
	if te.Source == "" {
		e := &event.Event{Time: at, Arrival: arrives, Input: "test", Source: "test"}
		for name, v := range te.Fields {
			f, ok := event.Lookup(name)
			if !ok || !e.Set(f, v) {
				return nil, fmt.Errorf("%s: %v is no %s", name, v, f.Def().Kind)
			}
		}
		e.ID = event.NewID("test", fmt.Sprint(i), at)
		if id, ok := e.Get(event.EventIDField).(string); ok {
			e.ID, e.EventID = event.NewID("test", id, at), id
		} else {
			e.EventID = e.ID.String()
		}
		return e, nil
	}
	e, err := parser.Parse(event.Record{Input: "test", Source: te.Source, Raw: te.Record, Ordinal: uint32(i)}, arrives)
	if err != nil {
		return nil, err
	}
	// `at` is the event's time, whatever the record says or leaves out.
	moved := *e
	moved.Time, moved.Arrival = at, arrives
	moved.ID = event.NewID("test", e.EventID+fmt.Sprint("/", i), at)
	return &moved, nil
}

// compareExpect compares detections with what the test expects, and says what differs.
func compareExpect(ctx context.Context, r *rules.Rule, t rules.Test, got []incident.Detection) string {
	var lines []string
	for _, d := range got {
		lines = append(lines, describe(r, d))
	}
	found := "found nothing"
	if len(lines) > 0 {
		found = "found\n    " + strings.Join(lines, "\n    ")
	}
	if len(got) != len(t.Expect) {
		return fmt.Sprintf("expected %d detections, %s", len(t.Expect), found)
	}
	used := make([]bool, len(got))
	for i, want := range t.Expect {
		if ctx.Err() != nil {
			return ""
		}
		hit := -1
		for j, d := range got {
			if !used[j] && meets(r, want, d) {
				hit = j
				break
			}
		}
		if hit < 0 {
			return fmt.Sprintf("expectation %d is not met, %s", i+1, found)
		}
		used[hit] = true
	}
	return ""
}

func describe(r *rules.Rule, d incident.Detection) string {
	v := d.View(r)
	return fmt.Sprintf("key %v, %d events, first %s, last %s, retracted %t", v.Key, d.EventCount,
		time.Duration(d.First-testStart), time.Duration(d.Last-testStart), d.Retracted != nil)
}

func meets(r *rules.Rule, want rules.Expect, d incident.Detection) bool {
	key := d.View(r).Key
	for name, v := range want.Key {
		if !reflect.DeepEqual(normal(key[name]), normal(v)) {
			return false
		}
	}
	return (want.Count == nil || *want.Count == d.EventCount) &&
		(want.Severity == nil || *want.Severity == r.Severity.String()) &&
		(want.First == nil || testStart+int64(*want.First) == d.First) &&
		(want.Last == nil || testStart+int64(*want.Last) == d.Last) &&
		(want.Retracted == nil || *want.Retracted == (d.Retracted != nil))
}

// normal makes integers of any type compare.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	}
	return v
}
