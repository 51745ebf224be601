// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// RuleCheck is what `rules check` and `rules test` say of a rule file.
type RuleCheck struct {
	// Rules are the ids of those that compile.
	Rules []string `json:"rules"`
	// Findings are the first hundred, by line; MoreFindings is how many there are besides.
	Findings     []Finding `json:"findings"`
	MoreFindings int       `json:"more_findings"`
	// Tests are those in the file, if it compiles.
	Tests []TestRun `json:"tests"`
}

// Finding is what is wrong with a rule, or odd about it.
type Finding struct {
	// Level is error or warning; a file with an error does not load.
	Level string `json:"level" enum:"error,warning"`
	// Kind is a short label, as in `tocsin rules check --format json`.
	Kind string `json:"kind"`
	Rule string `json:"rule,omitempty"`
	Line int    `json:"line"`
	// Column counts characters from 1; it is left out where only the line is known.
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// TestRun is a test of a rule, and whether it holds.
type TestRun struct {
	Rule string `json:"rule"`
	Name string `json:"name"`
	// Line is that of the test, or of the event of it that is wrong.
	Line int `json:"line"`
	// State is not_run of a test for which there was no time.
	State   string `json:"state" enum:"passed,failed,not_run"`
	Message string `json:"message,omitempty"`
}

// RuleSource is how a rule is written.
type RuleSource struct {
	File string `json:"file"`
	// Line is where in the file it begins.
	Line int    `json:"line"`
	Text string `json:"text"`
	// Revision is that of the rule which the text is of.
	Revision string `json:"-"`
}

func (s *server) registerRuleCheck(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: checkRules, Method: http.MethodPost, Path: "/api/v1/rules/check", Summary: "Say what is wrong with a rule file",
		Description: "What `tocsin rules check` and `tocsin rules test` say of it, beside the rules and lists in force; one with the same id is replaced. Nothing is kept. " +
			"One is checked at a time. A request has five seconds: one whose turn does not come is told 503, tests for which there is no time are not run.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Rule string `json:"rule" maxLength:"262144" doc:"rule file: one rule or several, as YAML"`
		}
	}) (*one[RuleCheck], error) {
		out, err := s.Backend.CheckRules(ctx, in.Body.Rule)
		if err != nil {
			return nil, unwell(err)
		}
		return &one[RuleCheck]{out}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-rule-source", Method: http.MethodGet, Path: "/api/v1/rules/{id}/source", Summary: "How a rule in force is written",
		Description: "Its document of its file, with comments and tests. They may name what is of one cluster: who has a scope is refused.",
	}, func(_ context.Context, in *struct {
		ID string `path:"id" maxLength:"200"`
	}) (*one[RuleSource], error) {
		out, err := s.Backend.RuleSource(in.ID)
		if errors.Is(err, incident.ErrNotFound) {
			return nil, problem(http.StatusNotFound, "there is no rule with this id")
		}
		if err != nil {
			return nil, unwell(err)
		}
		return &one[RuleSource]{out}, nil
	})
}
