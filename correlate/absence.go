// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/rules"
)

// sequence is a sequence with absences between its steps. guards[k] has the
// patterns that must not occur just before step k; guards[len(steps)] those after the last.
type sequence struct {
	steps  []uint64
	guards []uint64
	at     int // the place of what follows it through a window
}

func newSequence(c rules.Sequence) sequence {
	s := sequence{guards: []uint64{0}}
	for _, st := range c.Steps {
		if st.Not {
			s.guards[len(s.steps)] |= 1 << st.Pattern
			continue
		}
		for range max(st.Times, 1) {
			s.steps = append(s.steps, 1<<st.Pattern)
			s.guards = append(s.guards, 0)
		}
	}
	return s
}

func (s sequence) guarded() bool {
	for _, g := range s.guards {
		if g != 0 {
			return true
		}
	}
	return false
}

func (s sequence) mask() (mask uint64) {
	for _, g := range s.guards {
		mask |= g
	}
	return mask
}

func (s sequence) ahead() uint64 { return s.guards[len(s.steps)] }

func (s sequence) end(x *view) (end int64, open bool) {
	if s.guards[len(s.steps)] != 0 {
		return add(x.e.ref.Time, x.w.plan.t), false
	}
	return x.e.ref.Time, false
}

// pinned marks an event that an absence forces into one step.
const pinned = -2

// holds looks no further than it must: what follows the sequence knows, if all met all.
func (s sequence) holds(x *view) bool {
	if t := x.e.ref.Time; x.timeline != nil {
		return x.w.chase(s.at).holds(add(t, -x.w.plan.t), t)
	}
	return s.among(x.back, x.around, x.w.plan.t)
}

// among reports whether some assignment of events of w to the steps keeps every absence.
// w is the window of the judged event, around has all events that an absence at either end may
// have to see; both are ordered by time, and t is T (A1).
//
// It walks the groups of equal times forwards. alive[k] means: the first k steps are
// served, and nothing that guards step k has been seen since the event that served
// step k-1 (or, for k = 0, the guard's reach before the group is clear).
func (s sequence) among(w, around []*match, t int64) bool {
	n := len(s.steps)
	alive := make([]bool, n+1)
	next := make([]bool, n+1)
	for begin := 0; begin < len(w); {
		end := begin + 1
		for end < len(w) && w[end].ref.Time == w[begin].ref.Time {
			end++
		}
		group := w[begin:end]
		begin = end
		time := group[0].ref.Time
		alive[0] = s.guards[0] == 0 || !occurs(around, s.guards[0], add(time, -t), add(time, -1))
		clear(next)
		for k := range n {
			if !alive[k] {
				continue
			}
			if k > 0 && !anyBits(group, s.guards[k]) {
				next[k] = true
			}
			for r := 1; r <= len(group) && k+r <= n; r++ {
				if s.fits(group, k, k+r) {
					if k+r == n {
						if s.guards[n] == 0 || !occurs(around, s.guards[n], add(time, 1), add(time, t)) {
							return true
						}
					} else {
						next[k+r] = true
					}
				} else if !s.guardedWithin(k, k+r) {
					break // more steps cannot fit where fewer do not
				}
			}
		}
		alive, next = next, alive
	}
	return false
}

func (s sequence) guardedWithin(from, to int) bool {
	for k := from; k <= to; k++ {
		if s.guards[k] != 0 {
			return true
		}
	}
	return false
}

// fits reports whether distinct events of one group of equal times can serve steps [from,to)
// while every guard before, between and after them holds at that time: an event that a guard
// names contradicts unless it is itself the neighbour.
func (s sequence) fits(group []*match, from, to int) bool {
	if len(group) == 1 { // it is its own neighbour
		return to == from+1 && group[0].bits&s.steps[from] != 0
	}
	return s.pin(group, from, to, from, make([]int, to-from))
}

// pin chooses, guard by guard, which neighbour each guarded event must be, and asks for a matching
// of the rest. chosen[i] is 1 + the event that must serve step from+i, 0 if free.
func (s sequence) pin(group []*match, from, to, k int, chosen []int) bool {
	for ; k <= to; k++ {
		if s.guards[k] == 0 {
			continue
		}
		for i, x := range group {
			if x.bits&s.guards[k] == 0 || s.isChosen(chosen, from, k, i) {
				continue
			}
			for _, step := range [2]int{k - 1, k} {
				if step < from || step >= to || chosen[step-from] != 0 || x.bits&s.steps[step] == 0 || isIn(chosen, i+1) {
					continue
				}
				chosen[step-from] = i + 1
				if s.pin(group, from, to, k, chosen) {
					return true
				}
				chosen[step-from] = 0
			}
			return false
		}
	}
	m := newMatching(group)
	for i := range chosen {
		if chosen[i] != 0 {
			m.owner[chosen[i]-1] = pinned
		}
	}
	for i := range chosen {
		if chosen[i] == 0 && !m.serve(s.steps[from+i]) {
			return false
		}
	}
	return true
}

// isChosen reports whether event i is one of the neighbours of guard k.
func (s sequence) isChosen(chosen []int, from, k, i int) bool {
	for _, step := range [2]int{k - 1, k} {
		if j := step - from; j >= 0 && j < len(chosen) && chosen[j] == i+1 {
			return true
		}
	}
	return false
}

func isIn(xs []int, x int) bool {
	return slices.Contains(xs, x)
}

func anyBits(ms []*match, bits uint64) bool {
	for _, m := range ms {
		if m.bits&bits != 0 {
			return true
		}
	}
	return false
}

// occurs reports whether an event of ms with one of the bits has its time in [from, to].
func occurs(ms []*match, bits uint64, from, to int64) bool {
	for _, m := range between(ms, from, to) {
		if m.bits&bits != 0 {
			return true
		}
	}
	return false
}
