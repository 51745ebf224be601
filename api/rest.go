// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/rules"
)

// Status is where everything stands. All zero lags mean that everything accepted has been decided as far as the
// clock allows.
type Status struct {
	Version string `json:"version"`
	// Clock is the least of the partitions' clocks.
	Clock event.Stamp `json:"clock"`
	// MatchLag and CorrelateLag are messages that wait to be matched and correlated, Outbox alerts that wait.
	MatchLag     uint64 `json:"match_lag"`
	CorrelateLag uint64 `json:"correlate_lag"`
	Outbox       int64  `json:"outbox"`
	DeadAlerts   int64  `json:"dead_alerts"`
	// Partitions are all there are, Owned those that somebody here works on.
	Partitions int    `json:"partitions"`
	Owned      int    `json:"owned"`
	Set        string `json:"set"`
	Rules      int    `json:"rules"`
	// Events counts the messages that EVENTS keeps.
	Events uint64 `json:"events"`
	// Incidents counts those that are neither merged nor retracted, by status and severity.
	Incidents map[string]int64 `json:"incidents"`
}

// RuleInfo is a rule with its public numbers.
type RuleInfo struct {
	ID          string           `json:"id"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Runbook     string           `json:"runbook"`
	Severity    string           `json:"severity"`
	Revision    string           `json:"revision"`
	Attack      []string         `json:"attack"`
	Tactics     []string         `json:"tactics"`
	By          []string         `json:"by"`
	Within      string           `json:"within"`
	Shadow      bool             `json:"shadow"`
	File        string           `json:"file"`
	Tests       int              `json:"tests"`
	Patterns    []PatternView    `json:"patterns"`
	Exceptions  []ExceptionView  `json:"exceptions"`
	Stats       map[string]int64 `json:"stats"`
}

// PatternView is one named pattern.
type PatternView struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

// ExceptionView is a known-good case.
type ExceptionView struct {
	When    string      `json:"when"`
	Reason  string      `json:"reason"`
	Owner   string      `json:"owner"`
	Expires event.Stamp `json:"expires"`
}

// AlertView is an alert in the outbox.
type AlertView struct {
	ID       int64  `json:"id"`
	Key      string `json:"key"`
	Incident string `json:"incident"`
	// Title is that of the incident now.
	Title    string      `json:"title"`
	Receiver string      `json:"receiver"`
	Kind     string      `json:"kind"`
	State    string      `json:"state"`
	Attempts int         `json:"attempts"`
	Created  event.Stamp `json:"created"`
	Finished event.Stamp `json:"finished"`
	Error    string      `json:"error"`
	// SilencedBy says what keeps it from being told: a silence and its id, or that the incident is over.
	SilencedBy string `json:"silenced_by"`
}

// Reloaded is what became of the rules in force, by id.
type Reloaded struct {
	// Set is the hash of the rules in force, Rules how many they are.
	Set     string   `json:"set"`
	Rules   int      `json:"rules"`
	Changed bool     `json:"changed"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	// Reset are rules that mean something else now: their windows begin anew. Reworded are those that mean what they
	// meant: their windows stay.
	Reset    []string `json:"reset"`
	Reworded []string `json:"reworded"`
}

func viewRule(r *rules.Rule, stats map[string]int64) RuleInfo {
	v := RuleInfo{
		ID: r.ID, Title: r.Title, Description: r.Description, Runbook: r.Runbook, Severity: r.Severity.String(),
		Revision: r.Revision, Attack: append([]string{}, r.Attack...), Tactics: append([]string{}, r.Tactics...),
		By: append([]string{}, r.By...), Shadow: r.Shadow, File: r.File, Tests: len(r.Tests),
		Patterns: []PatternView{}, Exceptions: []ExceptionView{}, Stats: stats,
	}
	if r.Within > 0 {
		v.Within = r.Within.String()
	}
	if v.Stats == nil {
		v.Stats = map[string]int64{}
	}
	for _, p := range r.Patterns {
		expr := p.Source
		if p.Child >= 0 {
			expr = "detection(" + strconv.Quote(r.Children[p.Child].ID) + ")"
		}
		v.Patterns = append(v.Patterns, PatternView{p.Name, expr})
	}
	for _, x := range r.Exceptions {
		v.Exceptions = append(v.Exceptions, ExceptionView{x.When, x.Reason, x.Owner, event.Stamp(x.Expires)})
	}
	return v
}

