// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
)

// seen is when the tests look; t0 is the second of their first results.
const (
	seen = int64(1_787_307_400_000_000_000)
	t0   = int64(1_787_307_330)
)

func pod(name string) Resource {
	return Resource{"v1", "Pod", "shop", name, "uid-" + name}
}

func result(policy, verdict string, at int64) Result {
	return Result{
		Source: "kyverno", Policy: policy, Rule: "r", Result: verdict, Seconds: at,
		Severity: "high", Message: verdict + " of " + policy, Resource: pod("web"),
	}
}

func report(results ...Result) *Report {
	return &Report{Ref: Resource{"wgpolicyk8s.io/v1alpha2", "PolicyReport", "shop", "uid-web", "r1"}, Results: results}
}

// told says what a record tells, in short.
func told(r *Record) string {
	return strings.Join(strings.Fields(strings.Join([]string{r.Transition, r.Policy, r.Result, r.Why}, " ")), " ")
}

func TestStep(t *testing.T) {
	t.Parallel()
	falco := result("Terminal shell", "fail", t0)
	falco.Source = "Falco"
	second := result("b", "fail", t0)
	second.Resource = pod("web-2")
	tests := []struct {
		name string
		from *Report // what the State remembers
		to   *Report
		want []string
	}{
		{"absent to fail", nil, report(result("a", "fail", t0)), []string{"violation a fail"}},
		{"absent to warn, error", nil, report(result("a", "warn", t0), result("b", "error", t0)), []string{"violation a warn", "violation b error"}},
		{"absent to pass, skip", nil, report(result("a", "pass", t0), result("b", "skip", t0)), nil},
		{"a verdict nobody knows", nil, report(result("a", "maybe", t0)), nil},
		{"pass to fail", report(result("a", "pass", t0)), report(result("a", "fail", t0+9)), []string{"violation a fail"}},
		{"a rewrite", report(result("a", "fail", t0)), report(result("a", "fail", t0+3600)), nil},
		{"another message", report(result("a", "fail", t0)), report(Result{Source: "kyverno", Policy: "a", Rule: "r", Result: "fail", Message: "x", Resource: pod("web")}), nil},
		{"fail to warn", report(result("a", "fail", t0)), report(result("a", "warn", t0+9)), nil},
		{"fail to a verdict nobody knows", report(result("a", "fail", t0)), report(result("a", "maybe", t0+9)), nil},
		{"fail to pass", report(result("a", "fail", t0)), report(result("a", "pass", t0+9)), []string{"resolved a pass"}},
		{"fail to skip", report(result("a", "fail", t0)), report(result("a", "skip", t0+9)), []string{"removed a skipped"}},
		{"the result is gone", report(result("a", "fail", t0), result("b", "fail", t0)), report(result("b", "fail", t0)), []string{"removed a result_gone"}},
		{"a result that passed is gone", report(result("a", "pass", t0)), report(), nil},
		{"the report is gone", report(result("a", "fail", t0)), nil, []string{"removed a report_gone"}},
		{"the policy is renamed", report(result("a", "fail", t0)), report(result("b", "fail", t0+9)), []string{"removed a result_gone", "violation b fail"}},
		{"Falco's own", nil, report(falco), nil},
		{"the worst of equals counts", nil, report(result("a", "pass", t0), result("a", "fail", t0), result("a", "skip", t0)), []string{"violation a fail"}},
		{"another resource", report(result("b", "fail", t0)), report(result("b", "fail", t0), second), []string{"violation b fail"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := Diff{Cluster: "prod", Seen: seen}
			state, _ := d.Step(State{}, tt.from)
			before, err := state.Encode()
			if err != nil {
				t.Fatal(err)
			}
			next, records := d.Step(state, tt.to)
			got := make(map[string]bool)
			for i := range records {
				got[told(&records[i])] = true
			}
			want := make(map[string]bool)
			for _, w := range tt.want {
				want[w] = true
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if after, err := state.Encode(); err != nil || string(after) != string(before) {
				t.Errorf("the old state became %s, %v", after, err)
			}
			if _, again := d.Step(next, tt.to); len(again) != 0 {
				t.Errorf("the same report once more tells %v", again)
			}
		})
	}
}

// TestRecordSaysWhat: a record has the result's words, and where a violation ends, what it was and since when.
func TestRecordSaysWhat(t *testing.T) {
	t.Parallel()
	d := Diff{Cluster: "prod", AtStart: true, Seen: seen}
	state, begun := d.Step(State{}, report(result("a", "fail", t0)))
	d.AtStart = false
	_, mended := d.Step(state, report(result("a", "pass", t0+9)))
	_, gone := d.Step(state, nil)
	base := Record{Cluster: "prod", Seen: event.Stamp(seen), Source: "kyverno", Policy: "a", Rule: "r", Severity: "high", Scope: pod("web")}
	violation, resolved, removed := base, base, base
	violation.Transition, violation.AtStart, violation.Result, violation.Message = Violation, true, "fail", "fail of a"
	violation.Timestamp, violation.Report = &Timestamp{t0, 0}, &report().Ref
	resolved.Transition, resolved.Result, resolved.Message, resolved.Was = Resolved, "pass", "pass of a", "fail"
	resolved.Timestamp, resolved.Report, resolved.Since = &Timestamp{t0 + 9, 0}, &report().Ref, event.Stamp(t0*1e9)
	removed.Transition, removed.Why, removed.Was, removed.Since = Removed, ReportGone, "fail", event.Stamp(t0*1e9)
	ids := make(map[string]bool)
	for i, want := range []Record{violation, resolved, removed} {
		got := [][]Record{begun, mended, gone}[i]
		if len(got) != 1 || got[0].ID == "" {
			t.Fatalf("%d: %v", i, got)
		}
		ids[got[0].ID] = true
		want.ID = got[0].ID
		if d := cmp.Diff(want, got[0]); d != "" {
			t.Errorf("%s (-want +got):\n%s", want.Transition, d)
		}
	}
	if len(ids) != 3 {
		t.Error("three transitions share an identity")
	}
}

// TestIdentity: what is seen twice is one, what happens twice is two, also where timestamps stand still or are missing.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, stuck := range []int64{0, t0} {
		d := Diff{Cluster: "prod", Seen: seen}
		ids := make(map[string]string)
		state := State{}
		for i, rep := range []*Report{
			report(result("a", "fail", stuck)), report(result("a", "pass", stuck)), report(result("a", "fail", stuck)),
			report(), report(result("a", "fail", stuck)), report(),
		} {
			d.Seen++
			next, records := d.Step(state, rep)
			later := d
			later.Seen += 1e12
			_, again := later.Step(state, rep)
			if len(records) != 1 || len(again) != 1 || records[0].ID != again[0].ID {
				t.Fatalf("step %d: %v and %v", i, records, again)
			}
			if old, ok := ids[records[0].ID]; ok {
				t.Errorf("%s and %s are one", old, told(&records[0]))
			}
			ids[records[0].ID] = told(&records[0])
			state = next
		}
	}
	one := func(d Diff, rep *Report) string {
		_, records := d.Step(State{}, rep)
		return records[0].ID
	}
	here := one(Diff{Cluster: "prod", Seen: seen}, report(result("a", "fail", t0)))
	if here == one(Diff{Cluster: "test", Seen: seen}, report(result("a", "fail", t0))) {
		t.Error("two clusters share an identity")
	}
	if here == one(Diff{Cluster: "prod", Seen: seen}, report(result("a", "fail", t0+3600))) {
		t.Error("two times share an identity")
	}
	anew := report(result("a", "fail", t0))
	anew.Ref.UID = "r2"
	if here == one(Diff{Cluster: "prod", Seen: seen}, anew) {
		t.Error("a report that was made again shares an identity with the one before")
	}
	if here != one(Diff{Cluster: "prod", AtStart: true, Seen: seen + 1}, report(result("a", "fail", t0))) {
		t.Error("the identity depends on when it was seen")
	}
}

// TestStepIsBounded: a report of many results takes several steps, which tell each once.
func TestStepIsBounded(t *testing.T) {
	t.Parallel()
	rep := report()
	for i := range 2*stepLimit + 1 {
		r := result("a", "fail", t0)
		r.Rule = strings.Repeat("r", i+1)
		rep.Results = append(rep.Results, r)
	}
	d, state, ids := Diff{Seen: seen}, State{}, make(map[string]bool)
	for steps := 0; ; steps++ {
		next, records := d.Step(state, rep)
		if len(records) == 0 {
			if steps != 3 {
				t.Errorf("%d steps", steps)
			}
			break
		}
		for _, r := range records {
			ids[r.ID] = true
		}
		state = next
	}
	if len(ids) != len(rep.Results) {
		t.Errorf("%d records of %d results", len(ids), len(rep.Results))
	}
}
