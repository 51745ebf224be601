// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strings"

	"tocsin/rules/pred"
)

// Set is a compiled, immutable set of rules.
type Set struct {
	Rules []*Rule
	// Hash is over the meaning of all rules and the words of their incidents (R1): order, comments and layout of the files do
	// not count.
	Hash string
	// Files are what it was compiled from.
	Files []File
	// Empty names those of rules that have none: no document but comments.
	Empty []string
	// Lost are the ids, by revision, of rules that the Set was stored with and that do not compile any more.
	Lost map[string]string

	byRevision map[string]*Rule
	byID       map[string]*Rule
	program    *pred.Program
	// places say whose the program's conditions are, in their order.
	places []place
}

// place is a pattern of a rule, or of one that it refers to.
type place struct {
	site    *site
	pattern int
}

// site is a rule in the place that it has under a rule of its own.
type site struct {
	top  *Rule
	rule *Rule
	// path leads from top to rule.
	path []int
}

// ByRevision returns the rule with a revision, nil if there is none.
func (s *Set) ByRevision(revision string) *Rule { return s.byRevision[revision] }

// ByID returns the rule with an id, nil if there is none.
func (s *Set) ByID(id string) *Rule { return s.byID[id] }

// Source returns the document that a rule was compiled from, as it is written, and the line of its file in which it begins.
func (s *Set) Source(r *Rule) (text string, line int) {
	for _, f := range s.Files {
		if f.Name != r.File {
			continue
		}
		lines := strings.SplitAfter(string(f.Data), "\n")
		// Nothing within a document begins a line with --- but its end.
		from := 0
		for i, l := range lines {
			switch {
			case !strings.HasPrefix(l, "---"):
			case i < r.Line-1:
				from = i + 1
			default:
				return strings.Join(lines[from:i], ""), from + 1
			}
		}
		return strings.Join(lines[from:], ""), from + 1
	}
	return "", 0
}

// Only returns a Set of some of the rules, as if it were this Set.
func (s *Set) Only(rs ...*Rule) *Set {
	only := newSet(s.Files, rs)
	only.Hash = s.Hash
	return only
}

// newSet makes a Set ready to match.
func newSet(files []File, rs []*Rule) *Set {
	s := &Set{Rules: rs, Files: files, byRevision: make(map[string]*Rule), byID: make(map[string]*Rule), Hash: setHash(rs)}
	var conds []pred.Node
	var add func(x *site)
	add = func(x *site) {
		for i, p := range x.rule.matcher.patterns {
			if p != nil {
				conds = append(conds, p)
				s.places = append(s.places, place{x, i})
			}
		}
		for i, c := range x.rule.Children {
			add(&site{x.top, c, append(slices.Clip(x.path), i)})
		}
	}
	for _, r := range rs {
		s.byRevision[r.Revision], s.byID[r.ID] = r, r
		add(&site{r, r, nil})
	}
	s.program = pred.Compile(conds)
	return s
}
