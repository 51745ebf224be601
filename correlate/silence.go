// SPDX-License-Identifier: Apache-2.0

package correlate

// silence is that no event with a bit followed the last one of a window for T. Of several at one time the
// last is any of them.
type silence struct{ bit uint64 }

func (s silence) holds(back, around []*match, t int64) bool {
	last, ok := counting{s.bit, 1}.latest(back)
	return ok && !occurs(around, s.bit, add(last, 1), add(last, t))
}

// end is when the silence has lasted long enough. What follows the last event of the input is nobody's silence (C4).
func (s silence) end(x *view) (end int64, open bool) {
	last, _ := counting{s.bit, 1}.latest(x.back)
	return add(last, x.w.plan.t), true
}
