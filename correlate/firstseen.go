// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"

	"tocsin/event"
)

// firstSeen is a fact of events: that the key did not have their value before. In a window that is a bit beside those of
// patterns, set when the event comes and cleared when a late one contradicts it.
type firstSeen struct {
	bit    uint64 // the pattern
	fact   uint64
	values []int
	learn  int64
}

func (f *firstSeen) memory(w *window) memory {
	return &values{firstSeen: f, w: w, seen: make(map[string]spans), young: make(map[string]int32)}
}

// values remembers when a key had which values.
type values struct {
	*firstSeen
	w *window
	// seen has the stretches of time of each value, all those of any.
	seen map[string]spans
	all  spans
	// young counts the events that the window still holds, by value.
	young map[string]int32
	// oldest is a time that no stretch ended before, 0 if it is not known.
	oldest int64
}

// A value that no other event of the window has need not be looked for: values follows the window as a tracker does.
func (v *values) note(m *match, n int32) {
	value, ok := m.tuple(v.bit, v.values)
	if !ok {
		return
	}
	if v.young[value] += n; v.young[value] == 0 {
		delete(v.young, value)
	}
}

func (v *values) enough() bool { return true }
func (v *values) clear()       { clear(v.young) }

// tooLate is by how much an event can come late and still be new, or make others not new.
func (v *values) tooLate() int64 { return v.learn + v.w.plan.late }

// takes reports whether an event takes part.
func (v *values) takes(m *match) bool {
	return m.bits&v.bit != 0 && m.ref.Arrival <= add(m.ref.Time, v.tooLate())
}

func (v *values) stir(m *match) (one, around []*match) {
	for _, e := range between(v.w.ms, m.ref.Time, 1<<63-1) {
		if v.isNew(e) != (e.bits&v.fact != 0) {
			v.w.flip(e, v.fact)
			if e != m {
				around = append(around, e)
			}
		}
	}
	return nil, around
}

// isNew reports whether the key did not have the event's value within learn before, and was old enough to tell.
func (v *values) isNew(e *match) bool {
	value, ok := e.tuple(v.bit, v.values)
	if !ok || !v.takes(e) || v.seen[value].before(e.ref.Time, v.learn) {
		return false
	}
	if v.young[value] > 1 {
		for _, m := range slices.Backward(between(v.w.ms, add(e.ref.Time, -v.learn), add(e.ref.Time, -1))) {
			if x, ok := m.tuple(v.bit, v.values); ok && x == value && v.takes(m) && v.w.known(m, e) {
				return false
			}
		}
	}
	enough := add(e.ref.Time, -v.learn)
	return v.w.began(e, v.all, v.learn, enough, v.takes) <= enough
}

func (v *values) fold(m *match) (dropped int) {
	if !v.takes(m) {
		return 0
	}
	v.oldest = min(v.oldest, m.ref.Time)
	if v.all = v.all.add(m.ref.Time, v.learn); len(v.all) > maxSpans {
		v.all, v.w.capped = v.all[:maxSpans], true
		dropped++
	}
	value, ok := m.tuple(v.bit, v.values)
	if !ok {
		return dropped
	}
	if v.seen[value] = v.seen[value].add(m.ref.Time, v.learn); len(v.seen[value]) > maxSpans {
		v.seen[value], v.w.capped = v.seen[value][:maxSpans], true
		dropped++
	}
	if len(v.seen) > v.w.plan.limits.Values {
		dropped += v.shrink()
	}
	return dropped
}

// shrink forgets the values that were seen longest ago (B2).
func (v *values) shrink() (dropped int) {
	type last struct {
		value string
		to    int64
	}
	all := make([]last, 0, len(v.seen))
	for value, s := range v.seen {
		all = append(all, last{value, s[len(s)-1].to})
	}
	slices.SortFunc(all, func(a, b last) int {
		return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.value, b.value))
	})
	limit := v.w.plan.limits.Values
	dropped = len(all) - (limit - limit/10)
	for _, x := range all[:dropped] {
		delete(v.seen, x.value)
	}
	v.w.capped = true
	return dropped
}

// lasting is how long after it was seen last a value can be asked for: by an event that is learn younger and as late as it
// may be, and as long as that can be judged again.
func (v *values) lasting() int64 { return add(v.learn, v.tooLate()+v.w.plan.retention()+1) }

func (v *values) forget(clock int64) (changed bool) {
	before := add(clock, -v.lasting())
	if before <= v.oldest {
		return false
	}
	v.oldest = clock
	for value, s := range v.seen {
		left := s.forget(before)
		changed = changed || len(left) < len(s)
		if len(left) == 0 {
			delete(v.seen, value)
			continue
		}
		v.seen[value], v.oldest = left, min(v.oldest, left[0].to)
	}
	left := v.all.forget(before)
	changed = changed || len(left) < len(v.all)
	if v.all = left; len(left) > 0 {
		v.oldest = min(v.oldest, left[0].to)
	}
	return changed
}

// wake may lag by a tenth: forgetting looks at every value.
func (v *values) wake() int64 {
	if v.empty() {
		return 0
	}
	return add(v.oldest, v.lasting()+v.lasting()/10)
}

func (v *values) empty() bool { return len(v.all) == 0 }

func (v *values) encode(w *event.Writer) {
	v.all.encode(w)
	w.Uint(uint64(len(v.seen)))
	for _, value := range sortedIDs(v.seen) {
		w.String(value)
		v.seen[value].encode(w)
	}
}

func (v *values) decode(r *event.Reader) {
	v.all = decodeSpans(r)
	for range r.Len() {
		value := r.String()
		s := decodeSpans(r)
		if r.Err != nil || len(s) == 0 {
			r.Err = cmp.Or(r.Err, event.ErrValue)
			return
		}
		v.seen[value] = s
	}
}
