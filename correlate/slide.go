// SPDX-License-Identifier: Apache-2.0

package correlate

// adder adds events up, and takes them away again.
type adder interface {
	note(m *match, n int32)
	clear()
}

// slide is a tally of the events of a stretch of time that moves along a window: what is asked of one event after the
// other costs what came and went between them. Nothing is in it while it ends before it begins.
type slide struct {
	adder
	from, to int64
}

func (s *slide) note(m *match, n int32) {
	if s.from <= m.ref.Time && m.ref.Time <= s.to {
		s.adder.note(m, n)
	}
}

// slide moves a tally of the window to [from, to].
func (w *window) slide(at int, from, to int64) adder {
	s := w.index.slides[at]
	if from > s.to || to < s.from {
		s.clear()
		s.from, s.to = from, add(from, -1)
	}
	for _, x := range []struct {
		from, to int64
		n        int32
	}{
		{s.from, add(from, -1), -1}, {add(to, 1), s.to, -1},
		{from, add(s.from, -1), 1}, {add(s.to, 1), to, 1},
	} {
		for _, m := range between(w.ms, x.from, x.to) {
			s.adder.note(m, x.n)
		}
	}
	s.from, s.to = from, to
	return s.adder
}

// newSlides makes the tallies of a plan.
func newSlides(p *plan) []*slide {
	out := make([]*slide, 0, len(p.tallies))
	for _, t := range p.tallies {
		out = append(out, &slide{adder: t(), from: 0, to: -1})
	}
	return out
}

// sliding has windows keep a tally that slides; it returns its place.
func (p *plan) sliding(t func() adder) int {
	p.tallies = append(p.tallies, t)
	return len(p.tallies) - 1
}
