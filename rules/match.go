// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"tocsin/event"
	"tocsin/rules/pred"
)

// Result is what one event matched. It is used again for the next one, so that an event that matches nothing costs no
// memory. It is for one goroutine.
type Result struct {
	Matches []Match
	Counts  []Tally
	// Bugs are the rules that took no part in an event, since their matching ended in a panic.
	Bugs []Bug
	// Unindexed has every pattern of the Set evaluated. It finds the same (detection.md, "Speed").
	Unindexed bool

	set   *Set
	run   *pred.Run
	about []byte
}

// Reset empties the result and keeps its memory.
func (r *Result) Reset() { r.Matches, r.Counts, r.Bugs = r.Matches[:0], r.Counts[:0], r.Bugs[:0] }

// matcher is what matching a rule's own patterns needs.
type matcher struct {
	patterns   []pred.Node // nil for a detection
	exceptions []exception
	keys       []keyPart
	// byEntity: the key is the event's main entity, the host of which is read at host. nobody: an event without one
	// has the key of none.
	byEntity bool
	host     pred.Field
	nobody   bool
	values   []operand
	fields   []event.Field
	title    *template
}

// Match appends to out what the rules see in one event. A rule whose matching panics sees nothing in it; the others are as if it were not there.
func (s *Set) Match(e *event.Event, out *Result) {
	before := out.mark()
	if bug := event.Guard(func() { s.together(e, out) }); bug != nil {
		out.undo(before)
		s.apart(e, out, bug)
	}
}

// together matches all rules at once.
func (s *Set) together(e *event.Event, out *Result) {
	if out.set != s {
		out.set, out.run = s, s.program.NewRun()
	}
	x := matching{e: e, out: out}
	held := out.run.Match
	if out.Unindexed {
		held = out.run.MatchAll
	}
	var at *site
	var bits uint64
	for _, c := range held(e) {
		p := &s.places[c]
		if p.site != at && at != nil {
			x.emit(at, bits)
			bits = 0
		}
		at = p.site
		bits |= 1 << p.pattern
	}
	if at != nil {
		x.emit(at, bits)
		x.count()
	}
}

// matching is one event on its way into a Result.
type matching struct {
	e   *event.Event
	out *Result
	// tally is of the rule whose sites are at hand, one after the other.
	tally Tally
}

// count puts what was counted for a rule into the Result.
func (x *matching) count() {
	if x.tally.Unkeyed+x.tally.Excepted > 0 {
		x.out.Counts = append(x.out.Counts, x.tally)
	}
}

// emit adds the matches of the patterns of one rule that hold.
func (x *matching) emit(at *site, bits uint64) {
	if x.tally.Rule != at.top.ID {
		x.count()
		x.tally = Tally{Rule: at.top.ID}
	}
	m := at.rule.matcher
	if m.excepts(x.e) {
		x.tally.Excepted = 1 // of all that the rule is made of, it is one event
		return
	}
	barred := at.barred(x.e)
	if barred > 0 {
		x.tally.Excepted = 1
	}
	switch {
	case m.byEntity:
		if k, ok := m.entityKey(x.e); ok {
			x.add(at, k, bits, barred)
		} else {
			x.tally.Unkeyed++
		}
	case !differs(m.keys):
		ks, more := keys(m.keys, x.e, 0)
		for _, k := range ks {
			x.add(at, k, bits, barred)
		}
		if len(ks) == 0 || more {
			x.tally.Unkeyed++
		}
	default:
		x.emitPerPattern(at, bits, barred)
	}
}

// emitPerPattern is for keys that hop: each pattern can have keys of its own, and one match
// has all patterns of one key.
func (x *matching) emitPerPattern(at *site, bits uint64, barred int) {
	var order []Key
	of := make(map[Key]uint64)
	for i := range at.rule.matcher.patterns {
		if bits&(1<<i) == 0 {
			continue
		}
		ks, more := keys(at.rule.matcher.keys, x.e, i)
		if len(ks) == 0 || more {
			x.tally.Unkeyed++
		}
		for _, k := range ks {
			if of[k] == 0 {
				order = append(order, k)
			}
			of[k] |= 1 << i
		}
	}
	for _, k := range order {
		x.add(at, k, of[k], barred)
	}
}

func (x *matching) add(at *site, key Key, bits uint64, barred int) {
	group := key
	vals := at.rule.matcher.read(nil, x.e)
	for i, n := at.rule, len(at.path)-1; n >= 0; n-- {
		group = group.Part(i.ParentKey)
		i = at.top.at(at.path[:n])
		vals = i.matcher.read(vals, x.e)
	}
	out := x.out
	out.about = aboutEvent(out.about, sourceOf(x), x.e, at.top.matcher.fields)
	out.Matches = append(out.Matches, Match{
		Rule: at.top.Revision, Path: at.path, Key: key, Group: group.Part(at.top.GroupBy), Patterns: bits, Barred: barred, Values: vals,
		Event: EventRef{ID: x.e.ID, Time: x.e.Time, Arrival: x.e.Arrival, About: About(out.about)},
	})
}

// read appends the encodings of the values that conditions count.
func (m *matcher) read(vals []string, e pred.Event) []string {
	for _, o := range m.values {
		if v := o.read(e); v.Exists() {
			vals = append(vals, string(event.Append(nil, v)))
		} else {
			vals = append(vals, "")
		}
	}
	return vals
}

// at follows a path of children.
func (r *Rule) at(path []int) *Rule {
	for _, i := range path {
		r = r.Children[i]
	}
	return r
}

func sourceOf(x *matching) string {
	if m, ok := x.e.Field(event.EventModule).Str(); ok {
		return m
	}
	return x.e.Source
}

// RenderTitle returns the incident's title: `incident.title` with its fields filled in, else the rule's.
func (r *Rule) RenderTitle(fields map[string]any) string {
	if r.matcher == nil || r.matcher.title == nil {
		return r.Title
	}
	return r.matcher.title.render(fields)
}
