// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// TestACopyOfWhatIsForgotten: a copy that comes while its incident is known makes nothing new; one that comes when it is forgotten makes another
// detection, which says of what it may be a copy, in another incident: what else comes is not taken into the one that nobody looks at any more.
func TestACopyOfWhatIsForgotten(t *testing.T) {
	t.Parallel()
	for _, within := range []int{0, 4} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprintf("within %d, restarts %t", within, restarts), func(t *testing.T) {
				t.Parallel()
				l := newLimited(t, plainRule("top", "own", within, rules.Is{Pattern: 0}).lasting(20), correlate.Limits{})
				copied := func(a int64) item { return at("1", 1000, a, "a", "") }
				detections := func(when string, want int) {
					t.Helper()
					if len(l.said.detections) != want {
						t.Errorf("%s there are %d detections, want %d", when, len(l.said.detections), want)
					}
					if restarts {
						l.restart()
					}
				}
				l.play(copied(1000))
				detections("first", 1)
				var origin, opened string
				for d, in := range l.said.in {
					origin, opened = d, in
				}
				l.play(copied(1024))
				detections("as it is known", 1)
				l.tick(1100)
				if n := l.engine.Cells(); n != 0 {
					t.Fatalf("%d cells are left: it is not forgotten", n)
				}
				l.play(copied(1100))
				detections("as it is forgotten", 2)
				l.play(copied(1101))
				detections("once more", 2)
				l.play(at("2", 1010, 1102, "a", ""))
				detections("with what is new", 3)
				l.play(copied(1126))
				detections("as the copy is known, and its window is forgotten", 3)
				for id, d := range l.said.detections {
					in := l.said.incidents[l.said.in[id]]
					switch {
					case id == origin:
						if d.Life != (incident.Life{}) || in.ID != opened || in.Again || in.DetectionCount != 1 {
							t.Errorf("the first is %+v in %+v", d.Life, in)
						}
					case d.FirstFiring == l.said.detections[origin].FirstFiring:
						if d.Life != (incident.Life{Origin: origin, Number: int64(100 * time.Second)}) || in.ID == opened || !in.Again || in.DetectionCount != 2 {
							t.Errorf("the copy is %+v in %+v", d.Life, in)
						}
					default:
						if d.Life.Origin == origin || in.ID == opened {
							t.Errorf("what is new is %+v in %+v", d.Life, in)
						}
					}
				}
			})
		}
	}
}

// TestPartOfADetectionComesAgain: when its window has forgotten it, and its incident has not, some of a detection's events come again: it
// stays what it was, until there is more of it.
func TestPartOfADetectionComesAgain(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarts %t", restarts), func(t *testing.T) {
			t.Parallel()
			l := newLimited(t, plainRule("top", "own", 4, rules.Count{Pattern: 0, Op: rules.GE, N: 2}).lasting(100), correlate.Limits{})
			send := func(from, to, a int64) {
				for n := from; n <= to; n++ {
					l.play(at(fmt.Sprint(n), 1000+n, a+n, "a", ""))
				}
			}
			is := func(when string, events int64) {
				t.Helper()
				if f, _, _ := l.only(); f.count != events || f.steps["a"] != events || int64(len(f.evidence)) != events || len(l.said.incidents) != 1 {
					t.Errorf("%s: %s", when, f)
				}
				if restarts {
					l.restart()
				}
			}
			send(1, 5, 1000)
			is("first", 5)
			send(1, 3, 1040)
			is("three of them again", 5)
			send(4, 4, 1040)
			is("four", 5)
			send(5, 5, 1040)
			is("all of them again", 5)
			send(6, 6, 1040)
			is("one more", 6)
			send(1, 4, 1080)
			is("part of it once more", 6)
			has := func(when, id string) {
				t.Helper()
				if f, _, _ := l.only(); !slices.ContainsFunc(f.evidence, func(e string) bool { return strings.HasSuffix(e, event.NewID("test", id, 0).String()) }) {
					t.Errorf("what is new %s is not there: %s", when, f)
				}
			}
			l.play(at("7", 1008, 1084, "a", ""))
			has("after a part", "7")
			send(1, 6, 1120)
			l.play(at("7", 1008, 1128, "a", ""), at("8", 1003, 1128, "a", ""))
			has("among all of it", "8")
			send(1, 2, 1160)
			l.play(at("0", 999, 1163, "a", ""))
			has("before a part", "0")
		})
	}
}

// TestALifeIsNoOther: where the lateness bound was changed between them, two times that something is made again are two.
func TestALifeIsNoOther(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, x := range []struct{ lateness, arrives int64 }{{10, 1065}, {30, 1100}} {
		l := newLimited(t, plainRule("top", "own", 0, rules.Is{Pattern: 0}).lasting(20), correlate.Limits{})
		l.engine = correlate.New(x.lateness*int64(time.Second), correlate.Limits{})
		check(t, l.engine.Use(l.set))
		l.play(at("1", 1000, x.arrives, "a", ""))
		for id := range l.said.detections {
			if seen[id] || seen[l.said.in[id]] {
				t.Errorf("with L = %d s it has the names of before", x.lateness)
			}
			seen[id], seen[l.said.in[id]] = true, true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d names", len(seen))
	}
}
