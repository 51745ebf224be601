// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"tocsin/event"
)

// TestWords: the console's editor offers the words that there are, and no others.
func TestWords(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../console/web/src/lib/words.json")
	if err != nil {
		t.Fatal(err)
	}
	var words struct {
		Keys                     map[string]map[string]string
		Severities               []string
		Functions, Forms, Fields map[string]string
	}
	if err := json.Unmarshal(b, &words); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want []string) {
		t.Helper()
		slices.Sort(got)
		want = slices.Clone(want)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s are\n%v in words.json, and\n%v here", what, got, want)
		}
	}
	keys := func(m map[string]string) []string { return slices.Collect(maps.Keys(m)) }
	sections := map[string][]string{
		"rule": ruleKeys, "an exception": exceptionKeys, "incident": incidentKeys,
		"a test": testKeys, "a test event": {"at", "arrives"}, "an expectation": expectationKeys,
	}
	same("sections", slices.Collect(maps.Keys(words.Keys)), slices.Collect(maps.Keys(sections)))
	for what, want := range sections {
		same("keys of "+what, keys(words.Keys[what]), want)
	}
	same("functions", keys(words.Functions), functionNames)
	same("forms", keys(words.Forms), formNames)
	var severities []string
	for s := Informational; s <= Critical; s++ {
		severities = append(severities, s.String())
	}
	same("severities", words.Severities, severities)
	fields := make(map[string]string)
	for _, f := range event.Registry() {
		fields[f.Name] = f.Doc
	}
	if !maps.Equal(words.Fields, fields) {
		t.Errorf("fields are\n%v in words.json, and\n%v here", words.Fields, fields)
	}
}
