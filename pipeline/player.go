// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"math"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// player is the engine on its way through events: the same Set and state machine as in `serve`, without a log.
type player struct {
	set    *rules.Set
	engine *correlate.Engine
	book   *ledger
	// saw, if it is set, is told of each match.
	saw func(m *rules.Match)

	found rules.Result
	// bugs are the rules that took no part in some event, each with the first panic that their matching ended in.
	bugs map[string]*event.Panic
	// clock is the engine's, last the greatest arrival.
	clock, last int64
}

func newPlayer(set *rules.Set, lateness time.Duration) (*player, error) {
	p := &player{set: set, engine: correlate.New(int64(lateness), correlate.Limits{}), book: newLedger(), bugs: make(map[string]*event.Panic), clock: math.MinInt64, last: math.MinInt64}
	return p, p.engine.Use(set)
}

func (p *player) step(x correlate.Entry) error {
	if err := p.engine.Step(x); err != nil {
		return err
	}
	p.book.apply(p.engine.Changes())
	return nil
}

// play takes one event, which is at a place of the log; clock is the least arrival of it and all that follow. It reports whether
// a rule matches it.
func (p *player) play(e *event.Event, seq uint64, index uint32, clock int64) (bool, error) {
	if clock > p.clock {
		p.clock = clock
		if err := p.step(correlate.Entry{Tick: &correlate.Tick{Clock: clock, Set: p.set.Hash}}); err != nil {
			return false, err
		}
	}
	p.last = max(p.last, e.Arrival)
	p.found.Reset()
	p.set.Match(e, &p.found)
	for _, b := range p.found.Bugs {
		if p.bugs[b.Rule] == nil {
			p.bugs[b.Rule] = b.Panic
		}
	}
	if len(p.found.Matches) == 0 && len(p.found.Counts) == 0 {
		return false, nil
	}
	for j := range p.found.Matches {
		p.found.Matches[j].Event.Seq, p.found.Matches[j].Event.Index = seq, index
		if p.saw != nil {
			p.saw(&p.found.Matches[j])
		}
	}
	m := &correlate.Matches{
		Set:     p.set.Hash,
		Matches: append([]rules.Match(nil), p.found.Matches...),
		Counts:  append([]rules.Tally(nil), p.found.Counts...),
	}
	return len(m.Matches) > 0, p.step(correlate.Entry{Matches: m})
}

// bug says which rule took no part in some event, and why; nil if each could be matched.
func (p *player) bug() error {
	for _, r := range p.set.Rules {
		if b := p.bugs[r.ID]; b != nil {
			return fmt.Errorf("the rule %s cannot be matched with some event: %w", r.ID, b)
		}
	}
	return nil
}

// end ends the input at a time (Unix nanoseconds), or with the last arrival if that is 0 (C4). The clock runs up to that time, or to the
// last deadline if there is none or all is to be decided.
func (p *player) end(until int64, decided bool) error {
	end, horizon := int64(math.MaxInt64/4), p.last
	if until != 0 {
		horizon = until
	}
	if until != 0 && !decided {
		end = until
	}
	return p.step(correlate.Entry{Tick: &correlate.Tick{Clock: end, Set: p.set.Hash, Horizon: horizon}})
}
