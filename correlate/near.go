// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"math"
	"slices"

	"tocsin/rules"
)

// Step is one part of a condition, and how far a key came with it.
type Step struct {
	// What is the part, in the words of the rule.
	What string `json:"what"`
	// Have of Need events or values, where further ones can only help; Need is 0 of every other part.
	Have int64 `json:"have"`
	Need int64 `json:"need"`
	Done bool  `json:"done"`
	// Value is the number that the part compares, where that is not Have of Need.
	Value string `json:"value,omitempty"`
	// Against is the id of an event that contradicts an absence.
	Against string `json:"against,omitempty"`
	// Open: the input ends before it is known.
	Open bool `json:"open,omitempty"`
}

// Near is how far one key came: at its last firing point, or at the event with which most of the condition held.
type Near struct {
	Key   rules.Key
	Steps []Step
	// At is the event's time, Unix nanoseconds.
	At int64
	// Window has the events that it is judged by, those before it and itself, if the history asks for them.
	Window []rules.EventRef
	// Done reports whether the rule fires for the key: it is the engine's verdict.
	Done bool
}

// share is how much of a condition holds, from 0 to 1.
func share(steps []Step) float64 {
	sum := 0.0
	for _, s := range steps {
		if s.Done {
			sum++
		} else if s.Need > 0 {
			sum += float64(min(s.Have, s.Need)) / float64(s.Need)
		}
	}
	return sum / float64(max(len(steps), 1))
}

func allDone(steps []Step) bool {
	return !slices.ContainsFunc(steps, func(s Step) bool { return !s.Done })
}

// History is what a Set matched in an input that is over.
type History struct {
	// Matches are in the order of the input.
	Matches []rules.Match
	// Lateness is L, Until the last arrival of the input, both in nanoseconds: what is judged no further than the input goes
	// is judged up to there (C4).
	Lateness, Until int64
	// Stop is asked at each event whether to go on: its error ends the work. Nil is never.
	Stop func() error
	// Windows has each [Near] list the events of its window.
	Windows bool
}

func (h History) stopped() error {
	if h.Stop == nil {
		return nil
	}
	return h.Stop()
}

// Nearest returns how far each key of a rule of a Set came, the furthest first.
func Nearest(set *rules.Set, r *rules.Rule, h History) ([]Near, error) {
	h.Matches = slices.DeleteFunc(slices.Clone(h.Matches), func(m rules.Match) bool { return m.Rule != r.Revision })
	fires, err := h.replay(set.Only(r))
	if err != nil {
		return nil, err
	}
	windows, err := h.windows(r)
	if err != nil {
		return nil, err
	}
	var out []Near
	for _, w := range windows {
		near, err := w.nearest(w.plan.parts(r.When, false), h, fires[w.key])
		if err != nil {
			return nil, err
		}
		out = append(out, near)
	}
	slices.SortFunc(out, func(a, b Near) int {
		return cmp.Or(-compareBool(a.Done, b.Done), cmp.Compare(share(b.Steps), share(a.Steps)), cmp.Compare(b.At, a.At), cmp.Compare(a.Key, b.Key))
	})
	return out, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// replay returns the keys for which an engine that is given the history has a detection at the end.
func (h History) replay(set *rules.Set) (map[rules.Key]bool, error) {
	e := New(h.Lateness, Limits{})
	if err := e.Use(set); err != nil {
		return nil, err
	}
	found := make(map[string]rules.Key) // by detection
	step := func(x Entry) error {
		err := e.Step(x)
		for _, d := range e.Changes().Detections {
			switch {
			case d.Moved:
			case d.Gone || d.Detection.Retracted != nil:
				delete(found, d.Detection.ID)
			default:
				found[d.Detection.ID] = d.Detection.Key
			}
		}
		return err
	}
	// The clock is the least arrival of what is not read yet (C4).
	clocks := make([]int64, len(h.Matches))
	for i, least := len(clocks)-1, int64(math.MaxInt64); i >= 0; i-- {
		least = min(least, h.Matches[i].Event.Arrival)
		clocks[i] = least
	}
	for i := range h.Matches {
		if err := h.stopped(); err != nil {
			return nil, err
		}
		for _, x := range []Entry{{Tick: &Tick{Clock: clocks[i], Set: set.Hash}}, {Matches: &Matches{Set: set.Hash, Matches: h.Matches[i : i+1]}}} {
			if err := step(x); err != nil {
				return nil, err
			}
		}
	}
	if err := step(Entry{Tick: &Tick{Clock: atTheEnd, Set: set.Hash, Horizon: h.Until}}); err != nil {
		return nil, err
	}
	fires := make(map[rules.Key]bool)
	for _, key := range found {
		fires[key] = true
	}
	return fires, nil
}

// atTheEnd is a clock that is past every deadline.
const atTheEnd = math.MaxInt64 / 4

// windows returns those of a rule's keys as they would be if nothing were ever forgotten or limited: what an engine has let
// go of by the end can still be told of.
func (h History) windows(r *rules.Rule) ([]*window, error) {
	p, err := newPlan(r, h.Lateness, &Limits{math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt}, "")
	if err != nil {
		return nil, err
	}
	c := &cell{plan: p}
	for i := range h.Matches {
		if err := h.stopped(); err != nil {
			return nil, err
		}
		c.take(&h.Matches[i], now{clock: atTheEnd, horizon: h.Until}, new(Stats))
	}
	return slices.DeleteFunc(sorted(c.windows), func(w *window) bool { return w.plan != p || len(w.ms) == 0 }), nil
}

// nearest says how far the key of a window came.
func (w *window) nearest(alternatives [][]part, h History, fires bool) (Near, error) {
	best := w.ms[len(w.ms)-1]
	if fires {
		for _, e := range w.ms {
			if e.fp {
				best = e
			}
		}
	} else {
		most := -1.0
		for _, e := range w.ms {
			if err := h.stopped(); err != nil {
				return Near{}, err
			}
			if n := share(w.steps(alternatives, e, h.Until, false)); n >= most {
				best, most = e, n
			}
		}
	}
	out := Near{Key: w.key, Steps: w.steps(alternatives, best, h.Until, true), At: best.ref.Time, Done: fires}
	if h.Windows {
		for _, m := range w.sight(best).back {
			out.Window = append(out.Window, m.ref)
		}
	}
	return out, nil
}
