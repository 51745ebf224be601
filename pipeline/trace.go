// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// Bounds of a trace.
const (
	// MaxTraced is how many events are traced.
	MaxTraced = 200
	// maxMoments and maxTracedKeys are how much is told of them.
	maxMoments    = 500
	maxTracedKeys = 50
)

// Trace is what one rule makes of a few events, moment by moment. Times are spans after the start of a test.
type Trace struct {
	Moments []Moment
	// Keys is how many keys the events have: the first fifty to come are told of.
	Keys int
	// Stopped says what ended the trace before it was over: "moments" or "time"; "" is nothing.
	Stopped string
}

// Moment is an arrival, or a clock at which something changes by time alone. It has what changed since the moment before.
type Moment struct {
	Clock time.Duration
	// Event is what arrived, nil if time alone has passed.
	Event      *TracedEvent
	Keys       []TracedKey
	Detections []TracedDetection
}

// TracedEvent is an event on arrival, and what the rule sees in it.
type TracedEvent struct {
	// Place is the event's among those given, from 1.
	Place int
	ID    string
	Time  time.Duration
	Late  bool
	// Matches are none of an event that nothing matches, or that is left out.
	Matches []TracedMatch
	// Excepted is the exception that leaves the event out; Missing are the parts of `by` that it lacks (K1).
	Excepted *rules.Exception
	Missing  []string
}

// TracedMatch is the patterns of a rule that match an event for one key.
type TracedMatch struct {
	// Rule is the traced one, or one that it refers to.
	Rule     *rules.Rule
	Key      rules.Key
	Patterns []string
}

// TracedKey is how far a key came by a moment.
type TracedKey struct {
	// Number counts the keys as they come, from 1.
	Number int
	Key    rules.Key
	Steps  []correlate.Step
	// From and To bound the window that the steps are about; Events are the places of those in it.
	From, To time.Duration
	Events   []int
	// Due is the clock at which what holds and waits is decided (F5), nil if nothing waits.
	Due *time.Duration
	// Closed: no event that comes on time joins those that there are.
	Closed bool
}

// TracedDetection is a detection as it stands at a moment.
type TracedDetection struct {
	incident.Detection
	First, Last time.Duration
	// Events are the places of its evidence.
	Events []int
	// Settled: no event that comes on time changes it.
	Settled bool
	// Gone: it was joined into another one.
	Gone bool
}

// TraceRule follows a rule of a Set through the events of a test. What fires is what the engine says. The error may be a
// [TestEventError].
func TraceRule(ctx context.Context, set *rules.Set, r *rules.Rule, t rules.Test, parser Parser, lateness time.Duration) (Trace, error) {
	if len(t.Events) > MaxTraced {
		return Trace{}, fmt.Errorf("at most %d events are traced, these are %d", MaxTraced, len(t.Events))
	}
	x := tracer{rule: r, lateness: int64(lateness), places: make(map[event.ID]int), keys: make(map[rules.Key]TracedKey),
		newest: make(map[rules.Key]int64), open: make(map[rules.Key]bool), detections: make(map[string]TracedDetection)}
	until := endOf(t)
	for i := range t.Events {
		e, err := testEvent(parser, t.Events[i], i)
		if err != nil {
			return Trace{}, &TestEventError{i + 1, err}
		}
		if isAhead(until, e) {
			continue
		}
		if _, twice := x.places[e.ID]; !twice {
			x.places[e.ID] = i + 1
		}
		x.at = append(x.at, placed{e, i + 1})
	}
	var err error
	if x.player, err = newPlayer(set.Only(r), lateness); err != nil {
		return Trace{}, err
	}
	x.saw = func(m *rules.Match) { x.history.Matches = append(x.history.Matches, *m) }
	x.history = correlate.History{Lateness: x.lateness, Stop: ctx.Err, Windows: true}
	err = x.run(until)
	if ctx.Err() != nil {
		x.out.Stopped, err = "time", nil
	}
	x.out.Keys = len(x.keys)
	return x.out, err
}
