// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/rules"
)

// some are events of one key, a second apart.
func some(from, n int64) (out []item) {
	for i := from; i < from+n; i++ {
		out = append(out, at(fmt.Sprint(i), 1000+i, 1000+i, "a", ""))
	}
	return out
}

// withMatches plays events of one key through an engine that keeps so many, and lets the clock go on until all is decided.
func withMatches(t *testing.T, r *drawn, limit int, items []item) *limited {
	t.Helper()
	limits := correlate.DefaultLimits
	limits.Matches = limit
	l := newLimited(t, r, limits)
	l.play(items...)
	return l
}

// TestMatchesOfAKeyAreBounded: of more matches than the limit the oldest go and are counted, and from then on the detections
// of the key say so, after a restart too (B2). Its next detections, of matches that all came after, do not.
func TestMatchesOfAKeyAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 20
	for _, tc := range []struct {
		name string
		rule *drawn
		wait int64
	}{
		{"at once", plainRule("top", "own", 100, rules.Count{Pattern: 0, Op: rules.GE, N: 2}), 0},
		{"settled", plainRule("top", "own", 100, rules.And{X: []rules.Cond{rules.Is{}, rules.Not{X: rules.Is{Pattern: 1}}}}), 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := withMatches(t, tc.rule, limit, some(0, limit))
			l.wants("at the limit", limit, 0)
			if tc.wait == 0 {
				if f, detection, incident := l.only(); f.count != limit || detection || incident {
					t.Errorf("at the limit: %d events, capped: detection %t, incident %t", f.count, detection, incident)
				}
			}
			l.play(some(limit, 1)...)
			l.wants("one over", limit+1, 3) // a tenth goes at a time, so that this is seldom
			l.restart()
			l.play(some(limit+1, 2)...)
			l.wants("after a restart", limit+3, 3)
			l.play(some(limit+3, 1)...)
			l.wants("over again", limit+4, 6)
			l.tick(1000 + limit + 3 + tc.wait)
			if f, detection, incident := l.only(); f.count > limit+4 || f.count < limit-2 || !detection || !incident {
				t.Errorf("over: %d events, capped: detection %t, incident %t", f.count, detection, incident)
			}
			for i := range int64(3) {
				l.tick(100_000 + i)
			}
			if l.engine.Cells() != 0 {
				t.Fatalf("%d cells are left", l.engine.Cells())
			}
			l.said = newView()
			l.play(some(200_000, 3)...)
			l.tick(201_003 + tc.wait)
			if f, detection, incident := l.only(); f.count != 3 || detection || incident {
				t.Errorf("once those have gone: %d events, capped: detection %t, incident %t", f.count, detection, incident)
			}
			l.wants("once those have gone", limit+7, 6)
		})
	}
}

// TestCappedIsToldAtOnce: the match that is one too many is told of, whether or not another comes (B2).
func TestCappedIsToldAtOnce(t *testing.T) {
	t.Parallel()
	l := withMatches(t, plainRule("top", "own", 100, rules.Is{}), 20, some(0, 21))
	if f, detection, incident := l.only(); f.count != 21 || !detection || !incident {
		t.Errorf("%d events, capped: detection %t, incident %t; want 21 and both", f.count, detection, incident)
	}
}

// TestCappedOutlivesARestart: what a key lost, its next detection may lack, whoever goes on with it.
func TestCappedOutlivesARestart(t *testing.T) {
	t.Parallel()
	burst := some(0, 21)
	for i := range burst {
		burst[i].t, burst[i].a = 1000, 1000
	}
	l := withMatches(t, plainRule("top", "own", 1, rules.Is{}), 20, burst)
	l.restart()
	l.play(at("next", 1003, 1003, "a", ""))
	if len(l.said.detections) != 2 {
		t.Fatalf("%d detections, want 2", len(l.said.detections))
	}
	for _, d := range l.said.detections {
		if !d.Capped {
			t.Errorf("the detection of %d events does not say that it is capped", d.EventCount)
		}
	}
}

