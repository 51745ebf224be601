// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"
	"sort"

	"tocsin/event"
)

// memory is what a window keeps of events that it has forgotten, for conditions that look further back than to what can
// still be judged again. What it keeps is less than the events, and as much as an event that is yet to come can ask.
//
// An event that is yet to come is on time, or later by a bound: of those that come after it (tooLate) a memory takes no
// notice. What a memory says of an event e is a function of times and arrivals: it counts what arrived before e could
// be judged no more (known), and that is all that the memory had folded by then.
type memory interface {
	// stir takes notice that m came, changed or went. It returns other events that have to be judged again: some by
	// themselves, others with all around them.
	stir(m *match) (one, around []*match)
	// fold takes in an event that leaves the window; it returns how much a limit dropped for it.
	fold(m *match) (dropped int)
	// forget lets go of what no event can ask for any more.
	forget(clock int64) (changed bool)
	// wake is the next clock at which there is something to forget, 0 if never.
	wake() int64
	empty() bool
	encode(w *event.Writer)
	decode(r *event.Reader)
}

// maxSpans bounds the stretches of one key or value: more come only of events from the future.
const maxSpans = 64

// remembering is a part of a condition that needs a memory.
type remembering interface{ memory(w *window) memory }

// known reports whether x arrived while e could still be judged again.
func (w *window) known(x, e *match) bool { return x.ref.Arrival <= w.plan.keep(e) }

// flip sets or clears a fact of an event, a bit that is no pattern's.
func (w *window) flip(m *match, fact uint64) {
	w.note(m, -1)
	m.bits ^= fact
	w.note(m, 1)
}

// span is a stretch of time in which something was seen again and again.
type span struct{ from, to int64 }

// spans are stretches further apart than a gap, in order.
type spans []span

// add notes that something was seen.
func (s spans) add(t, gap int64) spans {
	i := sort.Search(len(s), func(i int) bool { return add(s[i].to, gap) >= t })
	if i == len(s) || add(t, gap) < s[i].from {
		return slices.Insert(s, i, span{t, t})
	}
	s[i].from, s[i].to = min(s[i].from, t), max(s[i].to, t)
	if i+1 < len(s) && s[i+1].from <= add(s[i].to, gap) {
		s[i].to = s[i+1].to
		s = slices.Delete(s, i+1, i+2)
	}
	return s
}

// before reports whether something was seen before t, by the gap at the most.
func (s spans) before(t, gap int64) bool {
	_, ok := s.reach(t, gap)
	return ok
}

// reach returns where the stretch began in which something was seen before t.
func (s spans) reach(t, gap int64) (from int64, ok bool) {
	for _, x := range s {
		if x.from < t && t <= add(x.to, gap) {
			return x.from, true
		}
	}
	return 0, false
}

// forget lets go of stretches that ended before a time.
func (s spans) forget(before int64) spans {
	i := 0
	for i < len(s) && s[i].to < before {
		i++
	}
	return s[i:]
}

func (s spans) encode(w *event.Writer) {
	w.Uint(uint64(len(s)))
	for _, x := range s {
		w.Int(x.from)
		w.Int(x.to)
	}
}

func decodeSpans(r *event.Reader) spans {
	var s spans
	for range r.Len() {
		s = append(s, span{r.Int(), r.Int()})
		if r.Err != nil {
			return nil
		}
	}
	return s
}

// began returns since when a pattern of the key has been seen again and again up to the time of e, with no gap longer than
// gap; it looks no further back than to enough. takes says which events count.
func (w *window) began(e *match, old spans, gap, enough int64, takes func(*match) bool) int64 {
	begin := e.ref.Time
	young := between(w.ms, -1<<63, begin)
	for moved := true; moved && begin > enough; {
		moved = false
		if from, ok := old.reach(begin, gap); ok {
			begin, moved = from, true
		}
		for len(young) > 0 && young[len(young)-1].ref.Time >= add(begin, -gap) && begin > enough {
			m := young[len(young)-1]
			young = young[:len(young)-1]
			if m.ref.Time < begin && w.known(m, e) && takes(m) {
				begin, moved = m.ref.Time, true
			}
		}
	}
	return begin
}
