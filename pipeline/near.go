// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/stream"
)

// Bounds of looking for near misses.
const (
	// nearFor is how long the log is read, nearMatches and nearBytes what is kept of it.
	nearFor     = 5 * time.Second
	nearMatches = 50_000
	nearBytes   = 32 << 20
	// MaxNear is how many keys are told of.
	MaxNear = 50
)

// NearMisses is how far the keys of a rule came.
type NearMisses struct {
	// Near are the furthest first, at most [MaxNear] of Keys.
	Near []correlate.Near
	Keys int
	// Since is the arrival from which on events were read. Complete is false if that is less than the rule reaches back.
	Since    int64
	Complete bool
}

// Near returns how far the keys of a rule came with the newest events of a scope, as far back as the rule reaches and its
// bounds allow. The error may be ErrBusy.
func (s *Searcher) Near(ctx context.Context, set *rules.Set, r *rules.Rule, scope incident.Scope, lateness time.Duration) (NearMisses, error) {
	release, err := s.hold()
	if err != nil {
		return NearMisses{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, searchAtMost)
	defer cancel()
	now := time.Now()
	out := NearMisses{Since: now.Add(-(2*r.Within + lateness)).UnixNano(), Complete: true}
	span, err := s.streams.Span(ctx, out.Since, 0)
	if err != nil {
		return out, err
	}
	only, e, found := set.Only(r), new(event.Event), rules.Result{}
	history := correlate.History{Lateness: int64(lateness), Until: now.UnixNano(), Stop: ctx.Err}
	var parts [][]rules.Match // the newest part first
	var part []rules.Match
	first := true // of the part
	matches, bytes, more, oldest := 0, 0, 0, int64(0)
	left, err := s.backward(ctx, span, func(m stream.Taken) error {
		if first {
			first, oldest = false, m.Time
		}
		for i, rec := range m.Records {
			if s.parser.ParseInto(e, rec, m.Time) != nil || !scope.Has(placeOf(e)) {
				continue
			}
			found.Reset()
			only.Match(e, &found)
			for j := range found.Matches {
				x := found.Matches[j]
				x.Event.Seq, x.Event.Index = m.Seq, uint32(i)
				part = append(part, x)
				more += sizeOf(&x)
			}
		}
		return nil
	}, func() { part, more, first = nil, 0, true }, func() bool {
		matches += len(part)
		bytes += more
		parts = append(parts, part)
		part, more, first = nil, 0, true
		return matches > nearMatches || bytes > nearBytes || time.Since(now) > nearFor
	})
	if err != nil {
		return out, err
	}
	if left >= span.First {
		out.Since, out.Complete = oldest, false
	}
	for _, p := range slices.Backward(parts) {
		history.Matches = append(history.Matches, p...)
	}
	near, err := correlate.Nearest(set, r, history)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrTooMuch
	}
	out.Near, out.Keys = near[:min(len(near), MaxNear)], len(near)
	return out, err
}
