// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"tocsin/event/value"
)

// Run is what deciding one event after the other needs of memory. It is for one goroutine.
type Run struct {
	p *Program
	e Event
	// now counts events; what has another stamp is of an earlier one.
	now     uint32
	values  []value.Value // by source
	loaded  []uint32
	touched []int32 // fields that have a value, and which
	field   []fieldState
	cond    []uint32
	cands   []int32
	node    []nodeState
	text    []byte
	out     []int
}

type fieldState struct {
	stamp  uint32
	folded uint32
	value  value.Value
	text   string // folded, at its stamp
}

type nodeState struct {
	stamp uint32
	holds bool
}

// NewRun returns memory for one goroutine.
func (p *Program) NewRun() *Run {
	return &Run{
		p: p, values: make([]value.Value, len(p.sources)), loaded: make([]uint32, len(p.sources)),
		field: make([]fieldState, len(p.fields)), cond: make([]uint32, len(p.conds)), node: make([]nodeState, len(p.nodes)),
	}
}

// Match returns the conditions that hold of an event, in their order. The slice is good until the next Match.
func (r *Run) Match(e Event) []int {
	r.begin(e)
	for _, f := range r.touched {
		if x := &r.p.index[f]; x.used {
			r.feed(x, f)
		}
	}
	if r.p.everywhere >= 0 && r.p.index[r.p.everywhere].used {
		x := &r.p.index[r.p.everywhere]
		r.see(x.present)
		r.feedAll(x, e.Object())
	}
	slices.Sort(r.cands)
	r.out = r.out[:0]
	always := r.p.always
	for _, c := range r.cands { // both lists are in order
		for len(always) > 0 && always[0] < c {
			r.decide(always[0])
			always = always[1:]
		}
		r.decide(c)
	}
	for _, c := range always {
		r.decide(c)
	}
	r.e = nil
	return r.out
}

// MatchAll is Match without the index: it evaluates every condition.
func (r *Run) MatchAll(e Event) []int {
	r.begin(e)
	r.out = r.out[:0]
	for c := range r.p.conds {
		r.decide(int32(c))
	}
	r.e = nil
	return r.out
}

func (r *Run) decide(c int32) {
	if r.holds(r.p.conds[c]) {
		r.out = append(r.out, int(c))
	}
}

// begin reads the fields.
func (r *Run) begin(e Event) {
	if r.now++; r.now == 0 { // after 2^32 events: no old stamp may look new
		clear(r.loaded)
		clear(r.field)
		clear(r.cond)
		clear(r.node)
		r.now = 1
	}
	r.e, r.touched, r.cands, r.text = e, r.touched[:0], r.cands[:0], r.text[:0]
	for _, s := range r.p.slots {
		if v := e.Field(s.slot); v.Kind() != value.Missing {
			r.load(s.source, v)
		}
	}
	r.walk(r.p.paths, e.Object())
	for _, f := range r.touched {
		for _, s := range r.p.fields[f].sources {
			if r.loaded[s] == r.now {
				r.field[f].value = r.values[s]
				break
			}
		}
	}
}

func (r *Run) load(source int32, v value.Value) {
	r.values[source], r.loaded[source] = v, r.now
	for _, f := range r.p.sources[source] {
		if r.field[f].stamp != r.now {
			r.field[f].stamp = r.now
			r.touched = append(r.touched, f)
		}
	}
}

// walk reads what stands below v where paths lead.
func (r *Run) walk(n *pathNode, v value.Value) {
	if n.source >= 0 && v.Kind() != value.Missing {
		r.load(n.source, v)
	}
	if n.keys != nil {
		for k, x := range v.Members() {
			if below := n.keys[k]; below != nil {
				r.walk(below, x)
			}
		}
	}
	for i, below := range n.at {
		r.walk(below, v.At(i))
	}
}

// see makes candidates of the conditions that have a witness.
func (r *Run) see(witness int32) {
	if witness < 0 {
		return
	}
	for _, c := range r.p.seen[witness] {
		if r.cond[c] != r.now {
			r.cond[c] = r.now
			r.cands = append(r.cands, c)
		}
	}
}

