// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
)

// TestNearest: a key that did not make it shows how far it came. An event is "second action host user".
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
		"score": {"when: score >= 30\nweights: {a: 10, b: 20}\nby: [host.name]\nwithin: 10s", []string{"0 b h"}, []string{"h at 0: score >= 30 20/30"}},
	} {
		set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(
			"rule: r\ntitle: t\nseverity: low\nmatch: {a: event.action == \"a\", b: event.action == \"b\", c: event.action == \"c\"}\n" + tc.rule)}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var found rules.Result
		for i, line := range tc.events {
			words := append(strings.Fields(line), "")
			at, err := time.ParseDuration(words[0] + "s")
			if err != nil {
				t.Fatal(err)
			}
			e := &event.Event{ID: event.NewID("test", fmt.Sprint(i), 0), Time: int64(at), Arrival: int64(at)}
			e.SetText(event.EventAction, words[1])
			e.SetText(event.HostName, words[2])
			e.SetText(event.UserName, words[3])
			set.Match(e, &found)
		}
		var got []string
		for _, n := range correlate.Nearest(set.Rules[0], found.Matches) {
			var steps []string
			for _, s := range n.Steps {
				text := fmt.Sprintf("%s %d/%d", s.What, s.Have, s.Need)
				if s.Done {
					text += " done"
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
