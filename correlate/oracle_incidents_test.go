// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"sort"
	"strings"

	"tocsin/event"
)

// The second half of the oracle: what firing points add up to.

// finding is what the oracle says of one detection.
type finding struct {
	key                 string
	first, last, firing int64
	born, reached       int64
	count, late         int64
	steps               map[string]int64
	evidence            []string
	points              map[event.ID]bool
}

// connected groups the indexes 0..n-1 by a symmetric relation.
func connected(n int, related func(i, j int) bool) [][]int {
	group := make([]int, n)
	for i := range group {
		group[i] = i
	}
	for changed := true; changed; {
		changed = false
		for i := range n {
			for j := range n {
				if group[i] != group[j] && related(i, j) {
					low := min(group[i], group[j])
					group[i], group[j] = low, low
					changed = true
				}
			}
		}
	}
	by := make(map[int][]int)
	for i, g := range group {
		by[g] = append(by[g], i)
	}
	var out [][]int
	for i := range n {
		if g := by[i]; len(g) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// detections decides F3 and F4.
func (o oracle) detections(key string, s []seen) []finding {
	s = dedupe(s)
	starts := o.points(s)
	var fps []seen
	for _, x := range s {
		if _, ok := starts[x.id]; ok {
			fps = append(fps, x)
		}
	}
	groups := connected(len(fps), func(i, j int) bool {
		d := fps[i].t - fps[j].t
		return o.rule.Within != 0 && max(d, -d) <= o.t() && o.met(fps[i], fps[j])
	})
	var out []finding
	for _, g := range groups {
		f := finding{key: key, steps: make(map[string]int64), points: make(map[event.ID]bool)}
		for n, i := range g {
			e := fps[i]
			f.points[e.id] = true
			if n == 0 {
				f.first, f.last, f.firing, f.born = starts[e.id], e.t, e.t, e.a
			}
			f.first, f.last = min(f.first, starts[e.id]), max(f.last, e.t)
			f.firing, f.born = min(f.firing, e.t), min(f.born, e.a)
			f.reached = max(f.reached, e.t, e.a)
		}
		for _, x := range within(s, f.first, f.last) {
			counts := false
			for _, i := range g {
				d := x.t - fps[i].t
				if o.rule.Within == 0 {
					counts = counts || x.id == fps[i].id
				} else {
					counts = counts || max(d, -d) <= o.t() && o.met(x, fps[i])
				}
			}
			if !counts {
				continue
			}
			f.count++
			if x.a > x.t+o.l() {
				f.late++
			}
			for p, pat := range o.rule.Patterns {
				if x.bits&(1<<p) != 0 {
					f.steps[pat.Name]++
					if f.steps[pat.Name] <= 100 || x.id == fps[g[0]].id {
						f.evidence = append(f.evidence, pat.Name+":"+x.id.String())
					}
				}
			}
		}
		sort.Strings(f.evidence)
		out = append(out, f)
	}
	return out
}

func (f finding) String() string {
	return fmt.Sprintf("key=%q [%d..%d] firing %d, %d events, %d late, steps %v, evidence %s",
		f.key, f.first, f.last, f.firing, f.count, f.late, f.steps, strings.Join(f.evidence, " "))
}

// closing is a person's closing, at a time, of the incident that one firing point of a key is in.
type closing struct {
	group, key string
	at         int64
	point      event.ID
}

// chained decides whether two detections follow each other in one incident (I1).
func (o oracle) chained(a, b finding) bool {
	q, t := int64(o.rule.Quiet), o.t()
	delay := int64(0)
	if settles(o.rule.When) {
		delay = t + o.l()
	}
	memory := q + t + o.l() + delay
	gap := max(a.first-b.last, b.first-a.last)
	return gap <= q && a.born <= b.reached+memory && b.born <= a.reached+memory
}

// incidents decides I1 and I2 and prints each incident.
func (o oracle) incidents(fs []finding, closings []closing) []string {
	var out []string
	show := func(g []finding, state string) {
		lines := make([]string, 0, len(g))
		first, last, count := g[0].first, g[0].last, int64(0)
		for _, f := range g {
			lines = append(lines, "  "+f.String())
			first, last, count = min(first, f.first), max(last, f.last), count+f.count
		}
		sort.Strings(lines)
		out = append(out, fmt.Sprintf("%s: %s incident [%d..%d] %d events\n%s",
			o.rule.ID, state, first, last, count, strings.Join(lines, "\n")))
	}
	groups := func(pool []finding) [][]finding {
		var gs [][]finding
		for _, g := range connected(len(pool), func(i, j int) bool { return o.chained(pool[i], pool[j]) }) {
			var fs []finding
			for _, i := range g {
				fs = append(fs, pool[i])
			}
			gs = append(gs, fs)
		}
		return gs
	}
	for _, c := range closings {
		var by, rest []finding
		for _, f := range fs {
			if f.firing <= c.at || f.born <= c.at {
				by = append(by, f)
			} else {
				rest = append(rest, f)
			}
		}
		for _, g := range groups(by) {
			hit := false
			for _, f := range g {
				hit = hit || f.key == c.key && f.points[c.point]
			}
			if hit {
				show(g, "closed")
			} else {
				rest = append(rest, g...)
			}
		}
		fs = rest
	}
	for _, g := range groups(fs) {
		show(g, "open")
	}
	sort.Strings(out)
	return out
}
