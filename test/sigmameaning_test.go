// SPDX-License-Identifier: Apache-2.0

package test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/rules"
)

// TestSigmaMeansAllThatItSays: what would load and mean less than is written is refused, with the line and what was meant
// (S1); what stands beside it and means something loads.
func TestSigmaMeansAllThatItSays(t *testing.T) {
	t.Parallel()
	selection := func(sel string) string {
		return "title: x\nlogsource: {product: linux}\ndetection:\n  sel: " + sel + "\n  condition: sel"
	}
	over := func(kind, names, rest string) string {
		return correlation("  type: " + kind + "\n  rules: " + names + "\n  group-by: [user]\n  timespan: 1m\n" + rest)
	}
	const three = "[failed, worked, gone]"
	for _, tc := range []struct {
		text, want string // want is "" of what loads
	}{
		{selection("{a|gt|lt: 5}"), `f.yml:4: rule "x": lt stands beside another comparison, and one would be lost`},
		{selection("{a|gt: 5, a|lt: 9}"), ""},
		{selection("{a|hour|minute: 5}"), `f.yml:4: rule "x": minute stands beside another part of a time, and one would be lost`},
		{selection("{a|hour|gte: 5}"), ""},
		{selection("{}"), `f.yml:4: rule "x": a selection is empty: it would hold of every event`},
		{selection("[{a: b}, {}]"), `f.yml:4: rule "x": a selection is empty: it would hold of every event`},
		{selection("{a|windash|fieldref: b-c}"), `f.yml:4: rule "x": windash changes a text that the rule has, and with fieldref it has only a field's name`},
		{selection("{a|endswith|fieldref: b}"), ""},
		{selection("{a: b}") + "\ncorrelation: {}", `f.yml:6: rule "x": a rule has no correlation`},
		{over("event_count", three, "  condition: {gte: 2}") + "\ndetection: {}", `f.yml:35: rule "Correlated": a correlation has no detection`},
		{singles + "title: f\nfilter: {rules: [failed], s: {a: b}, condition: s}\ndetection: {}", `a filter has no detection`},
		{over("temporal", three, "  condition: {gte: 5}"), `f.yml:34: rule "Correlated": gte: 5 never holds: the correlation is over 3 rules`},
		{over("temporal", three, "  condition: {gte: 1.5}"), "gte: a number of rules is whole, not 1.5"},
		{over("temporal", three, "  condition: {gt: 3}"), "gt: 3 never holds: the correlation is over 3 rules"},
		{over("temporal", three, "  condition: {eq: 0}"), "eq: 0 never holds: the correlation is over 3 rules"},
		{over("temporal", three, "  condition: {lte: 3}"), "lte: 3 always holds: the correlation is over 3 rules"},
		{over("temporal", three, "  condition: {lt: 3}"), ""},
		{over("temporal", "[failed, failed]", "  condition: {gte: 2}"), `rules names "failed" twice`},
		{over("temporal", three, "  condition: failed and worked"), `f.yml:34: rule "Correlated": the condition "failed and worked" does not name "gone", which stands in rules`},
		{over("temporal", three, "  condition: failed and (worked or not gone)"), ""},
		{over("temporal", three, "  condition: {gte: 2, field: user}"), "temporal counts events or rules and reads no field"},
		{over("temporal_ordered", three, "  condition: {gte: 3}"), ""},
		{over("temporal_ordered", three, "  condition: {gte: 2}"), "a number of rules says nothing of their order"},
		{over("event_count", three, "  condition: {gte: 2, field: user}"), `f.yml:34: rule "Correlated": event_count counts events or rules and reads no field: for distinct values there is value_count`},
		{over("event_count", three, "  condition: {lt: 1}"), "lt: 1 never holds: it is counted from an event of the rules on"},
		{over("event_count", three, "  condition: {gte: 2}\n  aliases: {who: {failed: user}}"), "the alias who is for no field of group-by"},
		{over("event_count", three, "  condition: {gte: 2}\n  generate: yes"), `f.yml:35: rule "Correlated": generate is true or false, not "yes"`},
		{over("event_count", three, "  condition: {gte: 2}\n  generate: True"), ""},
		{over("event_count", three, "  condition: {gte: 2}\ngenerate: 1"), `f.yml:35: rule "Correlated": generate is true or false, not "1"`},
		{over("value_avg", "[failed]", "  condition: {gte: 2, field: bytes, percentile: 5}"), "value_avg reads no percentile: there is value_percentile"},
		{over("value_sum", "[failed]", "  condition: {lt: 0, field: bytes}"), "lt: 0 never holds: a sum leaves negative values out"},
		{over("value_sum", "[failed]", "  condition: {gt: -1, field: bytes}"), "gt: -1 always holds: a sum leaves negative values out"},
		{over("value_sum", "[failed]", "  condition: {lte: 0, field: bytes}"), ""},
		{over("value_percentile", "[failed]", "  condition: {gte: 1, field: bytes, percentile: 100.5}"), `the percentile is a number from 0 to 100, not "100.5"`},
		{over("value_percentile", "[failed]", "  condition: {gte: 1, field: bytes, percentile: -1}"), `the percentile is a number from 0 to 100, not "-1"`},
		{over("value_percentile", "[failed]", "  condition: {gte: 1, field: bytes, percentile: 99.999999999999999}"), "has more than four decimals"},
		{over("value_percentile", "[failed]", "  condition: {gte: 1, field: bytes, percentile: 99.9999}"), ""},
	} {
		_, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(tc.text)}})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s\n%v\nwant %q", tc.text[max(0, len(tc.text)-150):], err, tc.want)
		}
	}
}

// TestSigmaPercentiles: a percentile is by nearest rank, the least value for 0 and the greatest for 100; many decimals
// are exact.
func TestSigmaPercentiles(t *testing.T) {
	t.Parallel()
	events := []string{"0 failed ana 5", "1 failed ana 7", "2 failed ana 9"}
	for condition, want := range map[string][]string{
		"gte: 5, percentile: 0":       {"c user=ana 0..2 3"},
		"gt: 5, percentile: 0":        nil,
		"gte: 6, percentile: 0":       nil,
		"lt: 5, percentile: 0":        nil,
		"lte: 6, percentile: 0":       {"c user=ana 0..2 3"},
		"gte: 9, percentile: 100":     {"c user=ana 2..2 1"},
		"gt: 9, percentile: 100":      nil,
		"gte: 9, percentile: 66.6667": {"c user=ana 2..2 1"},
		"gte: 8, percentile: 66.6666": nil,
		"gte: 9, percentile: 33.3333": nil,
	} {
		set, err := rules.Compile([]rules.File{{Name: "s.yml", Data: []byte(correlation(
			"  type: value_percentile\n  rules: [failed]\n  group-by: [user]\n  timespan: 10s\n  condition: {field: bytes, " + condition + "}"))}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, findings(t, set, events, "in order")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", condition, diff)
		}
	}
}
