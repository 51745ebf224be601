// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"slices"

	"tocsin/event"
	"tocsin/rules"
)

const (
	hour = int64(3600e9)
	day  = 24 * hour
	// usualSpan is how far back the usual rate looks.
	usualSpan = rules.UsualDays * day
	// maxDays bounds the days of one key: more come only of events from the future.
	maxDays = 64
)

func dayOf(t int64) int64  { return (t - mod(t, day)) / day }
func hourOf(t int64) int64 { return mod(t, day) / hour }

func mod(t, n int64) int64 { return (t%n + n) % n }

// usual is a pattern of which windows remember how often it was seen, by day and hour.
type usual struct{ bit uint64 }

func (u usual) memory(w *window) memory {
	return &history{usual: u, w: w, days: make(map[int64]*[24]uint32)}
}

// history is the counts of a key's hours, in UTC.
type history struct {
	usual
	w    *window
	days map[int64]*[24]uint32
	all  spans
}

// tooLate is by how much an event can come late and still be counted, or judged.
func (h *history) tooLate() int64 { return day + h.w.plan.late }

func (h *history) onTime(m *match) bool { return m.ref.Arrival <= add(m.ref.Time, h.tooLate()) }

func (h *history) takes(m *match) bool { return m.bits&h.bit != 0 && h.onTime(m) }

// stir: an event counts in the usual rate of those on later days, and can show that the key is older than was known.
func (h *history) stir(m *match) (one, around []*match) {
	for _, e := range between(h.w.ms, add(m.ref.Time, 1), 1<<63-1) {
		if h.w.known(m, e) {
			one = append(one, e)
		}
	}
	return one, nil
}

// sum is how often the pattern was seen at the event's hour on the days before; ok is false if the key does not have
// that many.
func (h *history) sum(e *match) (sum int64, ok bool) {
	if !h.onTime(e) {
		return 0, false
	}
	today, at := dayOf(e.ref.Time), hourOf(e.ref.Time)
	for d := today - rules.UsualDays; d < today; d++ {
		if n := h.days[d]; n != nil {
			sum += int64(n[at])
		}
	}
	for _, m := range between(h.w.ms, (today-rules.UsualDays)*day, today*day-1) {
		if hourOf(m.ref.Time) == at && h.takes(m) && h.w.known(m, e) {
			sum++
		}
	}
	enough := (today-rules.UsualDays+1)*day - 1
	return sum, h.w.began(e, h.all, usualSpan, enough, h.takes) <= enough
}

func (h *history) fold(m *match) (dropped int) {
	if !h.takes(m) {
		return 0
	}
	if h.all = h.all.add(m.ref.Time, usualSpan); len(h.all) > maxSpans {
		h.all = h.all[:maxSpans]
		dropped++
	}
	d := dayOf(m.ref.Time)
	if h.days[d] == nil {
		h.days[d] = new([24]uint32)
	}
	h.days[d][hourOf(m.ref.Time)]++
	if len(h.days) > maxDays {
		delete(h.days, slices.Max(h.sortedDays()))
		dropped++
	}
	h.w.capped = h.w.capped || dropped > 0
	return dropped
}

func (h *history) sortedDays() []int64 {
	out := make([]int64, 0, len(h.days))
	for d := range h.days {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// lasting is how long after it an event is counted: by one that looks back to it, and as late as it may be, and as
// long as that can be judged again.
func (h *history) lasting() int64 { return usualSpan + day + h.tooLate() + h.w.plan.retention() + 1 }

func (h *history) forget(clock int64) (changed bool) {
	before := add(clock, -h.lasting())
	for d := range h.days {
		if (d+1)*day < before {
			delete(h.days, d)
			changed = true
		}
	}
	left := h.all.forget(before)
	changed = changed || len(left) < len(h.all)
	h.all = left
	return changed
}

func (h *history) wake() int64 {
	next := int64(0)
	for d := range h.days {
		if at := add((d+1)*day+hour, h.lasting()); next == 0 || at < next {
			next = at
		}
	}
	if len(h.all) > 0 {
		if at := add(h.all[0].to+hour, h.lasting()); next == 0 || at < next {
			next = at
		}
	}
	return next
}

func (h *history) empty() bool { return len(h.days) == 0 && len(h.all) == 0 }

func (h *history) encode(w *event.Writer) {
	h.all.encode(w)
	w.Uint(uint64(len(h.days)))
	for _, d := range h.sortedDays() {
		w.Int(d)
		for _, n := range h.days[d] {
			w.Uint(uint64(n))
		}
	}
}

func (h *history) decode(r *event.Reader) {
	h.all = decodeSpans(r)
	for range r.Len() {
		d, counts := r.Int(), new([24]uint32)
		for i := range counts {
			counts[i] = uint32(r.Uint())
		}
		if r.Err != nil {
			return
		}
		h.days[d] = counts
	}
}

// rated compares the count of W(e) with what is usual.
type rated struct {
	usual
	at    int // the place of its memory
	op    rules.Op
	times rules.Number
	// The mean of the hour, scaled to T, is the days' sum × perSum / perCount.
	perCount, perSum int64
}

func newRated(u usual, at int, t int64, c rules.Rate) rated {
	hours := rules.UsualDays * hour
	both := hours
	for x := t; x != 0; { // their greatest common divisor: the products stay small
		both, x = x, both%x
	}
	return rated{u, at, c.Op, c.Times, hours / both, t / both}
}

func (c rated) ahead() bool  { return false }
func (c rated) mask() uint64 { return c.bit }

func (c rated) holds(v *view) bool {
	n := int64(0)
	if v.timeline != nil {
		n = int64(v.timeline.count(c.bit, add(v.e.ref.Time, -v.w.plan.t), v.e.ref.Time))
	} else {
		for _, m := range v.back {
			if m.bits&c.bit != 0 {
				n++
			}
		}
	}
	sum, ok := v.w.memories[c.at].(*history).sum(v.e)
	count := total{small: n * c.perCount}
	return ok && c.op.Of(count.compare(c.times, sum*c.perSum))
}
