// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
	"tocsin/rules"
)

// TestChains closes one of three detections that are chained, or not.
func TestChains(t *testing.T) {
	detection := func(id string, first, last, born int64) incident.Detection {
		return incident.Detection{ID: id, First: first, FirstFiring: first + 1, Last: last, Born: born}
	}
	for _, tc := range []struct {
		name     string
		closings []closing
		want     map[string]int64
	}{
		{"nobody", nil, map[string]int64{"abc": 0}},
		{"before the second", []closing{{9, 0}}, map[string]int64{"a": 9, "bc": 0}},
		{"twice", []closing{{9, 0}, {30, 10}}, map[string]int64{"a": 9, "bc": 30}},
		{"by its arrival", []closing{{18, 0}}, map[string]int64{"abc": 18}},
		{"in vain, then once more", []closing{{0, 0}, {18, 0}, {19, 0}}, map[string]int64{"abc": 18}},
		{"before any of it", []closing{{0, 0}}, map[string]int64{"abc": 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := []incident.Detection{detection("c", 20, 22, 17), detection("a", 0, 5, 5), detection("b", 10, 16, 16)}
			got := make(map[string]int64)
			for _, c := range chains(ds, 5, tc.closings) {
				ids := ""
				for _, d := range c.ds {
					ids += d.ID
				}
				got[ids] = c.closed
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestRulesOf: two rules mean something else each time, the others what they meant.
func TestRulesOf(t *testing.T) {
	var sets []*rules.Set
	for n := range meanings {
		set, err := rules.Compile([]rules.File{{Name: "rules.yml", Data: rulesOf(n)}})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
		for i, before := range sets[:n] {
			for _, r := range set.Rules {
				if is, want := before.ByRevision(r.Revision) == nil, r.ID == "guessed" || r.ID == waits; is != want {
					t.Errorf("%s means something else in %d than in %d: %t, want %t", r.ID, n, i, is, want)
				}
			}
		}
	}
	rec := &record{sets: map[string]*rules.Set{}, stamps: map[uint64]string{}}
	for g, n := range []int{0, 1, 0} {
		rec.sets[sets[n].Hash], rec.stamps[uint64(10*g)] = sets[n], sets[n].Hash
		want := map[string]bool{}
		if g == 2 {
			want["guessed"], want[waits] = true, true
		}
		if d := cmp.Diff(want, rec.comeBack()); d != "" {
			t.Errorf("rules that came back by generation %d (-want +got):\n%s", g, d)
		}
	}
}

// TestDrawRoles: whatever is drawn, two processes do each thing.
func TestDrawRoles(t *testing.T) {
	all, some := 0, 0
	for seed := range uint64(100) {
		w := &world{}
		for _, does := range drawRoles(rand.New(rand.NewPCG(seed, 2)), 3+2*int(seed%2)) {
			w.replicas = append(w.replicas, &replica{process: &process{}, roles: does})
		}
		for _, role := range roles {
			if n := len(w.with(role)); n < 2 {
				t.Errorf("seed %d: %d processes have the role %s", seed, n, role)
			}
		}
		if w.replicas[0].does("api") && w.replicas[0].does("match") && w.replicas[0].does("alert") {
			all++
		} else {
			some++
		}
	}
	if all < 10 || some < 10 {
		t.Errorf("of 100, %d first processes do most and %d little", all, some)
	}
}
