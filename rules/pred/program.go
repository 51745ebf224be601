// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
)

// Program decides many conditions over one event at once (detection.md, "Speed"): it evaluates those of which a
// witness is seen in the event, and what they share once. It is immutable.
type Program struct {
	conds []cond
	nodes []pnode
	tests []*ptest

	fields []pfield
	byKey  map[string]int32
	// slots are the canonical fields that are read, paths those of the source's own object; both lead to sources.
	slots   []slotSource
	paths   *pathNode
	sources [][]int32 // by source: the fields that read it

	// seen are, by witness, the conditions to look at; always are those without one.
	seen   [][]group
	always []group
	index  []fieldIndex // by field
	// everywhere is the field of that name, -1 if nobody asks for it.
	everywhere int32
}

// cond is a condition and its gate, -1 if it has none.
type cond struct{ gate, node int32 }

// group are conditions behind one gate.
type group struct {
	gate  int32
	conds []int32
}

type slotSource struct {
	slot   event.Field
	source int32
}

// pathNode is a step of the paths that are read.
type pathNode struct {
	source int32 // -1 if no path ends here
	keys   map[string]*pathNode
	at     map[int]*pathNode
}

type pfield struct{ sources []int32 }

// fieldIndex finds the witnesses in one field's value; -1 is none.
type fieldIndex struct {
	used    bool
	present int32
	// gates are those of the conditions that it finds; open if one has none.
	gates []int32
	open  bool
	whole map[string]int32
	ints  map[int64]int32
	texts *texts
}

type nodeKind uint8

const (
	isTest nodeKind = iota
	isAnd
	isOr
	isNot
	isTrue
	isFalse
)

// pnode is one condition or a part of it. Equal ones are one.
type pnode struct {
	kind   nodeKind
	test   int32
	kids   []int32
	shared bool
	cost   int
}

type ptest struct {
	*Test
	field int32
	set   map[string]struct{} // of many texts of Is
	need  []string            // see [Test.needs]
}

// Compile makes a Program of conditions, which it knows by their places.
func Compile(conds []Node) *Program {
	c := &compiler{
		Program: &Program{byKey: make(map[string]int32), paths: &pathNode{source: -1}, everywhere: -1},
		nodes:   make(map[string]int32), tests: make(map[string]int32), known: make(map[*Test]int32), sources: make(map[string]int32),
		witnesses: make(map[witness]int32),
	}
	for i, n := range conds {
		at := cond{gate: -1}
		if g, ok := n.(Gated); ok {
			at.gate, n = c.node(g.Gate), g.X
			c.Program.nodes[at.gate].shared = true
		}
		at.node = c.node(n)
		c.conds = append(c.conds, at)
		set, worth := witnesses(n)
		if worth == 0 {
			c.always = put(c.always, at.gate, int32(i))
		}
		for _, w := range set {
			id := c.witness(w)
			c.seen[id] = put(c.seen[id], at.gate, int32(i))
		}
	}
	c.build()
	return c.Program
}

// put adds a condition to those behind its gate.
func put(groups []group, gate, cond int32) []group {
	for i := range groups {
		if g := &groups[i]; g.gate == gate {
			if g.conds[len(g.conds)-1] != cond {
				g.conds = append(g.conds, cond)
			}
			return groups
		}
	}
	return append(groups, group{gate, []int32{cond}})
}

// Unindexed are the places of the conditions without a witness: they are evaluated for every event that their gate lets
// through.
func (p *Program) Unindexed() []int {
	var out []int
	for _, g := range p.always {
		for _, c := range g.conds {
			out = append(out, int(c))
		}
	}
	slices.Sort(out)
	return out
}

type compiler struct {
	*Program
	nodes     map[string]int32
	tests     map[string]int32
	known     map[*Test]int32 // nodes of tests that were met before
	sources   map[string]int32
	witnesses map[witness]int32
	order     []witness
}

// intern returns the node of a key, which make makes if there is none yet.
func (c *compiler) intern(key string, n pnode) int32 {
	if id, ok := c.nodes[key]; ok {
		c.Program.nodes[id].shared = true
		return id
	}
	id := int32(len(c.Program.nodes))
	c.Program.nodes = append(c.Program.nodes, n)
	c.nodes[key] = id
	return id
}

func (c *compiler) node(n Node) int32 {
	switch n := n.(type) {
	case And:
		return c.several(isAnd, n)
	case Or:
		return c.several(isOr, n)
	case Not:
		x := c.node(n.X)
		return c.intern(fmt.Sprint("not ", x), pnode{kind: isNot, kids: []int32{x}, cost: c.Program.nodes[x].cost})
	case *Test:
		if at, ok := c.known[n]; ok {
			c.Program.nodes[at].shared = true
			return at
		}
		key := n.key()
		if n.Reach > 0 {
			key = fmt.Sprint(n.Reach, " of ", key)
		}
		id, ok := c.tests[key]
		if !ok {
			id = int32(len(c.Program.tests))
			c.tests[key] = id
			c.Program.tests = append(c.Program.tests, c.test(n))
		}
		c.known[n] = c.intern(fmt.Sprint("test ", id), pnode{kind: isTest, test: id, cost: n.cost()})
		return c.known[n]
	case Gated:
		return c.several(isAnd, []Node{n.Gate, n.X})
	case Const:
		if n {
			return c.intern("true", pnode{kind: isTrue})
		}
	}
	return c.intern("false", pnode{kind: isFalse})
}

