// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
)

// ordered holds of distinct events that serve steps in order, repeats unrolled.
type ordered struct{ steps []uint64 }

func (a ordered) latest(ms []*match) (int64, bool) { return latestSequence(ms, a.steps) }

func (a ordered) mask() (mask uint64) {
	for _, s := range a.steps {
		mask |= s
	}
	return mask
}

func (a ordered) needs() []need {
	var out []need
	for _, s := range a.steps {
		i := slices.IndexFunc(out, func(n need) bool { return n.pattern == place(s) })
		if i < 0 {
			i, out = len(out), append(out, need{pattern: place(s)})
		}
		out[i].events++
	}
	return out
}

// latestSequence returns the latest start time from which ms (ordered by time)
// still has an assignment of distinct events to the steps, each at or after the one
// before; equal times satisfy either order (W3). It works backwards, taking as
// many of the last open steps as each group of equal times can serve, which is never
// worse than taking fewer.
func latestSequence(ms []*match, steps []uint64) (start int64, ok bool) {
	open := len(steps)
	for end := len(ms); end > 0 && open > 0; {
		begin := end - 1
		for begin > 0 && ms[begin-1].ref.Time == ms[begin].ref.Time {
			begin--
		}
		group := ms[begin:end]
		if n := serveLast(group, steps[:open]); n > 0 {
			open -= n
			start = group[0].ref.Time
		}
		end = begin
	}
	return start, open == 0
}

// serveLast returns how many of the last steps distinct events of one group can serve.
func serveLast(group []*match, steps []uint64) int {
	if len(group) == 1 {
		if group[0].bits&steps[len(steps)-1] != 0 {
			return 1
		}
		return 0
	}
	if len(group) > 2*len(steps) {
		group = few(group, ordered{steps}.mask(), len(steps))
	}
	m := newMatching(group)
	n := 0
	for n < len(steps) && n < len(group) && m.serve(steps[len(steps)-1-n]) {
		n++
	}
	return n
}

// few returns a part of a group that is as good as all of it: of events that are alike no more than n.
func few(group []*match, mask uint64, n int) []*match {
	type kind struct {
		bits  uint64
		count int
	}
	var kinds []kind
	var out []*match
	for _, m := range group {
		bits := m.bits & mask
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.bits == bits })
		if i < 0 {
			i, kinds = len(kinds), append(kinds, kind{bits, 0})
		}
		if kinds[i].count++; bits != 0 && kinds[i].count <= n {
			out = append(out, m)
		}
	}
	return out
}

// matching assigns steps to distinct events of one group of equal times, by augmenting paths.
type matching struct {
	group []*match
	steps []uint64
	owner []int // step that an event serves, -1 if free
}

func newMatching(group []*match) *matching {
	m := &matching{group: group, owner: make([]int, len(group))}
	for i := range m.owner {
		m.owner[i] = -1
	}
	return m
}

// serve adds a step, moving others if it must; it reports whether there is an event for each.
func (m *matching) serve(step uint64) bool {
	m.steps = append(m.steps, step)
	if m.augment(len(m.steps)-1, make([]bool, len(m.group))) {
		return true
	}
	m.steps = m.steps[:len(m.steps)-1]
	return false
}

func (m *matching) augment(step int, seen []bool) bool {
	for i, x := range m.group {
		if seen[i] || x.bits&m.steps[step] == 0 || m.owner[i] == pinned {
			continue
		}
		seen[i] = true
		if m.owner[i] < 0 || m.augment(m.owner[i], seen) {
			m.owner[i] = step
			return true
		}
	}
	return false
}
