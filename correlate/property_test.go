// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// The world of the property: few small numbers, so that times collide, gaps fall on T and
// just beside it, and arrivals fall within, at and beyond L.
const (
	lateness = 5
	patterns = 3
)

var keyNames = []string{"x", "y"}

// arrival is one event of the input as the matcher would hand it on.
type arrival struct {
	event seen
	key   rules.Key
	child bool // matched by the referenced rule's patterns, not by the rule's own
}

func drawCond(t *rapid.T, depth int) rules.Cond {
	kinds := []string{"is", "count", "distinct", "sequence", "fewer", "distinct-fewer"}
	if depth > 0 {
		kinds = append(kinds, "and", "or", "and-not", "and", "and-not")
	}
	pattern := func() int { return rapid.IntRange(0, patterns-1).Draw(t, "pattern") }
	switch rapid.SampledFrom(kinds).Draw(t, "form") {
	case "is":
		return rules.Is{Pattern: pattern()}
	case "count":
		op := rapid.SampledFrom([]rules.Op{rules.GE, rules.GT}).Draw(t, "op")
		n := rapid.Int64Range(1, 3).Draw(t, "n")
		return rules.Count{Pattern: pattern(), Op: op, N: n}
	case "fewer":
		op := rapid.SampledFrom([]rules.Op{rules.LT, rules.LE, rules.EQ, rules.NE}).Draw(t, "op")
		return rules.Count{Pattern: pattern(), Op: op, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "distinct":
		values := rapid.SampledFrom([][]int{{0}, {0, 1}}).Draw(t, "values")
		return rules.Distinct{Pattern: pattern(), Values: values, Op: rules.GE, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "distinct-fewer":
		return rules.Distinct{Pattern: pattern(), Values: []int{0}, Op: rules.LT, N: rapid.Int64Range(1, 3).Draw(t, "n")}
	case "sequence":
		return drawSequence(t, pattern)
	case "and", "or", "and-not":
		x, y := drawCond(t, depth-1), drawCond(t, depth-1)
		switch rapid.SampledFrom([]string{"and", "or", "and-not"}).Draw(t, "join") {
		case "and":
			return rules.And{X: []rules.Cond{x, y}}
		case "or":
			return rules.Or{X: []rules.Cond{x, y}}
		}
		if settles(y) {
			return rules.And{X: []rules.Cond{x, y}} // `not` of what waits is refused
		}
		return rules.And{X: []rules.Cond{x, rules.Not{X: y}}}
	}
	panic("unreachable")
}

func drawSequence(t *rapid.T, pattern func() int) rules.Cond {
	var q rules.Sequence
	positive := false
	for range rapid.IntRange(1, 4).Draw(t, "steps") {
		s := rules.Step{Pattern: pattern(), Times: 1}
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0:
			s.Not = true
		case 1:
			s.Times = 2
		}
		positive = positive || !s.Not
		q.Steps = append(q.Steps, s)
	}
	if !positive {
		q.Steps = append(q.Steps, rules.Step{Pattern: pattern(), Times: 1})
	}
	return q
}

func patternList() []rules.Pattern {
	var out []rules.Pattern
	for i := range patterns {
		out = append(out, rules.Pattern{Name: string(rune('a' + i)), Child: -1})
	}
	return out
}

func drawRule(t *rapid.T) *rules.Rule {
	r := &rules.Rule{
		ID: "r", Revision: "rev", Title: "r", Severity: rules.High,
		Patterns: patternList(), By: []string{"k"}, GroupBy: []int{0}, Values: []string{"v", "w"},
		Within: time.Duration(rapid.SampledFrom([]int64{1, 4, 10}).Draw(t, "within")),
		Quiet:  time.Duration(rapid.SampledFrom([]int64{0, 3, 12, 40}).Draw(t, "quiet")),
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0: // each event alone
		r.Within, r.When = 0, rules.Or{X: []rules.Cond{rules.Is{Pattern: 0}, rules.Is{Pattern: 1}, rules.Is{Pattern: 2}}}
	case 1: // one incident over all keys
		r.GroupBy = nil
		r.When = drawCond(t, 1)
	case 2: // over another rule
		child := drawRule(t)
		for len(child.Children) > 0 || child.Within == 0 {
			child = drawRule(t)
		}
		child.ID, child.Revision, child.ParentKey = "child", "child-rev", []int{0}
		r.Children = []*rules.Rule{child}
		r.Patterns[2].Child = 0
		r.When = drawCond(t, 1)
	default:
		r.When = drawCond(t, 2)
	}
	return r
}

func drawArrivals(t *rapid.T, r *rules.Rule) []arrival {
	n := rapid.IntRange(1, 9).Draw(t, "events")
	span := rapid.SampledFrom([]int64{8, 25, 60}).Draw(t, "span")
	var out []arrival
	for i := range n {
		at := 1000 + rapid.Int64Range(0, span).Draw(t, "t")
		delay := rapid.SampledFrom([]int64{0, 0, 0, 1, 2, lateness, lateness, lateness + 1, 20, 45, -3}).Draw(t, "delay")
		e := seen{t: at, a: at + delay, bits: rapid.Uint64Range(1, 7).Draw(t, "bits")}
		e.id = event.NewID("test", fmt.Sprint(rapid.IntRange(0, 1<<30).Draw(t, "id"), i), 0)
		for _, name := range []string{"v", "w"} {
			v := rapid.SampledFrom([]string{"", "p", "q", "r"}).Draw(t, name)
			if v != "" {
				v = string(rules.MakeKey(v))
			}
			e.vals = append(e.vals, v)
		}
		x := arrival{event: e, child: len(r.Children) > 0 && rapid.Bool().Draw(t, "child")}
		if len(r.Children) > 0 && !x.child {
			if x.event.bits &= 3; x.event.bits == 0 {
				x.event.bits = 1
			}
		}
		// An array in a key field makes one match per element (K3).
		for _, k := range rapid.SampledFrom([][]string{{"x"}, {"x"}, {"y"}, {"x", "y"}}).Draw(t, "keys") {
			x.key = rules.MakeKey(k)
			out = append(out, x)
			if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
				y := x
				y.event.a += rapid.SampledFrom([]int64{0, 1, 4}).Draw(t, "later")
				out = append(out, y)
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].event.a < out[j].event.a })
	return out
}

