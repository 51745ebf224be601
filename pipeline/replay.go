// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/event/value"
	"tocsin/incident"
	"tocsin/rules"
)

// Parser turns a Record into an Event; it is pure.
type Parser interface {
	Parse(rec event.Record, arrival int64) (*event.Event, error)
	// ParseInto is Parse into the memory of an Event that is no longer needed.
	ParseInto(e *event.Event, rec event.Record, arrival int64) error
}

// Replay is the engine offline: the same Set, parsers and state machine as in `serve`, over
// events that are all there from the start.
type Replay struct {
	set      *rules.Set
	parser   Parser
	lateness time.Duration
	events   []*event.Event
	// seen counts equal records without an id, for their ordinals.
	seen map[[32]byte]uint32
	// Progress, if it is set, is told now and then how many events have been played, and of how many.
	Progress func(done, total int)
	// Decided has the clock run to the last deadline also if the input ends before.
	Decided bool
	// Stop, if it is set, is asked before each event; an error ends the replay.
	Stop func() error
}

// NewReplay returns a replay of no events yet.
func NewReplay(set *rules.Set, parser Parser, lateness time.Duration) *Replay {
	return &Replay{set: set, parser: parser, lateness: lateness, seen: make(map[[32]byte]uint32)}
}

// Add takes one record of an input. An error says why the record cannot be read; the replay goes on without it.
func (r *Replay) Add(source string, raw []byte) error {
	e, err := r.Read(source, raw)
	if err != nil {
		return err
	}
	if e.Time == 0 && e.BadTime.Exists() {
		return fmt.Errorf("%s: write it as 2026-11-20T09:00:00Z, or as a number since the epoch", untimed(e))
	}
	if e.Time == 0 {
		return fmt.Errorf("it has no time: give it `timestamp`, `@timestamp` or `event.ingested`")
	}
	r.events = append(r.events, e)
	return nil
}

// Read returns the event of the next record of an input, which need not have a time. Its arrival is `event.ingested` if the
// record has one, else its time (C4).
func (r *Replay) Read(source string, raw []byte) (*event.Event, error) {
	rec := event.Record{Input: "replay", Source: source, Raw: raw}
	h := contentHash(source, raw)
	rec.Ordinal = r.seen[h]
	r.seen[h]++
	e, err := r.parser.Parse(rec, 0)
	if err != nil {
		return nil, err
	}
	e.Arrival = e.Time
	if ingested, ok := ingestedAt(e.Object()); ok {
		if e.Time == 0 {
			if e, err = r.parser.Parse(rec, ingested); err != nil {
				return nil, err
			}
		}
		e.Arrival = ingested
	}
	return e, nil
}

// AddEvent takes an event as it is.
func (r *Replay) AddEvent(e *event.Event) { r.events = append(r.events, e) }

// Len returns how many events there are.
func (r *Replay) Len() int { return len(r.events) }

// Shuffle permutes the events; their arrivals stay.
func (r *Replay) Shuffle(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, seed))
	rng.Shuffle(len(r.events), func(i, j int) { r.events[i], r.events[j] = r.events[j], r.events[i] })
}

// Duplicate doubles each event.
func (r *Replay) Duplicate() { r.events = append(r.events, r.events...) }

// Result is what a replay found.
type Result struct {
	// Incidents are the final ones, neither merged nor retracted, sorted by first event, rule and key.
	Incidents []incident.View
	// Detections are all detections, retracted ones too.
	Detections []incident.Detection
	Stats      map[string]RuleStats
	// Ahead is how many events had not arrived when the input ended.
	Ahead int
	// Bug, if it is not nil, says which rule took no part in some event, as in `serve`, since its matching ended in a panic.
	Bug error
}

// RuleStats are the numbers of one rule in a replay.
type RuleStats struct {
	correlate.Stats
	// Keys is how many keys the rule kept a window for.
	Keys int
	// Furthest is the largest number of the rule's patterns that one key saw.
	Furthest int
}

// Run plays the events. until ends the input and the clock (Unix nanoseconds); 0 lets the clock run to the last deadline.
// The engine is snapshotted and restored before event split, if that is positive.
func (r *Replay) Run(until int64, split int) (Result, error) {
	p, err := newPlayer(r.set, r.lateness)
	if err != nil {
		return Result{}, err
	}
	reach := newReach()
	p.saw = func(m *rules.Match) { reach.note(r.set, m) }
	events := arrivedBy(until, r.events)
	least := leastArrivals(events)
	cells := make(map[string]correlate.Cell)
	for i, e := range events {
		if r.Progress != nil && i%1000 == 0 {
			r.Progress(i, len(events))
		}
		if r.Stop != nil {
			if err := r.Stop(); err != nil {
				return Result{}, err
			}
		}
		if split > 0 && i <= split {
			for _, c := range p.engine.Snapshot() {
				cells[c.ID] = c
			}
			if i == split {
				p.engine = correlate.New(int64(r.lateness), correlate.Limits{})
				if err := restore(p.engine, r.set, cells); err != nil {
					return Result{}, err
				}
			}
		}
		if _, err := p.play(e, uint64(i), 0, least[i]); err != nil {
			return Result{}, err
		}
	}
	if err := p.end(until, r.Decided); err != nil {
		return Result{}, err
	}
	out := Result{Incidents: p.book.views(), Stats: reach.stats(r.set, p.book.stats), Ahead: len(r.events) - len(events), Bug: p.bug()}
	for _, d := range p.book.detections {
		out.Detections = append(out.Detections, d)
	}
	return out, nil
}

func restore(engine *correlate.Engine, set *rules.Set, cells map[string]correlate.Cell) error {
	if err := engine.Use(set); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(cells)) {
		c := cells[id]
		if c.State == nil {
			continue
		}
		if err := engine.Restore(c); err != nil {
			return err
		}
	}
	return nil
}

// arrivedBy returns the events that have arrived when the input ends; 0 is no end.
func arrivedBy(until int64, es []*event.Event) []*event.Event {
	if until == 0 {
		return es
	}
	return slices.DeleteFunc(slices.Clone(es), func(e *event.Event) bool { return isAhead(until, e) })
}

// isAhead reports whether an event arrives after the input ends. It is of no account, in whatever order events are read: the clock does
// not run on for it (C4).
func isAhead(until int64, e *event.Event) bool { return until != 0 && e.Arrival > until }

// leastArrivals returns, for each place, the least arrival of the events from there on: the clock before
// that event is read.
func leastArrivals(es []*event.Event) []int64 {
	out := make([]int64, len(es))
	least := int64(math.MaxInt64)
	for i := len(es) - 1; i >= 0; i-- {
		least = min(least, es[i].Arrival)
		out[i] = least
	}
	return out
}

// ingestedAt returns the `event.ingested` of a record, flat or nested.
func ingestedAt(raw value.Value) (int64, bool) {
	v := raw.Get("event.ingested")
	if v.Kind() == value.Missing {
		v = raw.Path("event", "ingested")
	}
	s, ok := v.Str()
	if !ok {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, false
	}
	return t.UnixNano(), true
}
