// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
)

// listed is an incident as a test knows it, with what it was ever about.
type listed struct {
	incident.Incident
	status   incident.Status
	entities map[incident.Entity]bool
	places   map[incident.Place]bool
}

// combinations asks for any filters together, while incidents come, change and are worked on: each list is what a plain look at all
// incidents finds.
func combinations(t *testing.T, k Kind) {
	s := own(t, k)
	all := make(map[string]*listed)
	evidence := 0
	rapid.Check(t, func(rt *rapid.T) {
		var c correlate.Changes
		var pieces []incident.Evidence
		var at []incident.Place
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 60), 0, 4, rapid.ID[int]).Draw(rt, "written") {
			x := drawIncident(rt, all, n)
			c.Incidents = append(c.Incidents, x.Incident)
			if rapid.Bool().Draw(rt, "placed") {
				p, e := drawPlace(rt), evidenceOf(evidence, 0, "s")
				c.Detections = append(c.Detections, aDetectionOf(x.Incident, evidence, e))
				pieces, at, evidence = append(pieces, e), append(at, p), evidence+1
				x.places[p] = true
			}
		}
		frozen := freeze("", pieces...)
		for i := range frozen {
			frozen[i].Item.Fields = map[string]any{"k8s.cluster.name": at[i].Cluster, "k8s.namespace.name": at[i].Namespace}
		}
		written := c.Incidents
		if rapid.Bool().Draw(rt, "apart") { // what is found of an incident may come after it
			s.commit(s.next(correlate.Changes{Incidents: c.Incidents}))
			c = correlate.Changes{Detections: c.Detections}
		}
		s.commit(s.next(c, frozen...))
		for _, x := range written {
			if l := all[x.ID]; l.ClosedAt == 0 && l.MergedInto == "" && rapid.Bool().Draw(rt, "work") {
				l.status = rapid.SampledFrom([]incident.Status{incident.New, incident.OnHold}).Draw(rt, "status")
				if _, err := s.SetWork(t.Context(), x.ID, incident.Work{Status: &l.status}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		for range 3 {
			f := drawFilter(rt)
			if diff := gocmp.Diff(plainly(all, f), s.list(f)); diff != "" {
				rt.Fatalf("%+v (-want +got):\n%s", f, diff)
			}
		}
	})
}

var someText = []string{"Shell in 100% of pods_", "ÿñ of user-1", "WHAT was", "a\\b o'b ' & '"}

// drawIncident draws the n-th incident, new or a newer revision of it.
func drawIncident(rt *rapid.T, all map[string]*listed, n int) *listed {
	r := aRule(rapid.SampledFrom([]string{"login", "exec", "scan"}).Draw(rt, "rule"))
	r.Severity = rules.Severity(1 + len(r.ID)%3)
	r.Attack = [][]string{{"T1110.001"}, {"T1110.002", "t1059"}, nil}[len(r.ID)%3]
	in := anOpen(r, n)
	l := all[in.ID]
	if l == nil {
		l = &listed{status: incident.New, entities: map[incident.Entity]bool{}, places: map[incident.Place]bool{}}
		all[in.ID] = l
	} else {
		in.Rule, in.MergedInto = l.Rule, l.MergedInto
	}
	in.Revision = l.Revision + 1
	in.LastEvent = base + rapid.Int64Range(0, 20).Draw(rt, "at")*int64(9*time.Hour)
	if rapid.Bool().Draw(rt, "old") {
		in.LastEvent = base - rapid.Int64Range(0, 40).Draw(rt, "days")*int64(24*time.Hour)
	}
	in.FirstEvent = in.LastEvent - int64(rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour, time.Hour + 1, 30 * time.Hour, 9 * 24 * time.Hour}).Draw(rt, "lasted"))
	in.Title = rapid.SampledFrom(someText).Draw(rt, "title")
	in.Entities = []incident.Entity{
		{Type: "user", Name: fmt.Sprint("user-", rapid.IntRange(0, 3).Draw(rt, "user"))},
		{Type: rapid.SampledFrom([]string{"pod", "host"}).Draw(rt, "type"), Name: "user-1"},
	}[rapid.IntRange(0, 2).Draw(rt, "about nothing"):]
	in.Retracted = rapid.IntRange(0, 5).Draw(rt, "retracted") == 0
	if rapid.IntRange(0, 5).Draw(rt, "merged") == 0 {
		in.MergedInto = id(anIncident, 1000)
	}
	if rapid.IntRange(0, 2).Draw(rt, "closed") == 0 || l.ClosedAt != 0 {
		in.ClosedAt, in.Verdict = base, incident.Benign
	}
	for _, e := range in.Entities {
		l.entities[e] = true
	}
	l.Incident = in
	return l
}

func drawPlace(rt *rapid.T) incident.Place {
	return incident.Place{
		Cluster: rapid.SampledFrom([]string{"prod", "test"}).Draw(rt, "cluster"), Namespace: rapid.SampledFrom([]string{"shop", "pay", "web"}).Draw(rt, "namespace"),
	}
}

