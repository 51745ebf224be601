// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
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
