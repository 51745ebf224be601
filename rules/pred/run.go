// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"slices"
	"strings"
	"unicode"
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
	// all are the texts of all scalars, folded, if allStamp is of now.
	all      []string
	allStamp uint32
	out      []int
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
	r.consider(r.p.always)
	for _, f := range r.touched {
		if x := &r.p.index[f]; r.useful(x) {
			r.feed(x, f)
		}
	}
	if r.p.everywhere >= 0 {
		if x := &r.p.index[r.p.everywhere]; r.useful(x) {
			r.see(x.present)
			if len(x.ints) > 0 {
				r.feedAll(x, e.Object())
			} else {
				for _, s := range r.everything() {
					r.feedText(x, s)
				}
			}
		}
	}
	r.out = r.out[:0]
	for _, c := range r.cands {
		if r.holds(r.p.conds[c].node) {
			r.out = append(r.out, int(c))
		}
	}
	slices.Sort(r.out)
	r.e = nil
	return r.out
}

// MatchAll is Match without the index: it evaluates every condition.
func (r *Run) MatchAll(e Event) []int {
	r.begin(e)
	r.out = r.out[:0]
	for i, c := range r.p.conds {
		if (c.gate < 0 || r.holds(c.gate)) && r.holds(c.node) {
			r.out = append(r.out, i)
		}
	}
	r.e = nil
	return r.out
}

// useful reports whether one of the gates lets the event through of which the index finds conditions.
func (r *Run) useful(x *fieldIndex) bool {
	return x.used && (x.open || slices.ContainsFunc(x.gates, r.holds))
}

// begin reads the fields.
func (r *Run) begin(e Event) {
	if r.now++; r.now == 0 { // after 2^32 events: no old stamp may look new
		clear(r.loaded)
		clear(r.field)
		clear(r.cond)
		clear(r.node)
		r.now, r.allStamp = 1, 0
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
	r.consider(r.p.seen[witness])
}

// consider makes candidates of the conditions whose gate lets the event through.
func (r *Run) consider(groups []group) {
	for i := range groups {
		g := &groups[i]
		if g.gate >= 0 && !r.holds(g.gate) {
			continue
		}
		for _, c := range g.conds {
			if r.cond[c] != r.now {
				r.cond[c] = r.now
				r.cands = append(r.cands, c)
			}
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

// everything returns the texts of all scalars of the source's own object, folded.
func (r *Run) everything() []string {
	if r.allStamp != r.now {
		r.allStamp, r.all = r.now, r.all[:0]
		r.collect(r.e.Object())
	}
	return r.all
}

func (r *Run) collect(v value.Value) {
	switch v.Kind() {
	case value.Array:
		for e := range v.Elements() {
			r.collect(e)
		}
	case value.Object:
		for _, e := range v.Members() {
			r.collect(e)
		}
	case value.String:
		s, _ := v.Str()
		r.all = append(r.all, r.fold(s))
	default:
		if v.Exists() {
			r.all = append(r.all, r.fold(r.textOf(v)))
		}
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

// lower is the lower case of ASCII.
var lower = func() (t [utf8.RuneSelf]byte) {
	for i := range t {
		t[i] = byte(unicode.ToLower(rune(i)))
	}
	return t
}()

// fold is [Fold] in the memory of this event.
func (r *Run) fold(s string) string {
	r.room(len(s))
	at := len(r.text)
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return r.foldRunes(at, s[i:])
		}
		r.text = append(r.text, lower[c])
	}
	return view(r.text[at:])
}

// foldRunes goes on where ASCII ends; at is where the text began.
func (r *Run) foldRunes(at int, s string) string {
	for _, c := range s {
		if cap(r.text)-len(r.text) < utf8.UTFMax {
			begun := r.text[at:]
			r.room(2*len(begun) + len(s) + utf8.UTFMax)
			r.text, at = append(r.text, begun...), 0
		}
		r.text = utf8.AppendRune(r.text, unicode.ToLower(c))
	}
	return view(r.text[at:])
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
	switch {
	case t.Field.Everywhere && t.Other == nil && t.Loose && t.Fold && !t.Number && t.Op >= Is && t.Op < Exists:
		if t.Reach == 0 {
			return slices.ContainsFunc(r.everything(), t.fits)
		}
		left := t.Reach
		return slices.ContainsFunc(r.everything(), func(s string) bool { return t.rationed(s, &left) })
	case t.Field.Everywhere || t.Other != nil:
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
	if ok && t.need != nil && !containsAny(r.folded(t.field, s), t.need) {
		return false
	}
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

func containsAny(s string, texts []string) bool {
	return slices.ContainsFunc(texts, func(x string) bool { return strings.Contains(s, x) })
}
