// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/rules"
)

const storedRules = `rule: logins
title: t
severity: low
match: {failed: 'event.outcome == "failure"'}
by: user.name
---
rule: chain
title: t
severity: low
match: {a: 'detection("logins")', b: 'event.outcome == "success"'}
when: sequence(a, b)
by: user.name
within: 5m
---
rule: gone
title: t
severity: low
match: {a: 'user.name == "ana"'}
by: user.name
`

// TestSetKeepsItsNames: a Set that was stored is told by the names it was given then, by a version that would name it and
// its rules otherwise, and does not compile one of them.
func TestSetKeepsItsNames(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte(storedRules)}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Encode()
	if err != nil {
		t.Fatal(err)
	}
	same, leftOut, err := rules.Decode(set.Hash, data)
	if err != nil || len(leftOut) > 0 || len(same.Lost) > 0 {
		t.Fatalf("decode: %v, left out %v, lost %v", err, leftOut, same.Lost)
	}
	var x struct {
		Files     []rules.File      `json:"files"`
		Revisions map[string]string `json:"revisions"`
	}
	if err := json.Unmarshal(data, &x); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{
		"logins": set.ByID("logins").Revision, "chain": set.ByID("chain").Revision, "gone": set.ByID("gone").Revision,
	}; !cmp.Equal(x.Revisions, want) {
		t.Fatal(cmp.Diff(want, x.Revisions))
	}
	for id := range x.Revisions {
		x.Revisions[id] = "then-" + id
	}
	x.Files[0].Data = []byte(strings.Replace(storedRules, `user.name == "ana"`, `user.name = "ana"`, 1))
	if data, err = json.Marshal(x); err != nil {
		t.Fatal(err)
	}
	then, leftOut, err := rules.Decode("then", data)
	if err != nil || len(leftOut) != 1 || !strings.Contains(leftOut[0].Error(), "a.yml:") {
		t.Fatalf("decode: %v, left out %v", err, leftOut)
	}
	if then.Hash != "then" || then.ByRevision("then-logins") != then.ByID("logins") {
		t.Errorf("the Set is named %s, its rule %s", then.Hash, then.ByID("logins").Revision)
	}
	if want := map[string]string{"then-gone": "gone"}; !cmp.Equal(then.Lost, want) {
		t.Error(cmp.Diff(want, then.Lost))
	}
	if below := then.ByID("chain").Children[0].Revision; below != "then-logins" {
		t.Errorf("the rule that another refers to is %s", below)
	}
	e := &event.Event{ID: event.NewID("test", "1", 0)}
	e.Set(event.UserName, "ana")
	e.Set(event.EventOutcome, "failure")
	var found rules.Result
	then.Match(e, &found)
	var matched []string
	for _, m := range found.Matches {
		matched = append(matched, m.Rule)
	}
	if want := []string{"then-logins", "then-chain"}; !cmp.Equal(matched, want) {
		t.Error(cmp.Diff(want, matched))
	}
}

// TestSetOfFilesAlone: what was stored before Sets kept their rules' names is read on, under the hash it is stored by.
func TestSetOfFilesAlone(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal([]rules.File{{Name: "a.yml", Data: []byte(storedRules)}})
	if err != nil {
		t.Fatal(err)
	}
	set, leftOut, err := rules.Decode("then", data)
	if err != nil || len(leftOut) > 0 || set.Hash != "then" || len(set.Rules) != 3 {
		t.Fatalf("decode: %+v, %v, %v", set, leftOut, err)
	}
	if _, _, err := rules.Decode("then", []byte(`{"files":`)); err == nil {
		t.Error("half a Set is read")
	}
}
