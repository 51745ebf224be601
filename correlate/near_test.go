// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// TestNearestAgreesWithOracle: a key has all of a condition exactly if the rule fires for it, and what is told of the parts
// says the same.
func TestNearestAgreesWithOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		items := drawItems(t, r.overDays())
		last := int64(0)
		for _, x := range items {
			last = max(last, x.a)
		}
		r.ends(last)
		w := newWorld(t, r, items, nil)
		h := correlate.History{Lateness: lateness * int64(time.Second), Until: (zero + last) * int64(time.Second)}
		var found rules.Result
		for _, x := range rapid.Permutation(items).Draw(t, "order") {
			w.set.Match(x.event(), &found)
		}
		h.Matches = found.Matches
		near, err := correlate.Nearest(w.set, w.set.ByID("top"), h)
		check(t, err)
		want, got := make(map[string]bool), make(map[string]bool)
		for key, s := range r.sets(items) {
			if len(s) > 0 {
				want[key] = len(r.oracle().points(dedupe(s))) > 0
			}
		}
		for _, n := range near {
			got[printed(n.Key)] = n.Done
			if all := !slices.ContainsFunc(n.Steps, func(s correlate.Step) bool { return !s.Done }); all != n.Done || len(n.Steps) == 0 {
				t.Fatalf("done is %t, and the steps are %+v\nof\n%s", n.Done, n.Steps, w.text)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("what is done differs from what fires (-want +got):\n%s\nof\n%s", d, w.text)
		}
	})
}

