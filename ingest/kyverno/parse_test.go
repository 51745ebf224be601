// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/event/value"
)

func parse(t *testing.T, raw string) *event.Event {
	t.Helper()
	e, err := parsed(event.Record{Input: "in", Source: Source, Raw: []byte(raw)})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return e
}

func TestFieldsOfAViolation(t *testing.T) {
	t.Parallel()
	res := result("disallow-privileged", "fail", t0)
	res.Category = "Pod Security"
	_, records := Diff{Cluster: "prod", AtStart: true, Seen: seen}.Step(State{}, report(res))
	raw, err := records[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	e := parse(t, string(raw))
	want := map[string]any{
		"@timestamp": event.Stamp(t0 * 1e9), "event.id": records[0].ID, "event.kind": "alert", "event.category": "configuration",
		"event.type": "info", "event.action": "violation", "event.outcome": "failure", "event.severity": int64(4),
		"event.module": "kyverno", "event.dataset": "kyverno.report", "event.reason": "fail of disallow-privileged",
		"event.ingested": event.Stamp(seen), "rule.name": "r", "rule.ruleset": "disallow-privileged",
		"k8s.cluster.name": "prod", "k8s.namespace.name": "shop", "k8s.pod.name": "web", "k8s.pod.uid": "uid-web",
		"orchestrator.resource.type": "Pod", "orchestrator.resource.name": "web", "message": "fail of disallow-privileged",
		"tags": []any{"Pod Security", FoundAtStart}, "observer.name": "in",
	}
	got := e.Fields()
	for _, none := range []string{"related.ip", "related.user", "related.hosts"} {
		delete(got, none)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestBareResults: a test of a rule writes a result as a report has it, and no more.
func TestBareResults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      map[event.Field]any
	}{
		{"fail", `{"policy":"p","result":"fail","scope":{"kind":"Pod","namespace":"shop","name":"web-1"}}`, map[event.Field]any{
			event.EventAction: "violation", event.EventOutcome: "failure", event.EventKind: "alert", event.RuleName: "p", event.RuleRuleset: "p",
			event.NamespaceName: "shop", event.PodName: "web-1", event.Message: "Pod shop/web-1: p violation", event.EventSeverity: int64(0),
		}},
		{"warn", `{"policy":"p","rule":"r","result":"warn","severity":"critical","scope":{"kind":"Node","name":"n"}}`, map[event.Field]any{
			event.EventAction: "violation", event.EventOutcome: "unknown", event.RuleName: "r", event.NodeName: "n", event.EventSeverity: int64(5),
			event.NamespaceName: nil,
		}},
		{"pass", `{"policy":"p","result":"pass","scope":{"kind":"Namespace","name":"shop"}}`, map[event.Field]any{
			event.EventAction: "resolved", event.EventOutcome: "success", event.EventKind: "state", event.NamespaceName: "shop",
		}},
		{"skip", `{"policy":"p","result":"skip"}`, map[event.Field]any{event.EventAction: "removed", event.EventOutcome: "unknown"}},
		{"gone", `{"transition":"removed","policy":"p","rule":"r","why":"report_gone","was":"fail","id":"x","seen":"2026-08-21T10:15:30Z"}`, map[event.Field]any{
			event.EventAction: "removed", event.EventIDField: "x", event.Message: "p/r removed: the report is gone", event.Timestamp: int64(1787307330e9),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := parse(t, tt.raw)
			for f, want := range tt.want {
				if got := e.Get(f); got != want {
					t.Errorf("%s is %v, want %v", f.Name(), got, want)
				}
			}
		})
	}
	for _, bad := range []string{"", "5", "[]", "{}", `{"policy":"p"}`, `{"policy":"p","result":"fail","transition":"begun"}`, `{"kind":"Event"}`, "text"} {
		if e, err := parsed(event.Record{Source: Source, Raw: []byte(bad)}); err == nil {
			t.Errorf("%q is %v", bad, e.Fields())
		}
	}
	one := `{"policy":"p","result":"fail","scope":{"uid":"u"},"timestamp":{"seconds":1787307330,"nanos":0}}`
	if parse(t, one).ID != parse(t, strings.Replace(one, `"policy"`, `"message":"m","policy"`, 1)).ID {
		t.Error("the message is a part of the identity of a result")
	}
	if parse(t, one).ID == parse(t, strings.Replace(one, `"u"`, `"v"`, 1)).ID {
		t.Error("two resources share an identity")
	}
}

const blocked = `{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"disallow-privileged.17","namespace":"default","uid":"e-1","creationTimestamp":"2026-08-21T10:15:31Z"},
	"eventTime":"2026-08-21T10:15:30.123456Z","type":"Warning","reason":"PolicyViolation","action":"Resource Blocked","reportingController":"kyverno-admission",
	"regarding":{"apiVersion":"kyverno.io/v1","kind":"ClusterPolicy","name":"disallow-privileged"},
	"related":{"apiVersion":"v1","kind":"Pod","namespace":"shop","name":"web"},
	"note":"Pod shop/web: [no-privileged] fail (blocked); privileged mode\nis not allowed"}`

func TestBlockedAdmission(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"events.k8s.io":        blocked,
		"without the resource": strings.Replace(blocked, `"related"`, `"other"`, 1),
		"core/v1":              strings.NewReplacer(`"regarding"`, `"involvedObject"`, `"note"`, `"message"`, `"reportingController"`, `"reportingComponent"`).Replace(blocked),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parse(t, raw)
			for f, want := range map[event.Field]any{
				event.EventAction: "blocked", event.EventType: "denied", event.EventOutcome: "failure", event.EventKind: "alert",
				event.EventDataset: "kyverno.blocked", event.EventIDField: "e-1", event.Timestamp: int64(1787307330123456000),
				event.RuleName: "no-privileged", event.RuleRuleset: "disallow-privileged", event.NamespaceName: "shop", event.PodName: "web",
				event.OrchestratorResourceType: "Pod", event.Message: "Pod shop/web: [no-privileged] fail (blocked); privileged mode\nis not allowed",
			} {
				if got := e.Get(f); got != want {
					t.Errorf("%s is %v, want %v", f.Name(), got, want)
				}
			}
		})
	}
	for _, change := range [][2]string{
		{"kyverno-admission", "kyverno-scan"},
		{"Resource Blocked", "Resource Passed"},
		{" (blocked)", ""},
		{"PolicyViolation", "PolicyApplied"},
	} {
		v, err := value.Parse([]byte(strings.Replace(blocked, change[0], change[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := v.Any().(map[string]any); !ok || IsBlocked(m) {
			t.Errorf("with %q it is still blocked", change[1])
		}
	}
}

// FuzzParse: a parser is a function of the record, and never panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(blocked))
	f.Add([]byte(`{"policy":"p","result":"fail","scope":{"kind":"Pod"},"timestamp":{"seconds":9e18,"nanos":-1},"seen":5}`))
	f.Add([]byte(`{"transition":"removed","policy":"p","id":7,"at_start":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec := event.Record{Input: "in", Source: Source, Raw: raw}
		e, err := parsed(rec)
		if err != nil {
			return
		}
		again, err := parsed(rec)
		if err != nil || e.ID != again.ID || !cmp.Equal(e.Fields(), again.Fields()) {
			t.Error("a parser is no function of the record")
		}
	})
}