// several makes an And or Or: of parts that are none of their own, the cheap ones first.
func (c *compiler) several(kind nodeKind, parts []Node) int32 {
	var kids []int32
	cost := 0
	for _, x := range parts {
		id := c.node(x)
		if n := c.Program.nodes[id]; n.kind == kind && !n.shared {
			kids = append(kids, n.kids...)
		} else {
			kids = append(kids, id)
		}
	}
	slices.SortStableFunc(kids, func(a, b int32) int { return c.Program.nodes[a].cost - c.Program.nodes[b].cost })
	for _, k := range kids {
		cost += c.Program.nodes[k].cost
	}
	return c.intern(fmt.Sprint(kind, kids), pnode{kind: kind, kids: kids, cost: cost})
}

// cost says roughly how long a test takes, next to others.
func (t *Test) cost() int {
	if t.Field.Everywhere {
		return 1000
	}
	switch t.Op {
	case Match:
		return 100
	case Like, Calendar, In:
		return 20
	case Contains:
		return 3 + 2*len(t.Texts)
	case Prefix, Suffix:
		return 2 + len(t.Texts)/4
	default:
		return 1
	}
}

// manyTexts is from where on a set is faster than one comparison after the other.
const manyTexts = 8

func (c *compiler) test(t *Test) *ptest {
	p := &ptest{Test: t, field: c.field(t.Field), need: t.needs()}
	if t.Other != nil {
		c.field(*t.Other)
	}
	if t.Op == Is && t.List == "" && len(t.Texts) >= manyTexts { // a list is sorted, and may be as long as memory allows
		p.set = make(map[string]struct{}, len(t.Texts))
		for _, s := range t.Texts {
			p.set[s] = struct{}{}
		}
	}
	return p
}

func (c *compiler) field(f Field) int32 {
	key := f.key()
	if id, ok := c.byKey[key]; ok {
		return id
	}
	id := int32(len(c.fields))
	c.byKey[key] = id
	var p pfield
	for _, s := range f.Sources {
		at := c.source(s)
		p.sources = append(p.sources, at)
		c.Program.sources[at] = append(c.Program.sources[at], id)
	}
	if f.Everywhere {
		c.everywhere = id
	}
	c.fields = append(c.fields, p)
	return id
}

func (c *compiler) source(s Source) int32 {
	key := string(s.appendKey(nil))
	if id, ok := c.sources[key]; ok {
		return id
	}
	id := int32(len(c.sources))
	c.sources[key] = id
	c.Program.sources = append(c.Program.sources, nil)
	if len(s.Path) == 0 {
		c.slots = append(c.slots, slotSource{s.Slot, id})
		return id
	}
	n := c.paths
	for _, step := range s.Path {
		n = n.child(step)
	}
	n.source = id
	return id
}

func (n *pathNode) child(s Step) *pathNode {
	if s.Key == "" {
		if n.at == nil {
			n.at = make(map[int]*pathNode)
		}
		if n.at[s.Index] == nil {
			n.at[s.Index] = &pathNode{source: -1}
		}
		return n.at[s.Index]
	}
	if n.keys == nil {
		n.keys = make(map[string]*pathNode)
	}
	if n.keys[s.Key] == nil {
		n.keys[s.Key] = &pathNode{source: -1}
	}
	return n.keys[s.Key]
}

func (c *compiler) witness(w witness) int32 {
	id, ok := c.witnesses[w]
	if !ok {
		id = int32(len(c.seen))
		c.witnesses[w] = id
		c.seen = append(c.seen, nil)
		c.order = append(c.order, w)
	}
	return id
}

// build makes the index of each field.
func (c *compiler) build() {
	type lists struct{ inside, heads, ends map[string]int32 }
	c.index = make([]fieldIndex, len(c.fields))
	all := make([]lists, len(c.fields))
	for i := range c.index {
		c.index[i] = fieldIndex{present: -1, whole: make(map[string]int32), ints: make(map[int64]int32)}
		all[i] = lists{make(map[string]int32), make(map[string]int32), make(map[string]int32)}
	}
	for id, w := range c.order {
		f := c.byKey[w.field]
		x := &c.index[f]
		x.used = true
		switch w.where {
		case present:
			x.present = int32(id)
		case whole:
			x.whole[w.text] = int32(id)
		case integer:
			x.ints[w.n] = int32(id)
		case start:
			all[f].heads[w.text] = int32(id)
		case end:
			all[f].ends[w.text] = int32(id)
		case anywhere:
			all[f].inside[w.text] = int32(id)
		}
	}
	for id, w := range c.order {
		x := &c.index[c.byKey[w.field]]
		for _, g := range c.seen[id] {
			x.open = x.open || g.gate < 0
			if g.gate >= 0 && !slices.Contains(x.gates, g.gate) {
				x.gates = append(x.gates, g.gate)
			}
		}
	}
	for i, l := range all {
		if len(l.inside)+len(l.heads)+len(l.ends) > 0 {
			c.index[i].texts = newTexts(l.inside, l.heads, l.ends)
		}
	}
}

// String tells how large the program is.
func (p *Program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d conditions, %d nodes, %d tests, %d fields, %d witnesses, %d without", len(p.conds), len(p.nodes), len(p.tests), len(p.fields), len(p.seen), len(p.Unindexed()))
	return b.String()
}
