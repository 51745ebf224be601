// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// TestARulesTestEnds with who asked for it.
func TestARulesTestEnds(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(backtested + "tests: [{name: fires, events: [{at: 0s, user.name: u0}], expect: [{count: 1}]}]\n")}})
	if err != nil {
		t.Fatal(err)
	}
	r := set.ByID("any")
	parser := ingest.NewParser(ingest.ParserConfig{})
	if err := pipeline.RunTest(t.Context(), set, r, r.Tests[0], parser, time.Minute); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pipeline.RunTest(ctx, set, r, r.Tests[0], parser, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits for it: %v", err)
	}
}

// TestARulesTestEndsBefore its last events: what it says when it fails has that, too.
func TestARulesTestEndsBefore(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte("rule: few\ntitle: T\nseverity: low\nmatch: {a: exists(user.name)}\nwhen: count(a) < 2\nby: [user.name]\nwithin: 10s\n" +
		"tests: [{name: ends, until: 2m, events: [{at: 0s, user.name: u}, {at: 5s, arrives: 3m, user.name: u}], expect: []}]\n")}})
	if err != nil {
		t.Fatal(err)
	}
	r := set.ByID("few")
	parser := ingest.NewParser(ingest.ParserConfig{})
	const want = "expected 0 detections, found\n    key map[user.name:u], 1 events, first 0s, last 0s, retracted false\n" +
		"  `until` ends the input before 1 of the 2 events arrive"
	if err := pipeline.RunTest(t.Context(), set, r, r.Tests[0], parser, time.Minute); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Error(err)
	}
}
