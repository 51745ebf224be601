// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"slices"
	"strings"

	"tocsin/rules"
)

// The first part of the oracle: which events make up S of a rule, for each key (K1-K3, E1, E2).

// sets returns S for each key, its parts joined with slashes.
func (r *drawn) sets(items []item) map[string][]seen {
	out := make(map[string][]seen)
	for _, x := range items {
		if r.excepts(x) {
			continue
		}
		bits := make(map[string]uint64)
		for i, p := range r.Patterns {
			if p.Child < 0 && slices.Contains(x.labels[r.labels], p.Name) {
				for _, key := range r.keys(x, i) {
					bits[key] |= 1 << i
				}
			}
		}
		for key, b := range bits {
			out[key] = append(out[key], seen{id: x.id, t: x.t, a: x.a, bits: b, vals: []string{x.v, x.w}, nums: x.fractions()})
		}
	}
	if r.child == nil {
		return out
	}
	for key, s := range r.child.sets(items) {
		parts := strings.Split(key, "/")[:len(r.By)]
		key = strings.Join(parts, "/")
		for _, x := range r.child.points(s) {
			if w := x.vals[1]; !r.covers(w, x.t) {
				out[key] = append(out[key], x)
			}
		}
	}
	return out
}

// excepted counts the events that an exception leaves out of a rule: of those that patterns match, of the rule or of one
// below it, those that an exception of the same rule covers, or of one that refers to it. A copy counts again.
func (r *drawn) excepted(items []item) int {
	n := 0
	for _, x := range items {
		leftOut, counts := false, false
		for at := r; at != nil; at = at.child {
			leftOut = leftOut || at.excepts(x)
			matched := slices.ContainsFunc(at.Patterns, func(p rules.Pattern) bool {
				return p.Child < 0 && slices.Contains(x.labels[at.labels], p.Name)
			})
			counts = counts || matched && leftOut
		}
		if counts {
			n++
		}
	}
	return n
}

func (r *drawn) excepts(x item) bool { return r.covers(x.w, x.t) }

// covers reports whether an exception is for an event with this w, at this time.
func (r *drawn) covers(w string, t int64) bool {
	for _, e := range r.except {
		if w == e.w && t <= e.expires {
			return true
		}
	}
	return false
}

func (r *drawn) keys(x item, pattern int) []string {
	elements := x.k
	if r.hop && pattern == 1 {
		elements = x.m
	}
	var out []string
	for _, k := range elements {
		if len(r.By) == 2 {
			k += "/" + x.g
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// group returns the grouping key of a key.
func (r *drawn) group(key string) string {
	parts := strings.Split(key, "/")
	var out []string
	for _, i := range r.GroupBy {
		out = append(out, parts[i])
	}
	return strings.Join(out, "/")
}

// points turns the firing points of a referenced rule into events of the pattern that names it.
func (r *drawn) points(s []seen) []seen {
	o := r.oracle()
	s = dedupe(s)
	starts := o.points(s)
	var out []seen
	for _, x := range s {
		if _, ok := starts[x.id]; !ok {
			continue
		}
		y := x
		y.bits = 1 << 2
		if settles(r.When) {
			y.a = max(y.a, y.t+o.t()+o.l())
		}
		out = append(out, y)
	}
	return out
}
