// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"tocsin/event"
)

// Set is a compiled, immutable set of rules.
type Set struct {
	Rules []*Rule
	// Hash is over the meaning of all rules (R1): order, comments and layout of the files do not count.
	Hash string
	// Files are what it was compiled from.
	Files []File

	byRevision map[string]*Rule
	byID       map[string]*Rule
}

// ByRevision returns the rule with a revision, nil if there is none.
func (s *Set) ByRevision(revision string) *Rule { return s.byRevision[revision] }

// ByID returns the rule with an id, nil if there is none.
func (s *Set) ByID(id string) *Rule { return s.byID[id] }

// Result is what one event matched. It is used again for the next one, so that an event that
// matches nothing costs no memory.
type Result struct {
	Matches []Match
	Counts  []Tally
}

// Reset empties the result and keeps its memory.
func (r *Result) Reset() { r.Matches, r.Counts = r.Matches[:0], r.Counts[:0] }

// matcher is what matching a rule's own patterns needs.
type matcher struct {
	patterns   []predicate // nil for a detection
	exceptions []exception
	keys       []keyPart
	byEntity   bool
	values     []value
	fields     []event.Field
	title      *template
}

type exception struct {
	covers  predicate
	expires int64
}

// Match appends to out what the rules see in one event.
func (s *Set) Match(e *event.Event, out *Result) {
	for _, r := range s.Rules {
		r.match(e, r, nil, out)
	}
}

// match matches r's own patterns, then those of the rules it refers to. top is the rule at
// the root, path leads from it to r.
func (r *Rule) match(e *event.Event, top *Rule, path []int, out *Result) {
	m := r.matcher
	var bits uint64
	for i, p := range m.patterns {
		if p != nil && p(e) {
			bits |= 1 << i
		}
	}
	if bits != 0 {
		r.emit(e, top, path, bits, out)
	}
	for i, c := range r.Children {
		c.match(e, top, append(slices.Clip(path), i), out)
	}
}

func (r *Rule) emit(e *event.Event, top *Rule, path []int, bits uint64, out *Result) {
	tally := Tally{Rule: top.ID}
	defer func() {
		if tally.Unkeyed+tally.Excepted > 0 {
			out.Counts = append(out.Counts, tally)
		}
	}()
	for _, x := range r.matcher.exceptions {
		if e.Time <= x.expires && x.covers(e) {
			tally.Excepted++
			return
		}
	}
	m := r.matcher
	switch {
	case m.byEntity:
		if k, ok := entityKey(e); ok {
			r.add(e, top, path, k, bits, out)
		} else {
			tally.Unkeyed++
		}
	case !differs(m.keys):
		ks, more := keys(m.keys, e, 0)
		for _, k := range ks {
			r.add(e, top, path, k, bits, out)
		}
		if len(ks) == 0 || more {
			tally.Unkeyed++
		}
	default:
		r.emitPerPattern(e, top, path, bits, out, &tally)
	}
}

// emitPerPattern is for keys that hop: each pattern can have keys of its own, and one match
// has all patterns of one key.
func (r *Rule) emitPerPattern(e *event.Event, top *Rule, path []int, bits uint64, out *Result, tally *Tally) {
	var order []Key
	of := make(map[Key]uint64)
	for i := range r.matcher.patterns {
		if bits&(1<<i) == 0 {
			continue
		}
		ks, more := keys(r.matcher.keys, e, i)
		if len(ks) == 0 || more {
			tally.Unkeyed++
		}
		for _, k := range ks {
			if of[k] == 0 {
				order = append(order, k)
			}
			of[k] |= 1 << i
		}
	}
	for _, k := range order {
		r.add(e, top, path, k, of[k], out)
	}
}

func (r *Rule) add(e *event.Event, top *Rule, path []int, key Key, bits uint64, out *Result) {
	group := key
	vals := r.matcher.read(nil, e)
	for i, at := r, len(path)-1; at >= 0; at-- {
		group = group.Part(i.ParentKey)
		i = top.at(path[:at])
		vals = i.matcher.read(vals, e)
	}
	match := Match{
		Rule: top.Revision, Path: path, Key: key, Group: group.Part(top.GroupBy), Patterns: bits, Values: vals,
		Event: EventRef{
			ID: e.ID, EventID: e.EventID, Time: e.Time, Arrival: e.Arrival, Source: sourceOf(e),
			Fields: make(map[string]any, len(top.matcher.fields)),
		},
	}
	for _, f := range top.matcher.fields {
		if v := e.Get(f); v != nil {
			match.Event.Fields[f.Name()] = v
		}
	}
	out.Matches = append(out.Matches, match)
}

// read appends the encodings of the values that `distinct` counts.
func (m *matcher) read(vals []string, e *event.Event) []string {
	for _, get := range m.values {
		if v := get(e); v != nil {
			vals = append(vals, string(event.AppendValue(nil, v)))
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

func sourceOf(e *event.Event) string {
	if m, ok := e.Get(event.EventModule).(string); ok {
		return m
	}
	return e.Source
}

// RenderTitle returns the incident's title: `incident.title` with its fields filled in, else the rule's.
func (r *Rule) RenderTitle(fields map[string]any) string {
	if r.matcher == nil || r.matcher.title == nil {
		return r.Title
	}
	return r.matcher.title.render(fields)
}