// TestCappedIsToldOfWhatRefersToIt: what a referenced rule dropped the rule above it may lack, whether it refers to what came
// before or after. What the rule above it has from it is bounded too.
func TestCappedIsToldOfWhatRefersToIt(t *testing.T) {
	t.Parallel()
	below := func(label string, items []item) (out []item) {
		for _, x := range items {
			x.labels = map[string][]string{"below": {label}}
			out = append(out, x)
		}
		return out
	}
	var keys []item
	for i, x := range below("a", some(0, 40)) {
		x.g = fmt.Sprint(i)
		keys = append(keys, x)
	}
	for name, items := range map[string][]item{
		"many":   keys,
		"before": append(below("a", some(0, 1)), below("b", some(1, 40))...),
		"after":  append(below("b", some(0, 40)), below("a", some(40, 1))...),
		"all":    below("a", some(0, 40)),
	} {
		under := plainRule("below", "below", 5, rules.Is{})
		under.By, under.GroupBy = []string{"k", "g"}, []int{0, 1}
		r := plainRule("top", "own", 100, rules.Is{Pattern: 2}).over(under)
		if f, detection, incident := withMatches(t, r, 20, items).only(); f.count > 40 || !detection || !incident {
			t.Errorf("%s: %s, capped: detection %t, incident %t; want both", name, f, detection, incident)
		}
	}
}

// TestCountsAreLowerBounds: whatever the order, up to the limit what is found is what is there, and above it no more than that.
func TestCountsAreLowerBounds(t *testing.T) {
	t.Parallel()
	const limit = 20
	r := plainRule("top", "own", 100, rules.Count{Pattern: 0, Op: rules.GE, N: 18})
	shuffled := func(items []item, seed uint64) []item {
		rand.New(rand.NewPCG(seed, seed)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		for i := range items {
			items[i].a = 1000 + int64(len(items)) // all at once
		}
		return items
	}
	for _, n := range []int64{limit, limit + 1, 2 * limit} {
		truth, _, _ := withMatches(t, r, correlate.DefaultLimits.Matches, shuffled(some(0, n), 0)).only()
		for seed := range uint64(20) {
			l := withMatches(t, r, limit, shuffled(some(0, n), seed))
			if n == limit {
				f, capped, _ := l.only()
				if d := cmp.Diff(truth.String(), f.String()); d != "" || capped {
					t.Errorf("at the limit, order %d: capped %t (-want +got):\n%s", seed, capped, d)
				}
				l.wants("at the limit", n, 0)
				continue
			}
			count := int64(0)
			for _, d := range l.said.detections {
				if count += d.EventCount; !d.Capped {
					t.Errorf("%d events, order %d: a detection does not say that it is capped", n, seed)
				}
			}
			if count > truth.count {
				t.Errorf("%d events, order %d: %d are counted, above the %d that there are", n, seed, count, truth.count)
			}
		}
	}
}

// TestEvidenceIsTheEarliest: of more than 100 events of a step those are evidence that are the earliest, and the first
// firing point, in whatever order they came (F4). Where many have one time it is the ids that decide which is the hundredth.
func TestEvidenceIsTheEarliest(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		together, n int
		threshold   int64
	}{{1, 101, 2}, {60, 101, 105}, {1, 115, 105}, {60, 115, 2}} {
		var items []item
		for i := range x.n {
			when := 1000 + int64(i/x.together)
			items = append(items, at(fmt.Sprint("a", i), when, when, "a", ""), at(fmt.Sprint("b", i), when, when, "b", ""))
		}
		r := plainRule("top", "own", 300, rules.Count{Pattern: 0, Op: rules.GE, N: x.threshold})
		w := newWorld(t, r, items, nil)
		w.compare(t, "in order", items, 1, -1)
		w.compare(t, "together", items, 2*x.n, -1)
		random := rand.New(rand.NewPCG(3, uint64(x.n)))
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		w.compare(t, "shuffled", items, 3, x.n)
	}
}
