// SPDX-License-Identifier: Apache-2.0

package incident_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/incident"
)

func item(id, step string, fields map[string]any) incident.EvidenceItem {
	return incident.EvidenceItem{EventID: id, Step: step, Time: 1, Source: "s", Fields: fields}
}

func TestGraphJoinsWhatOneEventNames(t *testing.T) {
	t.Parallel()
	shell := map[string]any{"user.name": "ana", "k8s.pod.name": "web-1", "k8s.namespace.name": "shop", "source.ip": "10.0.0.1",
		"tags": []any{"container", "mitre_lateral_movement", "T1609"}}
	items := []incident.EvidenceItem{
		item("1", "login", map[string]any{"user.name": "ana", "source.ip": "10.0.0.1"}),
		item("2", "shell", shell), item("2", "again", shell), // one event, at two steps, and with tags
		item("3", "other", map[string]any{"host.name": "node-1"}),
		item("4", "none", map[string]any{"k8s.pod.name": 7}),
		item("5", "login", map[string]any{"user.name": "ana", "source.ip": "10.0.0.1"}),
	}
	for i, at := range []event.Stamp{30, 40, 40, 50, 60, 20} { // one came late
		items[i].Time = at
	}
	g := incident.MakeGraph(items, []string{"credential-access"})
	want := incident.Graph{
		Nodes: []incident.GraphNode{
			{ID: "ip:10.0.0.1", Type: "ip", Name: "10.0.0.1", Events: 3, FirstEvent: 20}, {ID: "user:ana", Type: "user", Name: "ana", Events: 3, FirstEvent: 20},
			{ID: "host:node-1", Type: "host", Name: "node-1", Events: 1, FirstEvent: 50}, {ID: "pod:shop/web-1", Type: "pod", Name: "shop/web-1", Events: 1, FirstEvent: 40},
		},
		Edges: []incident.GraphEdge{
			{From: "ip:10.0.0.1", To: "pod:shop/web-1", Steps: []string{"again", "shell"}, Count: 1, Tactics: []string{"execution", "lateral-movement"}, FirstEvent: 40},
			{From: "ip:10.0.0.1", To: "user:ana", Steps: []string{"again", "login", "shell"}, Count: 3, Tactics: []string{"credential-access", "execution", "lateral-movement"}, FirstEvent: 20},
			{From: "user:ana", To: "pod:shop/web-1", Steps: []string{"again", "shell"}, Count: 1, Tactics: []string{"execution", "lateral-movement"}, FirstEvent: 40},
		},
		Events: 5,
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
}

// TestGraphIsBounded: those in the fewest events are left out and counted, and no edge leads to one.
func TestGraphIsBounded(t *testing.T) {
	t.Parallel()
	var items []incident.EvidenceItem
	for n := range 100 {
		for i := range n + 1 {
			items = append(items, item(fmt.Sprint(n, "/", i), "s", map[string]any{"user.name": fmt.Sprintf("u%03d", n), "host.name": "h"}))
		}
	}
	g := incident.MakeGraph(items, nil)
	if len(g.Nodes) != incident.MaxNodes || g.LeftOut != 41 || len(g.Edges) != incident.MaxNodes-1 {
		t.Errorf("%d nodes, %d edges, %d left out", len(g.Nodes), len(g.Edges), g.LeftOut)
	}
	if g.Nodes[0].Name != "h" || g.Nodes[59].Name != "u041" {
		t.Errorf("%+v", g.Nodes)
	}
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if diff := cmp.Diff(g, incident.MakeGraph(items, nil)); diff != "" {
		t.Errorf("in another order: %s", diff)
	}
}

func TestRisk(t *testing.T) {
	t.Parallel()
	now := int64(100 * 24 * time.Hour)
	seen := func(severity string, verdict incident.Verdict, days int64) incident.Sighting {
		return incident.Sighting{Severity: severity, Verdict: verdict, LastEvent: now - days*int64(24*time.Hour)}
	}
	shadow := seen("critical", "", 0)
	shadow.Shadow = true
	for _, tt := range []struct {
		name string
		seen []incident.Sighting
		want float64
	}{
		{"nothing", nil, 0},
		{"critical", []incident.Sighting{seen("critical", "", 0)}, 56},
		{"an attack", []incident.Sighting{seen("critical", incident.TruePositive, 0)}, 80},
		{"half after a week", []incident.Sighting{seen("critical", incident.TruePositive, 7)}, 40},
		{"benign", []incident.Sighting{seen("critical", incident.Benign, 0)}, 8},
		{"false", []incident.Sighting{seen("critical", incident.FalsePositive, 0)}, 0},
		{"a rule in shadow", []incident.Sighting{shadow}, 0},
		{"two take their shares", []incident.Sighting{seen("critical", incident.TruePositive, 0), seen("high", incident.TruePositive, 0)}, 90},
		{"a time in the future is now", []incident.Sighting{seen("high", incident.TruePositive, -7)}, 50},
		{"the first time there is was long ago", []incident.Sighting{{Severity: "high", Verdict: incident.TruePositive, LastEvent: math.MinInt64}}, 0},
		{"others", []incident.Sighting{seen("medium", incident.TruePositive, 0), seen("low", incident.TruePositive, 0), seen("informational", incident.TruePositive, 0)}, 33.9},
	} {
		if got := incident.Risk(now, tt.seen); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestRiskOverTime: before an incident began there is none of it, while it goes on it is new, and then it fades.
func TestRiskOverTime(t *testing.T) {
	t.Parallel()
	day := int64(24 * time.Hour)
	now := 100 * day
	seen := []incident.Sighting{
		{Severity: "critical", Verdict: incident.TruePositive, FirstEvent: now - 16*day, LastEvent: now - 14*day},
		{Severity: "critical", Verdict: incident.TruePositive, FirstEvent: now - 1, LastEvent: now},
	}
	got := incident.RiskOverTime(now, seen, 20)
	var risks []float64
	for i, r := range got {
		if int64(r.At) != now-int64(20-i)*day {
			t.Errorf("%d is at %s", i, r.At)
		}
		risks = append(risks, r.Risk)
	}
	for days, want := range map[int]float64{20: 0, 17: 0, 16: 80, 15: 80, 14: 80, 7: 40, 0: incident.Risk(now, seen)} {
		if got := risks[20-days]; got != want {
			t.Errorf("%d days before it is %v, want %v (%v)", days, got, want, risks)
		}
	}
}
