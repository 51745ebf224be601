// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"errors"
	"math"
	"reflect"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// errMoments ends a trace that has as many moments as are told.
var errMoments = errors.New("too many moments")

// placed is an event and its place among those given, from 1.
type placed struct {
	*event.Event
	place int
}

// tracer moves a player from moment to moment.
type tracer struct {
	*player
	rule     *rules.Rule
	lateness int64
	at       []placed
	places   map[event.ID]int
	history  correlate.History
	// horizon is where the input ends, 0 as long as there is more of it (C4).
	horizon    int64
	keys       map[rules.Key]TracedKey    // as last told
	newest     map[rules.Key]int64        // the time of the newest event
	open       map[rules.Key]bool         // grouping keys of which something can change
	detections map[string]TracedDetection // as last told
	out        Trace
}

func (x *tracer) run(until int64) error {
	slices.SortStableFunc(x.at, func(a, b placed) int { return cmp.Compare(a.Arrival, b.Arrival) })
	for i, e := range x.at {
		if err := x.pass(e.Arrival); err != nil {
			return x.over(err)
		}
		if err := x.arrive(e, uint64(i)); err != nil {
			return x.over(err)
		}
	}
	if len(x.at) == 0 {
		return nil
	}
	end := int64(math.MaxInt64 / 4)
	if x.horizon = x.last; until != 0 {
		end, x.horizon = until, until
	}
	if err := x.tick(x.clock); err != nil {
		return err
	}
	if err := x.pass(end); err != nil {
		return x.over(err)
	}
	return nil
}

// over makes of too many moments the end of a trace.
func (x *tracer) over(err error) error {
	if errors.Is(err, errMoments) {
		x.out.Stopped, err = "moments", nil
	}
	return err
}

// pass lets time pass up to a clock, from one instant at which something can change to the next.
func (x *tracer) pass(to int64) error {
	for {
		if err := x.history.Stop(); err != nil {
			return err
		}
		at, ok := x.engine.Next()
		for _, t := range x.settling() {
			if t > x.clock && (!ok || t < at) {
				at, ok = t, true
			}
		}
		if !ok || at > to {
			return nil
		}
		if err := x.tick(at); err != nil {
			return err
		}
		if err := x.tell(nil); err != nil {
			return err
		}
	}
}

func (x *tracer) tick(clock int64) error {
	x.clock = clock
	return x.step(correlate.Entry{Tick: &correlate.Tick{Clock: clock, Set: x.set.Hash, Horizon: x.horizon}})
}

// settling are the clocks at which detections settle and windows close.
func (x *tracer) settling() (out []int64) {
	for _, d := range x.detections {
		if !d.Settled && d.Retracted == nil {
			out = append(out, x.engine.Settled(x.rule, d.Detection.Last))
		}
	}
	for key, k := range x.keys {
		if !k.Closed {
			out = append(out, x.engine.Settled(x.rule, x.newest[key]))
		}
	}
	return out
}

// arrive plays an event, and tells what the rule sees in it and what comes of it.
func (x *tracer) arrive(e placed, seq uint64) error {
	before := len(x.history.Matches)
	if _, err := x.play(e.Event, seq, 0, e.Arrival); err != nil {
		return err
	}
	te := &TracedEvent{Place: e.place, ID: e.EventID, Time: time.Duration(e.Time - testStart), Late: e.Arrival > e.Time+x.lateness}
	for _, m := range x.history.Matches[before:] {
		x.open[m.Group] = true
		if len(m.Path) == 0 {
			x.newest[m.Key] = max(x.newest[m.Key], e.Time)
		}
		of := x.rule
		for _, i := range m.Path {
			of = of.Children[i]
		}
		tm := TracedMatch{Rule: of, Key: m.Key}
		for i, p := range of.Patterns {
			if m.Patterns&(1<<i) != 0 {
				tm.Patterns = append(tm.Patterns, p.Name)
			}
		}
		te.Matches = append(te.Matches, tm)
	}
	if err := x.bug(); err != nil {
		return err
	}
	why := x.rule.Explain(e.Event)
	te.Excepted, te.Missing = why.Excepted, why.Missing
	return x.tell(te)
}

// tell adds a moment, if an event came or something changed.
func (x *tracer) tell(e *TracedEvent) error {
	m := Moment{Clock: time.Duration(x.clock - testStart), Event: e}
	keys, err := x.changedKeys()
	if err != nil {
		return err
	}
	m.Keys, m.Detections = keys, x.changedDetections()
	if e == nil && len(m.Keys)+len(m.Detections) == 0 {
		return nil
	}
	if len(x.out.Moments) == maxMoments {
		return errMoments
	}
	x.out.Moments = append(x.out.Moments, m)
	return nil
}

// near says how far the keys came of which something can have changed: what has one grouping key is a matter of its own.
func (x *tracer) near() ([]correlate.Near, error) {
	h := x.history
	if h.Until = x.clock; x.horizon != 0 {
		h.Until = x.horizon
	}
	h.Matches = slices.DeleteFunc(slices.Clone(h.Matches), func(m rules.Match) bool { return !x.open[m.Group] })
	return correlate.Nearest(x.set, x.rule, h)
}

// changedKeys are the keys of which there is something new to tell.
func (x *tracer) changedKeys() ([]TracedKey, error) {
	near, err := x.near()
	if err != nil {
		return nil, err
	}
	// New ones are numbered by when they began, and not by how far they came.
	slices.SortStableFunc(near, func(a, b correlate.Near) int { return cmp.Compare(a.At, b.At) })
	awaited := x.engine.Awaited(x.rule)
	for _, n := range near {
		x.open[n.Key.Part(x.rule.GroupBy)] = false
	}
	var out []TracedKey
	for _, n := range near {
		was, told := x.keys[n.Key]
		if !told {
			was.Number = len(x.keys) + 1
		}
		for _, ref := range n.Window { // those of rules that it refers to come later than their events
			x.newest[n.Key] = max(x.newest[n.Key], ref.Time)
		}
		now := TracedKey{Number: was.Number, Key: n.Key, Steps: n.Steps, To: time.Duration(n.At - testStart),
			Closed: x.clock >= x.engine.Settled(x.rule, x.newest[n.Key])}
		now.From = now.To - x.rule.Within
		for _, ref := range n.Window {
			now.Events = append(now.Events, x.places[ref.ID])
		}
		if due, waits := awaited[n.Key]; waits {
			at := time.Duration(due - testStart)
			now.Due = &at
		}
		x.keys[n.Key] = now
		if !now.Closed {
			x.open[n.Key.Part(x.rule.GroupBy)] = true
		}
		if now.Number <= maxTracedKeys && !reflect.DeepEqual(now, was) {
			out = append(out, now)
		}
	}
	slices.SortFunc(out, func(a, b TracedKey) int { return a.Number - b.Number })
	return out, nil
}