// expected asks the oracle.
func expected(r *rules.Rule, as []arrival, closings map[rules.Key][]closed) []string {
	o := oracle{r, lateness}
	byGroup := make(map[rules.Key][]finding)
	for _, name := range keyNames {
		key := rules.MakeKey(name)
		var s, below []seen
		for _, a := range as {
			switch {
			case a.key != key:
			case a.child:
				below = append(below, a.event)
			default:
				s = append(s, a.event)
			}
		}
		if len(r.Children) > 0 {
			s = append(s, pointsBelow(r.Children[0], below)...)
		}
		fs := o.detections(name, s)
		group := key.Part(r.GroupBy)
		byGroup[group] = append(byGroup[group], fs...)
	}
	var out []string
	for group, fs := range byGroup {
		out = append(out, o.incidents(fs, closings[group])...)
	}
	sort.Strings(out)
	return out
}

// pointsBelow turns the firing points of a referenced rule into events of the pattern that names it.
func pointsBelow(r *rules.Rule, below []seen) []seen {
	o := oracle{r, lateness}
	below = dedupe(below)
	starts := o.points(below)
	var out []seen
	for _, x := range below {
		if _, ok := starts[x.id]; !ok {
			continue
		}
		y := x
		y.bits, y.vals = 1<<2, []string{"", ""}
		if settles(r.When) {
			y.a = max(y.a, y.t+o.t()+o.l())
		}
		out = append(out, y)
	}
	return out
}

// view is what the changes of an engine add up to, as a store would keep them.
type view struct {
	rule       *rules.Rule
	incidents  map[string]incident.Incident
	detections map[string]incident.Detection
	in         map[string]string
	evidence   map[string]map[string]bool
}

func newView(r *rules.Rule) *view {
	return &view{
		rule: r, incidents: map[string]incident.Incident{}, detections: map[string]incident.Detection{},
		in: map[string]string{}, evidence: map[string]map[string]bool{},
	}
}

func (v *view) apply(c correlate.Changes) {
	for _, in := range c.Incidents {
		v.incidents[in.ID] = in
	}
	for _, d := range c.Detections {
		id := d.Detection.ID
		switch {
		case d.Gone:
			delete(v.detections, id)
			delete(v.in, id)
			delete(v.evidence, id)
			continue
		case !d.Moved:
			v.detections[id] = d.Detection
		}
		v.in[id] = d.Incident
		if v.evidence[id] == nil {
			v.evidence[id] = make(map[string]bool)
		}
		for _, e := range d.Removed {
			delete(v.evidence[id], e.Step+":"+e.Event.ID.String())
		}
		for _, e := range d.Added {
			v.evidence[id][e.Step+":"+e.Event.ID.String()] = true
		}
	}
}

// finding prints a detection as the oracle does.
func (v *view) finding(id string) finding {
	d := v.detections[id]
	f := finding{
		key: d.Key.Values()[0].(string), first: d.First, last: d.Last, firing: d.FirstFiring,
		count: d.EventCount, late: d.Late, steps: d.Steps,
	}
	for e := range v.evidence[id] {
		f.evidence = append(f.evidence, e)
	}
	sort.Strings(f.evidence)
	return f
}

func (v *view) lines() []string {
	var out []string
	for _, in := range v.incidents {
		if in.Retracted || in.MergedInto != "" {
			continue
		}
		var ls []string
		for id, d := range v.detections {
			if v.in[id] != in.ID || d.Retracted != nil {
				continue
			}
			ls = append(ls, "  "+v.finding(id).String())
		}
		sort.Strings(ls)
		out = append(out, fmt.Sprintf("incident [%d..%d] %d events\n%s",
			in.FirstEvent, in.LastEvent, in.EventCount, strings.Join(ls, "\n")))
	}
	sort.Strings(out)
	return out
}

