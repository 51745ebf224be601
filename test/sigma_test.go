// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// Two rules of single events that correlations are over.
const singles = `
title: Failed login
id: 11111111-1111-1111-1111-111111111111
name: failed
level: low
logsource: {product: linux, service: auth}
detection:
  selection: {message|contains: failed}
  condition: selection
---
title: Login
name: worked
level: informational
logsource: {product: linux, service: auth}
detection:
  selection: {message|contains: worked}
  condition: selection
---
title: Logout
name: gone
logsource: {product: linux, service: auth}
detection:
  selection: {message|contains: gone}
  condition: selection
---
`

func correlation(body string) string {
	return singles + "title: Correlated\nid: c\nlevel: high\ncorrelation:\n" + body
}

// TestSigmaCorrelations: what each type of correlation means (detection.md S5). An event is written as
// "second message user bytes"; a finding is "rule key first..last events".
func TestSigmaCorrelations(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rules  string
		events []string
		want   []string
	}{
		"event_count": {
			correlation("  type: event_count\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 3}"),
			[]string{"0 failed ana", "1 failed bob", "5 failed ana", "10 failed ana", "30 failed ana"},
			[]string{"c user=ana 0..10 3"},
		},
		"event_count over two rules counts events of either": {
			correlation("  type: event_count\n  rules: [failed, gone]\n  group-by: [user]\n  timespan: 10s\n  condition: {gt: 1}"),
			[]string{"0 failed ana", "5 gone ana", "5 gone bob"},
			[]string{"c user=ana 0..5 2"},
		},
		"without group-by all events are one group": {
			correlation("  type: event_count\n  rules: [failed]\n  timespan: 10s\n  condition: {gte: 2}"),
			[]string{"0 failed ana", "5 failed bob"},
			[]string{"c  0..5 2"},
		},
		"an event without the field is in no group": {
			correlation("  type: event_count\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 2}"),
			[]string{"0 failed", "5 failed"},
			nil,
		},
		"value_count": {
			correlation("  type: value_count\n  rules: [failed]\n  group-by: [bytes]\n  timespan: 10s\n  condition: {field: user, gte: 2}"),
			[]string{"0 failed ana 1", "1 failed ana 1", "2 failed bob 1", "3 failed cid 2"},
			[]string{"c bytes=1 1..2 2"},
		},
		"value_sum": {
			correlation("  type: value_sum\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {field: bytes, gt: 100}"),
			[]string{"0 failed ana 60", "1 failed ana 41", "1 failed bob 99"},
			[]string{"c user=ana 0..1 2"},
		},
		"value_avg": {
			correlation("  type: value_avg\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {field: bytes, gte: 50}"),
			[]string{"0 failed ana 40", "1 failed ana 60"},
			[]string{"c user=ana 1..1 1"},
		},
		"value_median": {
			correlation("  type: value_median\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {field: bytes, eq: 5}"),
			[]string{"0 failed ana 1", "1 failed ana 9"},
			[]string{"c user=ana 1..1 1"},
		},
		"value_percentile": {
			correlation("  type: value_percentile\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {field: bytes, gte: 9, percentile: 90}"),
			[]string{"0 failed ana 1", "1 failed ana 9"},
			[]string{"c user=ana 1..1 1"},
		},
		"temporal, in any order": {
			correlation("  type: temporal\n  rules: [failed, worked]\n  group-by: [user]\n  timespan: 10s"),
			[]string{"0 worked ana", "5 failed ana", "20 failed bob", "31 worked bob"},
			[]string{"c user=ana 0..5 2"},
		},
		"temporal_ordered": {
			correlation("  type: temporal_ordered\n  rules: [failed, worked]\n  group-by: [user]\n  timespan: 10s"),
			[]string{"0 worked ana", "5 failed ana", "7 failed bob", "9 worked bob"},
			[]string{"c user=bob 7..9 2"},
		},
		"temporal with a number of rules": {
			correlation("  type: temporal\n  rules: [failed, worked, gone]\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 2}"),
			[]string{"0 failed ana", "5 gone ana", "5 failed bob"},
			[]string{"c user=ana 0..5 2"},
		},
		"an extended condition": {
			correlation("  type: temporal\n  rules: [failed, worked]\n  group-by: [user]\n  timespan: 10s\n  condition: failed and not worked"),
			[]string{"0 failed ana", "5 worked ana", "5 failed bob"},
			[]string{"c user=bob 5..5 1"},
		},
		"fewer than": {
			correlation("  type: event_count\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {lt: 2}"),
			[]string{"0 failed ana", "5 failed ana", "400 worked ana"},
			[]string{"c user=ana 5..5 1"},
		},
		"aliases": {
			correlation("  type: temporal\n  rules: [failed, worked]\n  group-by: [who]\n  aliases: {who: {failed: user, worked: bytes}}\n  timespan: 10s"),
			[]string{"0 failed 7 x", "5 worked x 7"},
			nil, // the text 7 is not the number 7 (K4)
		},
		"aliases of one type": {
			correlation("  type: temporal\n  rules: [failed, worked]\n  group-by: [who]\n  aliases: {who: {failed: user, worked: to}}\n  timespan: 10s"),
			[]string{"0 failed ana", "5 worked bob - ana"},
			[]string{"c who=ana 0..5 2"},
		},
		"aliases of event_count: the field of the rule that the event fits": {
			correlation("  type: event_count\n  rules: [failed, gone]\n  group-by: [who]\n  aliases: {who: {failed: user, gone: to}}\n  timespan: 10s\n  condition: {gte: 2}"),
			[]string{"0 failed ana - bob", "5 gone bob - ana", "6 gone ana - cid"},
			[]string{"c who=ana 0..5 2"},
		},
		"an alias for a correlation is for its events": {
			singles + "title: Many\nname: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 2}\n---\n" +
				"title: Then\nid: c\ncorrelation:\n  type: temporal_ordered\n  rules: [many, worked]\n  group-by: [who]\n  aliases: {who: {many: user, worked: to}}\n  timespan: 60s",
			[]string{"0 failed ana", "5 failed ana", "20 worked bob - ana"},
			[]string{"c who=ana 5..20 2"},
		},
		"generate": {
			correlation("  type: event_count\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  generate: true\n  condition: {gte: 2}"),
			[]string{"0 failed ana", "5 failed ana"},
			[]string{"11111111-1111-1111-1111-111111111111  0..0 1", "11111111-1111-1111-1111-111111111111  5..5 1", "c user=ana 0..5 2"},
		},
		"a chain: the outer group-by takes the place of the inner": {
			singles + "title: Many\nname: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [bytes]\n  timespan: 10s\n  condition: {gte: 2}\n---\n" +
				"title: Then\nid: c\ncorrelation:\n  type: temporal_ordered\n  rules: [many, worked]\n  group-by: [user]\n  timespan: 60s",
			[]string{"0 failed ana 1", "5 failed ana 2", "20 worked ana", "20 worked bob"},
			[]string{"c user=ana 5..20 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := rules.Compile([]rules.File{{Name: "s.yml", Data: []byte(tc.rules)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range []string{"in order", "shuffled", "duplicated"} {
				if diff := cmp.Diff(tc.want, findings(t, set, tc.events, way)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// findings plays events and prints what correlations, and rules that they generate, find.
func findings(t *testing.T, set *rules.Set, events []string, way string) []string {
	t.Helper()
	play := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for i, line := range events {
		words := append(strings.Fields(line), "", "", "")
		at, err := time.ParseDuration(words[0] + "s")
		if err != nil {
			t.Fatal(err)
		}
		record := fmt.Sprintf(`{"event.id":"e%d","timestamp":%q,"message":%q`, i, start.Add(at).Format(time.RFC3339Nano), words[1])
		if words[2] != "" {
			record += fmt.Sprintf(`,"user":%q`, words[2])
		}
		if words[3] != "" && words[3] != "-" && words[3] != "x" {
			record += `,"bytes":` + words[3]
		}
		if words[4] != "" {
			record += fmt.Sprintf(`,"to":%q`, words[4])
		}
		if err := play.Add("vector", []byte(record+"}")); err != nil {
			t.Fatal(err)
		}
	}
	switch way {
	case "shuffled":
		play.Shuffle(3)
	case "duplicated":
		play.Duplicate()
	}
	res, err := play.Run(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, in := range res.Incidents {
		if in.Rule.ID != "c" && !strings.HasPrefix(in.Rule.ID, "1111") {
			continue
		}
		for _, d := range in.Detections {
			var key []string
			for k, v := range d.Key {
				if v != nil {
					key = append(key, fmt.Sprintf("%s=%v", k, v))
				}
			}
			sort.Strings(key)
			out = append(out, fmt.Sprintf("%s %s %d..%d %d", in.Rule.ID, strings.Join(key, ","),
				(int64(d.FirstEvent)-start.UnixNano())/1e9, (int64(d.LastEvent)-start.UnixNano())/1e9, d.EventCount))
		}
	}
	sort.Strings(out)
	return out
}

// TestSigmaFilters: a filter's condition is added to the rules that it names (S6).
func TestSigmaFilters(t *testing.T) {
	t.Parallel()
	filter := func(of, condition string) string {
		return singles + "title: Not ana\nlogsource: {product: linux}\nfilter:\n  rules: " + of +
			"\n  selection: {user: ana}\n  nobody: {user: nobody}\n  condition: " + condition + "\n"
	}
	events := []string{"0 failed ana", "5 failed bob"}
	const id = "11111111-1111-1111-1111-111111111111"
	for of, want := range map[string][]string{
		"[failed]": {id + "  5..5 1"}, "[" + id + "]": {id + "  5..5 1"}, "any": {id + "  5..5 1"}, "[worked]": {id + "  0..0 1", id + "  5..5 1"},
	} {
		// What to take away, as the specification writes it, and what to keep, as pySigma does.
		for _, condition := range []string{
			"selection", "selection or nobody", "selection and not nobody", "not selection", "not selection and not nobody", "not 1 of them",
		} {
			set, err := rules.Compile([]rules.File{{Name: "s.yml", Data: []byte(filter(of, condition))}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, findings(t, set, events, "in order")); diff != "" {
				t.Errorf("%s, %s: %s", of, condition, diff)
			}
		}
	}
}

// TestSigmaIsRefused: what cannot be honoured is refused, with its line and what was meant (S1).
func TestSigmaIsRefused(t *testing.T) {
	t.Parallel()
	rule := func(detection string) string {
		return "title: x\nlogsource: {product: linux}\ndetection:\n" + detection
	}
	for text, want := range map[string]string{
		rule("  sel: {a|contaisn: b}\n  condition: sel"):                                                                                           `f.yml:4: rule "x": unknown modifier "contaisn"; did you mean "contains"?`,
		rule("  sel: {a|re: 'x(?=y)'}\n  condition: sel"):                                                                                          "regular expressions are RE2",
		rule("  sel: {a|i: b}\n  condition: sel"):                                                                                                  "the modifier i is for re",
		rule("  sel: {a|cidr: 10.0.0}\n  condition: sel"):                                                                                          `"10.0.0" is no network`,
		rule("  sel: {a|gt: b}\n  condition: sel"):                                                                                                 `"b" is no number`,
		rule("  sel: {a|expand: '%x%'}\n  condition: sel"):                                                                                         "the placeholder %x% has no values here",
		rule("  sel: {a|re|startswith: b}\n  condition: sel"):                                                                                      `f.yml:4: rule "x": startswith is of texts and does not go with re`,
		rule("  sel: {a|cidr|cased: 10.0.0.0/8}\n  condition: sel"):                                                                                "cased is of texts and does not go with cidr",
		rule("  sel: {a|re|cidr: 10.0.0.0/8}\n  condition: sel"):                                                                                   "re and cidr do not go together",
		rule("  sel: {a|exists: ture}\n  condition: sel"):                                                                                          `exists is true or false, not "ture"`,
		rule("  sel: {a|contains: [b, null]}\n  condition: sel"):                                                                                   "null goes with no modifier",
		rule("  sel: {a|wide: 'é'}\n  condition: sel"):                                                                                             "base64 or base64offset stands behind it",
		rule("  sel: {a|base64offset|contains: ''}\n  condition: sel"):                                                                             "needs texts of two bytes or more",
		rule("  sel: {a|base64offset|contains: [ab, c]}\n  condition: sel"):                                                                        "needs texts of two bytes or more",
		rule("  sel: {a|base64offset|contains: 'a*b'}\n  condition: sel"):                                                                          "has wildcards",
		rule("  sel: {a: [[b]]}\n  condition: sel"):                                                                                                "a value is a text, a number, true, false or null",
		rule("  sel: {a: &x b, c: *x}\n  condition: sel"):                                                                                          "a value is a text, a number, true, false or null",
		rule("  sel: {a|base64: 'x*'}\n  condition: sel"):                                                                                          "has wildcards",
		rule("  sel: {a|windash|windash|windash: 'x -a -b -c -d'}\n  condition: sel"):                                                              "makes more than 10000 values",
		rule("  sel: {a: b}\n  condition: sel" + strings.Repeat(" or sel", 5000)):                                                                  "more than 5000 times",
		rule("  sel: {a: b}\n  condition: " + strings.Repeat("not ", 200) + "sel"):                                                                 "nested deeper than 100",
		rule("  sel: {a: b}\n  condition: slc"):                                                                                                    `f.yml:5: rule "x": condition: there is no selection "slc"; did you mean "sel"?`,
		rule("  sel: {a: b}\n  condition: sel and"):                                                                                                "the condition ends too early",
		rule("  sel: {a: b}\n  condition: (sel"):                                                                                                   "a ( is not closed",
		rule("  sel: {a: b}\n  condition: sel sel"):                                                                                                `"sel" is one too many`,
		rule("  sel: {a: b}\n  condition: 1 of x*"):                                                                                                "no selection is named x*",
		rule("  sel: {a: b}\n  condition: sel | count() > 5"):                                                                                      "write a correlation",
		rule("  sel: {a: b}"):                                                                                                                      "the detection has no condition",
		"title: x\nlevel: hihg\n" + rule("")[9:] + "  sel: {a: b}\n  condition: sel":                                                               `unknown level "hihg"; did you mean "high"?`,
		correlation("  type: event_cuont\n  rules: [failed]\n  timespan: 1m\n  condition: {gte: 1}"):                                               `unknown type "event_cuont"; did you mean "event_count"?`,
		correlation("  type: event_count\n  rules: [faild]\n  timespan: 1m\n  condition: {gte: 1}"):                                                `there is no Sigma rule "faild"`,
		correlation("  type: event_count\n  rules: [failed]\n  timespan: 1x\n  condition: {gte: 1}"):                                               "a span is a whole number and",
		correlation("  type: event_count\n  rules: [failed]\n  timespan: 1m\n  condition: {gte: 1, lte: 5}"):                                       "exactly one comparison",
		correlation("  type: event_count\n  rules: [failed]\n  timespan: 1m\n  condition: {gte: 0}"):                                               "always holds",
		correlation("  type: value_count\n  rules: [failed]\n  timespan: 1m\n  condition: {gte: 2}"):                                               "value_count needs a field",
		correlation("  type: temporal\n  rules: [failed, worked]\n  group-by: [who]\n  aliases: {who: {faild: user, worked: to}}\n  timespan: 1m"): `the alias who is for "faild", which the correlation does not refer to`,
		correlation("  type: value_percentile\n  rules: [failed]\n  timespan: 1m\n  condition: {field: n, gte: 2}"):                                "needs a percentile",
		correlation("  type: temporal_ordered\n  rules: [failed, worked]\n  timespan: 1m\n  condition: failed or worked"):                          "says nothing of their order",
		singles + "title: f\nfilter: {rules: [none], s: {a: b}, condition: not s}":                                                                 "the filter applies to no rule",
		"logsources: [{product: x, whne: {a: b}}]":                                                                                                 `unknown key "whne"; did you mean "when"?`,
	} {
		_, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestSigmaSettings: log sources, mappings and placeholders of one's own go before those that come with the program.
func TestSigmaSettings(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{
		{Name: "settings.yml", Data: []byte("logsources:\n  - {product: door, when: {kind: door}, fields: {Who: [badge.owner]}}\nplaceholders: {guests: [ana, 'b*']}\n")},
		{Name: "r.yml", Data: []byte("title: c\nid: c\nlogsource: {product: door}\ndetection:\n  sel: {Who|expand: '%guests%'}\n  condition: sel\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := set.Warnings(); len(w) != 0 {
		t.Errorf("warnings: %v", w)
	}
	play := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
	for _, record := range []string{
		`{"timestamp":"2026-03-02T12:00:00Z","kind":"door","badge":{"owner":"Bob"}}`,
		`{"timestamp":"2026-03-02T12:00:01Z","kind":"door","badge":{"owner":"cid"}}`,
		`{"timestamp":"2026-03-02T12:00:02Z","kind":"gate","badge":{"owner":"ana"}}`,
	} {
		if err := play.Add("vector", []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	res, err := play.Run(0, 0)
	if err != nil || len(res.Incidents) != 1 || res.Incidents[0].EventCount != 1 {
		t.Errorf("%d incidents, %v", len(res.Incidents), err)
	}
}

// TestSigmaLevelsAndIDs: a level is a severity of the same name (S7); a rule is called by its id, else by its name (S8).
func TestSigmaLevelsAndIDs(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"informational", "low", "medium", "high", "critical"} {
		text := "title: x\nname: by_name\nlevel: " + level + "\nlogsource: {category: test}\ndetection: {sel: {a: b}, condition: sel}\n"
		for id, want := range map[string]string{"": "by_name", "id: 22222222-2222-2222-2222-222222222222\n": "22222222-2222-2222-2222-222222222222"} {
			set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte(text + id)}})
			if err != nil {
				t.Fatal(err)
			}
			if r := set.Rules[0]; r.Severity.String() != level || r.ID != want {
				t.Errorf("level %s, %q: severity %s, id %q, want %q", level, id, r.Severity, r.ID, want)
			}
		}
	}
}
