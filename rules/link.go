// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// link compiles a draft, with the rules that it refers to, into a rule, once. above are the rules that led here.
func (d *draft) link(byID map[string]*draft, above []string) (*Rule, error) {
	if d.linking {
		return nil, fmt.Errorf("detection(…) goes round in a circle: %s", strings.Join(append(above[slices.Index(above, d.rule.ID):], d.rule.ID), " → "))
	}
	if d.linked == nil && d.refused == nil {
		d.linking = true
		d.linked, d.refused = d.linkNow(byID, append(above, d.rule.ID))
		d.linking = false
	}
	return d.linked, d.refused
}

func (d *draft) linkNow(byID map[string]*draft, above []string) (*Rule, error) {
	r := *d.rule
	r.Patterns = append([]Pattern(nil), d.rule.Patterns...)
	r.Children = nil
	d.count = 1
	place := make(map[string]int)
	for i, ref := range d.refs {
		if ref == "" {
			continue
		}
		at, ok := place[ref]
		if !ok {
			below := byID[ref]
			if below == nil {
				var ids []string
				for id := range byID {
					ids = append(ids, id)
				}
				sort.Strings(ids)
				return nil, fmt.Errorf("detection(%q): there is no such rule%s", ref, meant(ref, ids))
			}
			if below.bad {
				return nil, fmt.Errorf("detection(%q): that rule does not compile", ref)
			}
			child, err := below.link(byID, above)
			if err != nil {
				return nil, err
			}
			if d.count += below.count; d.count > maxLinked {
				return nil, fmt.Errorf("detection(%q): with what it refers to the rule %q is %d rules or more, each counted as often as it is referred to; at most %d are allowed",
					ref, d.rule.ID, d.count, maxLinked)
			}
			c := *child
			if c.ParentKey, err = parentKey(&r, &c); err != nil {
				return nil, err
			}
			at = len(r.Children)
			place[ref] = at
			r.Children = append(r.Children, &c)
		}
		r.Patterns[i].Child = at
	}
	r.Revision = revision(&r)
	m := *d.rule.matcher
	m.fields = neededFields(&r)
	r.matcher = &m
	return &r, nil
}

// parentKey finds the parts of a child's key that make its parent's.
func parentKey(r, child *Rule) ([]int, error) {
	out := []int{}
	for _, name := range r.By {
		found := -1
		for i, have := range child.By {
			if have == name {
				found = i
			}
		}
		if found < 0 {
			return nil, fmt.Errorf("detection(%q): the key %q is not among that rule's keys (%s)", child.ID, name, strings.Join(child.By, ", "))
		}
		out = append(out, found)
	}
	return out, nil
}