// TestNearest: a key that did not make it shows how far it came. An event is "second action host user", or "second@arrival …".
func TestNearest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule   string
		events []string
		want   []string
	}{
		"count": {"when: count(a) >= 3\nby: [host.name]\nwithin: 10s", []string{"0 a h", "5 a h", "20 a h", "0 a i"}, []string{
			"h at 5: count(a) >= 3 2/3", "i at 0: count(a) >= 3 1/3",
		}},
		"sequence": {"when: sequence(repeat(a, 2), not c, b)\nby: [host.name]\nwithin: 10s", []string{"0 b h", "1 a h", "2 a h", "0 a i", "1 b i"}, []string{
			"h at 2: a 2/2 done; not c 0/0 done; b 0/1", "i at 1: a 1/2; not c 0/0 done; b 0/1",
		}},
		"and, distinct and absence": {"when: distinct(a, user.name) >= 2 and not c\nby: [host.name]\nwithin: 10s", []string{"0 a h u", "1 a h u", "2 c h u"}, []string{
			"h at 1: distinct(a, user.name) >= 2 1/2; not c 0/0 done",
		}},
		"or: the alternative that came further": {"when: count(a) >= 4 or count(b) >= 2\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 b h"}, []string{
			"h at 1: count(b) >= 2 1/2",
		}},
		"sum":       {"when: sum(a, raw.n) > 1000\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 a h"}, []string{"h at 1: sum(a, raw.n) > 1000 0/0 it is 3"}},
		"sum, done": {"when: sum(a, raw.n) >= 3\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 a h"}, []string{"h at 1: sum(a, raw.n) >= 3 0/0 done it is 3"}},
		"average, percentile and median": {"when: avg(a, raw.n) > 2 and percentile(a, raw.n, 50) < 1 and median(a, raw.n) == 1.5\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 a h"}, []string{
			"h at 1: avg(a, raw.n) > 2 0/0 it is 1.5; percentile(a, raw.n, 50) < 1 0/0 it is 1; median(a, raw.n) == 1.5 0/0 done it is 1.5",
		}},
		"silence that lasts":     {"when: silent(a)\nby: [host.name]\nwithin: 10s", []string{"0 a h", "20 b i"}, []string{"h at 0: silent(a) 0/0 done", "i at 20: silent(a) 0/0"}},
		"silence that is broken": {"when: silent(a)\nby: [host.name]\nwithin: 10s", []string{"0 a h", "5 a h", "6 b h"}, []string{"h at 6: silent(a) 0/0 open"}},
		"an absence between steps that is broken": {"when: sequence(a, not b, c)\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 b h", "2 c h"}, []string{
			"h at 2: a 1/1 done; not b 0/0 against 1; c 1/1 done",
		}},
		"equal times, in the other order": {"when: sequence(a, b)\nby: [host.name]\nwithin: 10s", []string{"0 b h", "0 a h"}, []string{"h at 0: a 1/1 done; b 1/1 done"}},
		"absences that hold of other events each": {"when: sequence(a, not b, not c, a)\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 b h", "2 a h", "3 c h", "4 a h"}, []string{
			"h at 3: a 1/1 done; not b 0/0 against 1; not c 0/0 done; a 1/1 done",
		}},
		"absence that is broken when it was told that it holds": {"when: a and not c\nby: [host.name]\nwithin: 4s", []string{"0 a h", "6 b i", "1@7 c h"}, []string{
			"i at 6: a 0/1; not c 0/0 done", "h at 1: a 1/1 done; not c 1/0 against 2",
		}},
		"absence that is broken": {"when: a and not (count(c) >= 2)\nby: [host.name]\nwithin: 10s", []string{"0 a h", "1 c h", "2 c h"}, []string{
			"h at 2: a 1/1 done; not count(c) >= 2 2/0 against 2",
		}},
		"fewer":      {"when: count(a) < 2\nby: [host.name]\nwithin: 4s", []string{"0 a h", "1 a h", "2 b h"}, []string{"h at 2: count(a) < 2 0/0 it is 0 open"}},
		"more":       {"when: count(a) > 2\nby: [host.name]\nwithin: 4s", []string{"0 a h", "1 a h"}, []string{"h at 1: count(a) > 2 2/3"}},
		"first seen": {"when: first_seen(a, user.name)\nlearn: 10s\nby: [host.name]\nwithin: 10s", []string{"0 a h u", "20 b h u"}, []string{"h at 20: first_seen(a, user.name) 0/0"}},
		"score":      {"when: score >= 30\nweights: {a: 10, b: 20}\nby: [host.name]\nwithin: 10s", []string{"0 b h"}, []string{"h at 0: score >= 30 20/30"}},
	} {
		set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(
			"rule: r\ntitle: t\nseverity: low\nmatch: {a: event.action == \"a\", b: event.action == \"b\", c: event.action == \"c\"}\n" + tc.rule)}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var found rules.Result
		until := int64(0)
		for i, line := range tc.events {
			words := append(strings.Fields(line), "")
			second, arrival, late := strings.Cut(words[0], "@")
			if !late {
				arrival = second
			}
			at, err := time.ParseDuration(second + "s")
			check(t, err)
			came, err := time.ParseDuration(arrival + "s")
			check(t, err)
			e := &event.Event{ID: event.NewID("test", fmt.Sprint(i), 0), Time: int64(at), Arrival: int64(came)}
			e.SetText(event.EventAction, words[1])
			e.SetText(event.HostName, words[2])
			e.SetText(event.UserName, words[3])
			e.EventID = fmt.Sprint(i)
			if _, err := e.ParseObject(fmt.Appendf(nil, `{"n": %d}`, i+1)); err != nil {
				t.Fatal(err)
			}
			until = int64(came)
			set.Match(e, &found)
		}
		var got []string
		near, err := correlate.Nearest(set, set.Rules[0], correlate.History{Matches: found.Matches, Lateness: int64(time.Second), Until: until})
		check(t, err)
		for _, n := range near {
			var steps []string
			for _, s := range n.Steps {
				text := fmt.Sprintf("%s %d/%d", s.What, s.Have, s.Need)
				if s.Done {
					text += " done"
				}
				if s.Against != "" {
					text += " against " + s.Against
				}
				if s.Value != "" {
					text += " it is " + s.Value
				}
				if s.Open {
					text += " open"
				}
				steps = append(steps, text)
			}
			got = append(got, fmt.Sprintf("%v at %d: %s", n.Key.Values()[0], n.At/1e9, strings.Join(steps, "; ")))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
