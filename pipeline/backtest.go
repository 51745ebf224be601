// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/stream"
)

// maxFound is how many detections a backtest makes before it ends: a rule that fires so often needs no more proof. maxSeen is how
// many bytes of matches it takes in: a window may hold them all.
const (
	maxFound = 10_000
	maxSeen  = 512 << 20
)

// errEnough ends a backtest that has found too much.
var errEnough = errors.New("enough was found")

// BacktestResult is what rules make of events that are kept.
type BacktestResult struct {
	// Incidents are the final ones, neither merged nor retracted, sorted by first event; of a job that has ended the first
	// [MaxIncidents] of Total, without their detections.
	Incidents []incident.View
	Total     int
	// Days counts the events that a rule matches, by day of their arrival (UTC, 2026-11-28).
	Days map[string]int64
	// Near are keys that came part-way, of each rule with a condition, by rule; nil if NearLeftOut.
	Near map[string][]correlate.Near
	// NearLeftOut: there were more matches than near misses are looked for in.
	NearLeftOut bool
	// Stopped: the rules made more than maxFound detections or had more than maxSeen of matches by Until, and the rest was not looked at.
	Stopped bool
	Until   int64
	// Differences are what these rules make that the versions in force do not, of a job that has ended the first [MaxIncidents], and
	// Changes how many there are of each kind, with `same`; nil if nobody asked.
	Differences []Difference
	Changes     map[string]int
}

// MaxIncidents is how many incidents of a backtest are remembered.
const MaxIncidents = 100

// brief is what is remembered of a result: evidence of thousands of detections would fill the memory.
func (r BacktestResult) brief() *BacktestResult {
	r.Total = len(r.Incidents)
	r.Incidents = slices.Clone(r.Incidents[:min(len(r.Incidents), MaxIncidents)])
	for i := range r.Incidents {
		r.Incidents[i].Detections = nil
	}
	r.Differences = slices.Clone(r.Differences[:min(len(r.Differences), MaxIncidents)])
	for i := range r.Differences {
		for _, v := range []**incident.View{&r.Differences[i].Before, &r.Differences[i].After} {
			if *v != nil {
				short := **v
				short.Detections = nil
				*v = &short
			}
		}
	}
	return &r
}

// backtest is one job.
type backtest struct {
	set *rules.Set
	// base, if it is set, are the rules that the others are compared with.
	base         *rules.Set
	lateness     time.Duration
	since, until int64
	// told is given how far it is: messages of how many, events searched and matched.
	told func(done, of, searched, matched int64)
}

func (b *backtest) run(ctx context.Context, streams searchStreams, parser Parser) (BacktestResult, error) {
	out := BacktestResult{Days: make(map[string]int64)}
	span, err := streams.Span(ctx, b.since, b.until)
	if err != nil {
		return out, err
	}
	p, err := newPlayer(b.set, b.lateness)
	if err != nil {
		return out, err
	}
	var history []rules.Match
	bytes, before := 0, 0
	p.saw = func(m *rules.Match) {
		if bytes += sizeOf(m); len(history) >= nearMatches || bytes > nearBytes {
			history, out.NearLeftOut = nil, true
		}
		if !out.NearLeftOut {
			history = append(history, *m)
		}
	}
	players := []*player{p}
	if b.base != nil {
		was, err := newPlayer(b.base, b.lateness)
		if err != nil {
			return out, err
		}
		was.saw = func(m *rules.Match) { before += sizeOf(m) }
		players = append(players, was)
	}
	of := int64(span.Last) - int64(span.First) + 1
	b.told(0, max(of, 0), 0, 0)
	var searched, matched int64
	e := new(event.Event)
	err = streams.ReadEvents(ctx, span, func(m stream.Taken) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, rec := range m.Records {
			searched++
			if parser.ParseInto(e, rec, m.Time) != nil {
				continue // it is in quarantine
			}
			for _, one := range players {
				hit, err := one.play(e, m.Seq, uint32(i), m.Time)
				if err != nil {
					return err
				}
				if hit && one == p {
					matched++
					out.Days[time.Unix(0, m.Time).UTC().Format(time.DateOnly)]++
				}
			}
		}
		out.Until = m.Time
		b.told(int64(m.Seq-span.First)+1, of, searched, matched)
		for _, one := range players {
			if len(one.book.detections) > maxFound || bytes+before > maxSeen {
				return errEnough
			}
		}
		return nil
	})
	if out.Stopped = errors.Is(err, errEnough); err != nil && !out.Stopped {
		return out, err
	}
	for _, one := range players {
		if err := one.end(b.until, false); err != nil {
			return out, err
		}
	}
	if err := p.bug(); err != nil {
		return out, err
	}
	out.Incidents = p.book.views()
	if b.base != nil {
		if err := out.compare(players[1].book.views()); err != nil {
			return out, err
		}
	}
	b.told(of, of, searched, matched)
	return out, b.near(ctx, &out, history, p.last)
}

// compare says what is other than before.
func (r *BacktestResult) compare(before []incident.View) error {
	all, same, err := Differences(before, r.Incidents)
	if err != nil {
		return err
	}
	r.Differences, r.Changes = all, map[string]int{"same": same}
	for _, d := range all {
		r.Changes[d.Change]++
	}
	return nil
}

// near looks for the keys that came part-way.
func (b *backtest) near(ctx context.Context, out *BacktestResult, history []rules.Match, last int64) error {
	if out.NearLeftOut {
		return nil
	}
	out.Near = make(map[string][]correlate.Near)
	for _, r := range b.set.Rules {
		if r.Within == 0 {
			continue // each event decides by itself
		}
		near, err := correlate.Nearest(b.set, r, correlate.History{Matches: history, Lateness: int64(b.lateness), Until: last, Stop: ctx.Err})
		if err != nil {
			return fmt.Errorf("near misses of %s: %w", r.ID, err)
		}
		for _, n := range near {
			if !n.Done && len(out.Near[r.ID]) < MaxNear {
				out.Near[r.ID] = append(out.Near[r.ID], n)
			}
		}
	}
	return nil
}