// run plays arrivals, in the given order, through an engine that is snapshotted and restored at split.
func run(t *rapid.T, r *rules.Rule, as []arrival, split int, closings []closing) []string {
	set := &rules.Set{Rules: []*rules.Rule{r}, Hash: "set"}
	e := correlate.New(lateness, correlate.Limits{})
	check(t, e.Use(set))
	v := newView(r)
	stored := make(map[string]correlate.Cell)
	done := make([]bool, len(closings))
	step := func(x correlate.Entry) {
		// The log is bytes.
		decoded, err := correlate.DecodeEntries(correlate.EncodeEntries([]correlate.Entry{x}), 0)
		check(t, err)
		if x.Close != nil {
			decoded[0].Close.At = x.Close.At
		}
		check(t, e.Step(decoded[0]))
		v.apply(e.Changes())
		for _, c := range e.Snapshot() {
			stored[c.ID] = c
		}
	}
	for i, a := range as {
		clock := int64(math.MaxInt64)
		for _, b := range as[i:] {
			clock = min(clock, b.event.a)
		}
		step(correlate.Entry{Tick: &correlate.Tick{Clock: clock, Set: "set"}})
		if i == split {
			e = correlate.New(lateness, correlate.Limits{})
			check(t, e.Use(set))
			for _, c := range stored {
				if c.State != nil {
					check(t, e.Restore(c))
				}
			}
		}
		var path []int
		if a.child {
			path = []int{0}
		}
		step(correlate.Entry{Matches: &correlate.Matches{Set: "set", Matches: []rules.Match{{
			Rule: r.Revision, Path: path, Key: a.key, Group: a.key.Part(r.GroupBy),
			Patterns: a.event.bits, Values: a.event.vals,
			Event: rules.EventRef{ID: a.event.id, EventID: a.event.id.String(), Time: a.event.t, Arrival: a.event.a},
		}}}})
		for i := range closings {
			if c := &closings[i]; !done[i] {
				if id := v.incidentOf(c.group, c.firing, c.point); id != "" {
					done[i] = true
					step(correlate.Entry{Close: &correlate.Close{Rule: r.Revision, Group: c.group, Incident: id, At: c.at}})
				}
			}
		}
	}
	step(correlate.Entry{Tick: &correlate.Tick{Clock: math.MaxInt64 / 4, Set: "set"}})
	return v.lines()
}

// closing closes the incident of the detection that first fired at point.
type closing struct {
	closed
	group  rules.Key
	firing int64
}

// incidentOf returns the incident of the detection of a group that first fired at an event.
func (v *view) incidentOf(group rules.Key, firing int64, point event.ID) string {
	for id, d := range v.detections {
		if d.Retracted != nil || d.FirstFiring != firing || d.Key.Part(v.rule.GroupBy) != group {
			continue
		}
		for e := range v.evidence[id] {
			if strings.HasSuffix(e, ":"+point.String()) {
				return v.in[id]
			}
		}
	}
	return ""
}

func anyLate(as []arrival) bool {
	for _, a := range as {
		if a.event.a > a.event.t+lateness {
			return true
		}
	}
	return false
}

func check(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEngineEqualsOracle is the promise: what the engine finds is what detection.md
// says of the whole set of events, in order, shuffled, duplicated, and split by a restore.
func TestEngineEqualsOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		as := drawArrivals(t, r)
		var closings []closing
		forOracle := make(map[rules.Key][]closed)
		if r.Within != 0 && !settles(r.When) && len(r.Children) == 0 && !anyLate(as) && rapid.IntRange(0, 2).Draw(t, "close") == 0 {
			o := oracle{r, lateness}
			for _, name := range keyNames {
				key := rules.MakeKey(name)
				var s []seen
				for _, a := range as {
					if a.key == key {
						s = append(s, a.event)
					}
				}
				// One person closes the incident of one firing point of the key.
				group := key.Part(r.GroupBy)
				if fs := o.detections(name, s); len(fs) > 0 && len(forOracle[group]) == 0 {
					f := fs[rapid.IntRange(0, len(fs)-1).Draw(t, "closed")]
					at := f.firing + rapid.Int64Range(0, 30).Draw(t, "after")
					for _, x := range dedupe(s) {
						if f.points[x.id] && x.t == f.firing {
							c := closing{closed{at: at, point: x.id}, group, f.firing}
							closings = append(closings, c)
							forOracle[group] = append(forOracle[group], c.closed)
							break
						}
					}
				}
			}
		}
		want := expected(r, as, forOracle)
		split := rapid.IntRange(-1, len(as)-1).Draw(t, "split")
		compare(t, "in order", want, run(t, r, as, -1, closings))
		compare(t, "split by a restore", want, run(t, r, as, split, closings))
		shuffled := rapid.Permutation(as).Draw(t, "order")
		compare(t, "shuffled", want, run(t, r, shuffled, split, closings))
		compare(t, "duplicated", want, run(t, r, append(append([]arrival(nil), shuffled...), as...), split, closings))
	})
}

func compare(t *rapid.T, how string, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: the engine differs from the oracle (-want +got):\n%s", how, d)
	}
}
