// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules"
	"tocsin/stream"
)

// broken is a Set of two rules that match the same events; the first panics at each, since it is no rule that the compiler makes.
func broken(t *testing.T) *rules.Set {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte("rule: bad\ntitle: T\nseverity: low\nmatch:\n  a: user.name == \"x\"\nwhen: a\n" +
		"---\nrule: good\ntitle: T\nseverity: low\nmatch:\n  a: user.name == \"x\"\nwhen: a\n")}})
	if err != nil {
		t.Fatal(err)
	}
	set.ByID("bad").GroupBy = []int{-1} // no place of a key
	return set
}

// TestAPanicCostsItsRecord: a record that cannot be read without a panic is in quarantine, one that a rule cannot be matched by takes no part
// in that rule; the same batch has the others as if it were not there, a batch that comes again says the same, and the log has each
// place in the code once.
func TestAPanicCostsItsRecord(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := NewMatcher(MatcherConfig{
		Streams: &rounds{}, Parser: (*ingest.Parser)(nil), // which panics where it is to say whom it trusts
		Metrics: NewMatchMetrics(prometheus.NewRegistry()), Seen: NewSources(), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	msg := stream.EventsMsg{Seq: 1, Time: 1}
	msg.Batch.Records = []event.Record{
		{Source: "app", Raw: []byte(`{"user.name":"x","n":1}`)},
		{Source: "vector", Raw: []byte(`{"message":"{}","kubernetes":{"pod_namespace":"shop","container_name":"web"}}`)},
		{Source: "app", Raw: []byte(`{"user.name":"y"}`)},
		{Source: "app", Raw: []byte(`{"user.name":"x","n":2}`)},
	}
	set := broken(t)
	for range 2 {
		got := m.batch(set, &msg)
		var bad []string
		for _, q := range got.bad {
			bad = append(bad, q.Reason+" "+string(q.Record.Raw[:8]))
			if !strings.Contains(q.Detail, "panic: runtime error: ") {
				t.Errorf("%s says %q", q.Reason, q.Detail)
			}
		}
		if s := strings.Join(bad, ", "); s != `rule_panic {"user.n, parser_panic {"messag, rule_panic {"user.n` {
			t.Errorf("in quarantine: %s", s)
		}
		var found []uint32
		for _, e := range got.entries[0] {
			for _, x := range e.Matches.Matches {
				if found = append(found, x.Event.Index); ruleNamed(set, x.Rule) != "good" {
					t.Errorf("a match of %s", ruleNamed(set, x.Rule))
				}
			}
		}
		if len(found) != 2 || found[0] != 0 || found[1] != 3 {
			t.Errorf("found in the records %v", found)
		}
	}
	if n := strings.Count(log.String(), "stack="); n != 2 {
		t.Errorf("%d stacks in the log, of a panic in a parser and one in a rule:\n%s", n, log.String())
	}
	if p, x := testutil.ToFloat64(m.Metrics.Panics.WithLabelValues("parse")), testutil.ToFloat64(m.Metrics.Panics.WithLabelValues("match")); p != 2 || x != 4 {
		t.Errorf("counted %v panics in parsers and %v in rules", p, x)
	}
}
