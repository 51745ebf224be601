// SPDX-License-Identifier: Apache-2.0

package correlate

// silence is that no event with a bit followed the last one of a window for T. Of several at one time the
// last is any of them.
type silence struct{ bit uint64 }

func (s silence) holds(x *view) bool {
	last, ok := x.latest(counting{s.bit, 1})
	return ok && !x.occurs(s.bit, add(last, 1), add(last, x.w.plan.t))
}

func (s silence) mask() uint64  { return s.bit }
func (s silence) ahead() uint64 { return s.bit }

// end is when the silence has lasted long enough. What follows the last event of the input is nobody's silence (C4).
func (s silence) end(x *view) (end int64, open bool) {
	last, _ := x.latest(counting{s.bit, 1})
	return add(last, x.w.plan.t), true
}