func drawFilter(rt *rapid.T) incident.Filter {
	f := incident.Filter{Limit: rapid.SampledFrom([]int{0, 1, 2, 5}).Draw(rt, "limit")}
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
	if some("by status") {
		f.Status = rapid.SliceOfN(rapid.SampledFrom([]string{"new", "on_hold", "closed", "none"}), 1, 3).Draw(rt, "status")
	}
	if some("by severity") {
		f.Severity = rapid.SliceOfN(rapid.SampledFrom([]string{"informational", "low", "medium", "none"}), 1, 2).Draw(rt, "severity")
	}
	if some("by rule") {
		f.Rule = rapid.SampledFrom([]string{"login", "exec", "none"}).Draw(rt, "rule")
	}
	if some("by type") {
		f.EntityType = rapid.SampledFrom([]string{"user", "pod"}).Draw(rt, "type")
	}
	if some("by name") {
		f.EntityName = rapid.SampledFrom([]string{"user-1", "user-2", "none"}).Draw(rt, "name")
	}
	if some("by technique") {
		f.Technique = rapid.SampledFrom([]string{"T1110", "T1110.001", "T1059", "T1"}).Draw(rt, "technique")
	}
	if some("by time") {
		f.Since = base + rapid.Int64Range(0, 20).Draw(rt, "since")*int64(9*time.Hour)
	}
	if some("until a time") {
		f.Until = base + rapid.Int64Range(-20, 20).Draw(rt, "until")*int64(9*time.Hour)
	}
	if some("by text") {
		f.Query = rapid.SampledFrom([]string{"u", "us", "user-1", "%", "0%", "100% of", "pods_", "ÿ", "ÿñ", "what", "nobody", `\`, `a\b`, "login", "'", "o'b", "' & '"}).Draw(rt, "text")
	}
	f.IncludeMerged, f.IncludeRetracted = some("merged too"), some("retracted too")
	if some("in scope") {
		f.Scope = incident.Scope{}
		for range rapid.IntRange(0, 3).Draw(rt, "places") {
			p := drawPlace(rt)
			switch rapid.IntRange(0, 2).Draw(rt, "any") {
			case 0:
				p.Cluster = incident.Any
			case 1:
				p.Namespace = incident.Any
			}
			f.Scope = append(f.Scope, p)
		}
	}
	return f
}

// plainly looks at each incident.
func plainly(all map[string]*listed, f incident.Filter) []string {
	var found []*listed
	for _, l := range all {
		if l.is(f) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *listed) int {
		return cmp.Or(cmp.Compare(b.LastEvent, a.LastEvent), cmp.Compare(b.ID, a.ID))
	})
	out := []string{}
	for _, l := range found {
		out = append(out, l.ID)
	}
	return out
}

func (l *listed) is(f incident.Filter) bool {
	status := string(l.status)
	if l.ClosedAt != 0 {
		status = "closed"
	}
	about := func(e incident.Entity) bool {
		return (f.EntityType == "" || f.EntityType == e.Type) && (f.EntityName == "" || f.EntityName == e.Name)
	}
	text := []string{l.Title, l.Rule.ID, l.Rule.Title, l.ID, fmt.Sprint(l.Key.Values()[0])}
	for _, e := range l.Entities {
		text = append(text, e.Name)
	}
	technique := func(t string) bool {
		return strings.EqualFold(t, f.Technique) || strings.HasPrefix(strings.ToUpper(t), f.Technique+".")
	}
	within := func(p incident.Place) bool {
		return slices.ContainsFunc(f.Scope, func(q incident.Place) bool {
			return (q.Cluster == incident.Any || q.Cluster == p.Cluster) && (q.Namespace == incident.Any || q.Namespace == p.Namespace)
		})
	}
	return (f.IncludeMerged || l.MergedInto == "") && (f.IncludeRetracted || !l.Retracted || l.MergedInto != "") &&
		(len(f.Status) == 0 || slices.Contains(f.Status, status)) &&
		(len(f.Severity) == 0 || slices.Contains(f.Severity, l.Rule.Severity.String())) &&
		(f.Rule == "" || f.Rule == l.Rule.ID) &&
		(f.EntityType == "" && f.EntityName == "" || slices.ContainsFunc(slices.Collect(maps.Keys(l.entities)), about)) &&
		(f.Technique == "" || slices.ContainsFunc(l.Rule.Attack, technique)) &&
		(f.Since == 0 || l.LastEvent >= f.Since) && (f.Until == 0 || l.FirstEvent <= f.Until) &&
		(f.Query == "" || strings.Contains(strings.ToLower(strings.Join(text, "\n")), f.Query)) &&
		(f.Scope == nil || slices.ContainsFunc(slices.Collect(maps.Keys(l.places)), within))
}
