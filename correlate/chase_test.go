// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/rules"
)

// drawnWindow is a window of more events than the property of the engine draws, to which events come, mostly in order, and from
// which some go.
func drawnWindow(t *rapid.T, p *plan, each func(w *window)) {
	w := newWindow(p, "")
	last := int64(100)
	for i := range rapid.IntRange(5, 40).Draw(t, "events") {
		at := last + rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 5}).Draw(t, "later")
		if rapid.IntRange(0, 9).Draw(t, "older") == 0 {
			at = last - rapid.Int64Range(1, 12).Draw(t, "by")
		}
		last = max(last, at)
		ref := rules.EventRef{ID: event.NewID("test", fmt.Sprint(i), 0), Time: at, Arrival: at}
		w.put(ref, rapid.Uint64Range(1, 7).Draw(t, "patterns"), 0, nil, now{})
		if rapid.IntRange(0, 9).Draw(t, "goes") == 0 {
			w.take(w.ms[rapid.IntRange(0, len(w.ms)-1).Draw(t, "which")])
		}
		if w.index != nil {
			each(w)
		}
	}
}

// TestWhatFollowsIsWhatIsLookedFor: what a window keeps to answer quickly says of every event what looking at all events
// says, however they came and went.
func TestWhatFollowsIsWhatIsLookedFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q rules.Sequence
		for range rapid.IntRange(1, 3).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "absence before") {
				q.Steps = append(q.Steps, rules.Step{Pattern: rapid.IntRange(0, 2).Draw(t, "absent"), Not: true})
			}
			q.Steps = append(q.Steps, rules.Step{Pattern: rapid.IntRange(0, 2).Draw(t, "pattern"), Times: rapid.IntRange(1, 3).Draw(t, "times")})
		}
		q.Steps = append(q.Steps, rules.Step{Pattern: rapid.IntRange(0, 2).Draw(t, "absent at last"), Not: true})
		if last := len(q.Steps) - 1; rapid.Bool().Draw(t, "nothing at last") && slices.ContainsFunc(q.Steps[:last], func(s rules.Step) bool { return s.Not }) {
			q.Steps = q.Steps[:last]
		}
		different := rules.Distinct{Pattern: 0, Values: []int{0}, Op: rules.EQ, N: 1}
		r := &rules.Rule{When: rules.And{X: []rules.Cond{q, different}}, Within: 10, Patterns: make([]rules.Pattern, 3)}
		p, err := newPlan(r, 1000, &DefaultLimits, "")
		if err != nil {
			t.Fatal(err)
		}
		s := p.chased[0]
		drawnWindow(t, p, func(w *window) {
			for _, e := range w.ms {
				at := e.ref.Time
				around := between(w.ms, at-p.reach, at+p.reach)
				back := between(around, at-p.t, at)
				if got, want := w.chase(0).holds(at-p.t, at), s.among(back, around, p.t); got != want {
					t.Fatalf("the sequence %+v of event %x at %d: %t, want %t, of %v", s, e.ref.ID[:2], at, got, want, shown(w.ms))
				}
				times := w.timeline()
				from, to := at-rapid.Int64Range(0, 12).Draw(t, "back"), at+rapid.Int64Range(0, 12).Draw(t, "ahead")
				part := between(w.ms, from, to)
				for bit := uint64(1); bit < 8; bit <<= 1 {
					n := 0
					for _, m := range part {
						if m.bits&bit != 0 {
							n++
						}
					}
					if got := times.count(bit, from, to); got != n {
						t.Fatalf("%d events with %b in [%d, %d], want %d of %v", got, bit, from, to, n, shown(w.ms))
					}
					c := counting{bit, 2}
					wantStart, want := c.latest(part)
					if start, ok := times.latest(bit, 2, from, to); ok != want || ok && start != wantStart {
						t.Fatalf("two of %b in [%d, %d] from %d, %t; want %d, %t of %v", bit, from, to, start, ok, wantStart, want, shown(w.ms))
					}
				}
				if _, got := times.last(6, from, to); got != anyBits(part, 6) {
					t.Fatalf("b or c in [%d, %d]: %t of %v", from, to, got, shown(w.ms))
				}
			}
		})
	})
}

// shown prints events.
func shown(ms []*match) (out []string) {
	for _, m := range ms {
		out = append(out, fmt.Sprintf("%d:%b", m.ref.Time, m.bits))
	}
	return out
}

// TestASlideIsItsStretch: a tally that slides is the tally of the stretch that it is asked for, whatever it was asked for before.
func TestASlideIsItsStretch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := counter{}
		p := &plan{rule: &rules.Rule{Within: 10, Patterns: make([]rules.Pattern, 3)}, facts: 3, own: 7, settled: true, t: 10, reach: 20, late: 1000, limits: &DefaultLimits}
		p.sliding(func() adder { return &counter{} })
		drawnWindow(t, p, func(w *window) {
			from := rapid.Int64Range(80, 200).Draw(t, "from")
			to := from + rapid.Int64Range(0, 30).Draw(t, "long")
			of.clear()
			for _, m := range between(w.ms, from, to) {
				of.note(m, 1)
			}
			if got := *w.slide(0, from, to).(*counter); got != of {
				t.Fatalf("[%d, %d] is %v, want %v of %v", from, to, got, of, shown(w.ms))
			}
		})
	})
}

// counter counts events by pattern.
type counter [3]int32

func (c *counter) note(m *match, n int32) {
	for b := range c {
		if m.bits&(1<<b) != 0 {
			c[b] += n
		}
	}
}

func (c *counter) clear() { *c = counter{} }
