// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/event/value"
)

func read(t *testing.T, s string) (Report, error) {
	t.Helper()
	v, err := value.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := v.Any().(map[string]any)
	return ReadReport(m)
}

func TestReadReport(t *testing.T) {
	t.Parallel()
	polr, err := read(t, `{"apiVersion":"wgpolicyk8s.io/v1alpha2","kind":"PolicyReport","metadata":{"namespace":"shop","name":"u-1","uid":"r-1"},
		"scope":{"apiVersion":"v1","kind":"Pod","namespace":"shop","name":"web","uid":"u-1"},
		"results":[{"source":"kyverno","policy":"p","rule":"r","category":"Pod Security","severity":"High","result":"fail","scored":true,
			"timestamp":{"seconds":1787307330,"nanos":0},"message":"m","properties":{"process":"background scan","n":1}},
			{"result":"fail"},7]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Ref: Resource{"wgpolicyk8s.io/v1alpha2", "PolicyReport", "shop", "u-1", "r-1"},
		Results: []Result{{
			Source: "kyverno", Policy: "p", Rule: "r", Category: "Pod Security", Severity: "high", Result: "fail", Scored: true,
			Seconds: 1787307330, Message: "m", Properties: map[string]string{"process": "background scan"},
			Resource: Resource{"v1", "Pod", "shop", "web", "u-1"},
		}},
	}
	if d := cmp.Diff(want, polr); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	open, err := read(t, `{"apiVersion":"openreports.io/v1alpha1","kind":"ClusterReport","metadata":{"name":"n"},"source":"scanner",
		"results":[{"policy":"p","result":"warn","resources":[{"kind":"Node","name":"a"},{"kind":"Node","name":"b"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(open.Results) != 2 || open.Results[0].Source != "scanner" || open.Results[1].Resource.Name != "b" {
		t.Errorf("a result of two resources is %+v", open.Results)
	}
	for _, bad := range []string{`{}`, `{"metadata":{},"results":"x"}`, `[]`} {
		if _, err := read(t, bad); !errors.Is(err, ErrReport) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	res := result("a", "fail", t0)
	res.Message = strings.Repeat("é", 1<<20)
	res.Properties = map[string]string{"x": strings.Repeat("y", 1<<20)}
	_, records := Diff{Seen: seen}.Step(State{}, report(res))
	raw, err := records[0].Encode()
	if err != nil || len(raw) > 2*maxMessage {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

// FuzzDiff: whatever the API server says, two steps come to rest, and every record is one that the parser reads.
func FuzzDiff(f *testing.F) {
	one := `{"metadata":{"name":"n"},"scope":{"uid":"u","kind":"Pod"},"results":[{"policy":"p","result":"fail","timestamp":{"seconds":1787307330,"nanos":0}}]}`
	f.Add([]byte(one), []byte(strings.Replace(one, "fail", "pass", 1)))
	f.Add([]byte(one), []byte(strings.Replace(one, "1787307330", "1e40", 1)))
	f.Add([]byte(one), []byte(strings.Replace(one, `"p"`, `"q","severity":5`, 1)))
	f.Add([]byte(one), []byte(`{"metadata":{},"results":[{"policy":"p","result":"skip","resources":[{},{"uid":7}],"timestamp":{"seconds":-1}}]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		state, d := State{}, Diff{Cluster: "c", Seen: seen}
		for _, raw := range [][]byte{a, b, []byte("null")} {
			var obj map[string]any
			if json.Unmarshal(raw, &obj) != nil {
				return
			}
			var rep *Report
			if obj != nil {
				r, err := ReadReport(obj)
				if err != nil {
					return
				}
				rep = &r
			}
			for range 1000 {
				next, records := d.Step(state, rep)
				if len(records) == 0 {
					break
				}
				for i := range records {
					line, err := records[i].Encode()
					if err != nil {
						t.Fatal(err)
					}
					e, err := parsed(event.Record{Input: "in", Source: Source, Raw: line})
					if err != nil || e.EventID != records[i].ID || e.Get(event.EventAction) != records[i].Transition {
						t.Fatalf("%s is read as %v, %v", line, e, err)
					}
				}
				kept, err := next.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if state, err = DecodeState(kept); err != nil {
					t.Fatal(err)
				}
			}
			if _, left := d.Step(state, rep); len(left) != 0 {
				t.Fatalf("%d records are left", len(left))
			}
		}
		if len(state.Standing) != 0 {
			t.Fatal("something stands where no report is")
		}
	})
}