// SourceView is one source on one host, or one that the process itself reads, since the process that answers started.
type SourceView struct {
	// Source is the module of its events, or the path's source of what could not be read; Input is the token's name. Host is
	// the address of one that is read.
	Source string `json:"source"`
	Host   string `json:"host"`
	Input  string `json:"input"`
	// LastSeen is the arrival of its last record, LastEvent the newest time of its events.
	LastSeen  event.Stamp `json:"last_seen"`
	LastEvent event.Stamp `json:"last_event"`
	Records   int64       `json:"records"`
	// Rate is records a second over the last minute.
	Rate float64 `json:"rate"`
	// Usual is the mean of it over about the last hour, without the minute that now is.
	Usual float64 `json:"usual"`
	// Errors counts records that are in quarantine, those whose own time cannot be read, requests that were refused, and connections that
	// ended.
	Errors int64 `json:"errors"`
	// Quarantined are those of the errors that went to quarantine.
	Quarantined int64  `json:"quarantined"`
	LastError   string `json:"last_error"`
	// State is how one that is read stands; who sends by itself has none.
	State string `json:"state"`
}

func (s *server) registerRest(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-rules", Method: http.MethodGet, Path: "/api/v1/rules", Summary: "The rules in force, with their numbers",
	}, func(ctx context.Context, _ *struct{}) (*listOutput[RuleInfo], error) {
		stats, err := s.Backend.RuleStats(ctx)
		if err != nil {
			return nil, failed(err)
		}
		var out []RuleInfo
		for _, r := range s.Backend.Rules() {
			out = append(out, viewRule(r, stats[r.ID]))
		}
		return list(out, "", "", nil), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "reload-rules", Method: http.MethodPost, Path: "/api/v1/rules/reload", Summary: "Read the rule files again and put them in force",
		Description: "As a change of the files and SIGHUP do. Files with a mistake change nothing: the answer is 422, with each mistake.",
	}, func(ctx context.Context, _ *struct{}) (*one[Reloaded], error) {
		out, err := s.Backend.ReloadRules(ctx)
		if bad, ok := errors.AsType[*BadRulesError](err); ok {
			m := problem(http.StatusUnprocessableEntity, "the rule files are wrong: the rules in force stay")
			for _, mistake := range bad.Mistakes {
				m.Errors = append(m.Errors, &huma.ErrorDetail{Message: mistake})
			}
			return nil, m
		}
		if err != nil {
			return nil, problem(http.StatusServiceUnavailable, "the stream does not answer: the rules in force stay")
		}
		return &one[Reloaded]{out}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-rule", Method: http.MethodGet, Path: "/api/v1/rules/{id}", Summary: "One rule",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id"`
	}) (*one[RuleInfo], error) {
		stats, err := s.Backend.RuleStats(ctx)
		if err != nil {
			return nil, failed(err)
		}
		for _, r := range s.Backend.Rules() {
			if r.ID == in.ID {
				return &one[RuleInfo]{viewRule(r, stats[r.ID])}, nil
			}
		}
		return nil, problem(http.StatusNotFound, "there is no rule with this id")
	})
	huma.Register(h, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: "/api/v1/status", Summary: "Where everything stands",
	}, func(ctx context.Context, _ *struct{}) (*one[Status], error) {
		st, err := s.Backend.Status(ctx)
		if err != nil {
			return nil, failed(err)
		}
		return &one[Status]{st}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "list-sources", Method: http.MethodGet, Path: "/api/v1/sources", Summary: "What this process has seen of each source and host",
	}, func(ctx context.Context, _ *struct{}) (*listOutput[SourceView], error) {
		items, err := s.Backend.Sources(ctx)
		if err != nil {
			return nil, failed(err)
		}
		return list(items, "", "", nil), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/api/v1/alerts", Summary: "Alerts, newest first, also those given up",
	}, func(ctx context.Context, in *struct {
		State  string `query:"state" enum:"pending,sent,dead,silenced"`
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor string `query:"cursor"`
	}) (*listOutput[AlertView], error) {
		items, next, err := s.Backend.Alerts(ctx, in.State, in.Limit, in.Cursor)
		if err != nil {
			return nil, failed(err)
		}
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}}
		if in.State != "" {
			q.Set("state", in.State)
		}
		return list(items, next, "/api/v1/alerts", q), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "retry-alert", Method: http.MethodPost, Path: "/api/v1/alerts/{id}/retry", Summary: "Try a dead alert again",
		DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		ID int64 `path:"id"`
	}) (*struct{}, error) {
		if err := s.Backend.RetryAlert(ctx, in.ID); err != nil {
			return nil, failed(err)
		}
		return nil, nil
	})
}