// feed looks for the witnesses of one field.
func (r *Run) feed(x *fieldIndex, f int32) {
	v := r.field[f].value
	if v.Exists() {
		r.see(x.present)
	}
	switch v.Kind() {
	case value.Array, value.Object:
		r.feedAll(x, v)
	case value.String:
		s, _ := v.Str()
		r.feedText(x, r.folded(f, s))
	default:
		r.feedScalar(x, v)
	}
}

// feedAll looks for witnesses in all scalars of v.
func (r *Run) feedAll(x *fieldIndex, v value.Value) {
	switch v.Kind() {
	case value.Array:
		for e := range v.Elements() {
			r.feedAll(x, e)
		}
	case value.Object:
		for _, e := range v.Members() {
			r.feedAll(x, e)
		}
	case value.String:
		s, _ := v.Str()
		r.feedText(x, r.fold(s))
	default:
		r.feedScalar(x, v)
	}
}

func (r *Run) feedScalar(x *fieldIndex, v value.Value) {
	if !v.Exists() {
		return
	}
	if n, ok := integral(v); ok && len(x.ints) > 0 {
		if id, ok := x.ints[n]; ok {
			r.see(id)
		}
	}
	r.feedText(x, r.fold(r.textOf(v)))
}

func (r *Run) feedText(x *fieldIndex, folded string) {
	if len(x.whole) > 0 {
		if id, ok := x.whole[folded]; ok {
			r.see(id)
		}
	}
	if x.texts != nil {
		x.texts.find(folded, r)
	}
}

// room makes sure that n bytes can be appended to the texts of this event without moving them.
func (r *Run) room(n int) {
	if cap(r.text)-len(r.text) < n {
		r.text = make([]byte, 0, max(2*cap(r.text), n, 4<<10)) // strings keep the old block
	}
}

// textOf returns the text of a scalar.
func (r *Run) textOf(v value.Value) string {
	r.room(32)
	at := len(r.text)
	r.text = v.AppendText(r.text)
	return view(r.text[at:])
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// folded is fold of a field's text, once.
func (r *Run) folded(f int32, s string) string {
	st := &r.field[f]
	if st.folded != r.now {
		st.folded, st.text = r.now, r.fold(s)
	}
	return st.text
}

// fold is [Fold] without an allocation for ASCII.
func (r *Run) fold(s string) string {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.ToLower(s)
		}
		upper = upper || c >= 'A' && c <= 'Z'
	}
	if !upper {
		return s
	}
	r.room(len(s))
	at := len(r.text)
	r.text = append(r.text, s...)
	b := r.text[at:]
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return view(b)
}

// holds evaluates a node.
func (r *Run) holds(id int32) bool {
	n := &r.p.nodes[id]
	if n.shared {
		if st := &r.node[id]; st.stamp == r.now {
			return st.holds
		}
	}
	var holds bool
	switch n.kind {
	case isTest:
		holds = r.test(r.p.tests[n.test])
	case isAnd:
		holds = !slices.ContainsFunc(n.kids, func(k int32) bool { return !r.holds(k) })
	case isOr:
		holds = slices.ContainsFunc(n.kids, r.holds)
	case isNot:
		holds = !r.holds(n.kids[0])
	case isTrue:
		holds = true
	}
	if n.shared {
		r.node[id] = nodeState{r.now, holds}
	}
	return holds
}

// test is [Test.eval] with what was read and folded already.
func (r *Run) test(t *ptest) bool {
	if t.Field.Everywhere || t.Other != nil {
		return t.eval(r.e)
	}
	st := &r.field[t.field]
	var v value.Value
	if st.stamp == r.now {
		v = st.value
	}
	if t.Number || t.Op < Is || t.Op >= Exists {
		return t.of(v)
	}
	if t.Loose && v.Kind() == value.Array {
		return t.of(v)
	}
	s, ok := v.Str()
	switch {
	case ok && t.Fold:
		s = r.folded(t.field, s)
	case ok:
	case !t.Loose || !v.IsNumber() && v.Kind() != value.Bool:
		return false
	default:
		s = r.fold(r.textOf(v))
	}
	if t.set != nil {
		_, ok := t.set[s]
		return ok
	}
	return t.fits(s)
}
