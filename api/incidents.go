// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
	"tocsin/incident"
	"tocsin/rules"
)

// FilterInput is a filter of incidents as a query.
type FilterInput struct {
	Status    []string `query:"status,explode" doc:"new, in_progress, on_hold, resolved or closed; several, repeated or with commas, are alternatives"`
	Severity  []string `query:"severity,explode" doc:"informational, low, medium, high or critical; several, repeated or with commas, are alternatives"`
	Rule      string   `query:"rule" doc:"id of a rule"`
	Entity    string   `query:"entity" doc:"type:name, as in user:ana or pod:shop/web-1"`
	Technique string   `query:"technique" doc:"ATT&CK technique; T1059 finds its sub-techniques too"`
	Since     string   `query:"since" doc:"RFC 3339, or a span back from now such as 24h"`
	Until     string   `query:"until" doc:"RFC 3339, or a span back from now"`
	Q         string   `query:"q" doc:"text in title, rule, entity, key or id"`
	Include   []string `query:"include,explode" doc:"merged, retracted: show those as well"`
}

// listInput is a page of a list of incidents.
type listInput struct {
	FilterInput
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

// page is a list with the cursor of what follows.
type page[T any] struct {
	Items []T `json:"items"`
	// NextCursor is empty at the end.
	NextCursor string `json:"next_cursor"`
}

type listOutput[T any] struct {
	Link string `header:"Link"`
	Body page[T]
}

func list[T any](items []T, next, path string, query url.Values) *listOutput[T] {
	out := &listOutput[T]{Body: page[T]{Items: items, NextCursor: next}}
	if items == nil {
		out.Body.Items = []T{}
	}
	if next != "" {
		query.Set("cursor", next)
		out.Link = "<" + path + "?" + query.Encode() + `>; rel="next"`
	}
	return out
}

// one is an answer with one thing.
type one[T any] struct{ Body T }

var statuses = []string{"new", "in_progress", "on_hold", "resolved", "closed"}

// filter checks a query. An error names the parameter.
func (in *FilterInput) filter(now time.Time) (incident.Filter, error) {
	f := incident.Filter{
		Status: split(in.Status), Severity: split(in.Severity), Rule: in.Rule, Technique: in.Technique,
		Query: in.Q,
	}
	for _, s := range f.Status {
		if !slices.Contains(statuses, s) {
			return f, fmt.Errorf("status: there is no %q; there are %s", s, strings.Join(statuses, ", "))
		}
	}
	for _, s := range f.Severity {
		if _, ok := rules.ParseSeverity(s); !ok {
			return f, fmt.Errorf("severity: there is no %q", s)
		}
	}
	if in.Entity != "" {
		var ok bool
		if f.EntityType, f.EntityName, ok = strings.Cut(in.Entity, ":"); !ok || f.EntityType == "" {
			return f, fmt.Errorf("entity: write type:name, as in user:ana, not %q", in.Entity)
		}
	}
	for _, x := range split(in.Include) {
		switch x {
		case "merged":
			f.IncludeMerged = true
		case "retracted":
			f.IncludeRetracted = true
		default:
			return f, fmt.Errorf("include: there is no %q; there are merged and retracted", x)
		}
	}
	var err error
	if f.Since, err = moment("since", in.Since, now); err != nil {
		return f, err
	}
	f.Until, err = moment("until", in.Until, now)
	return f, err
}

func split(values []string) []string {
	var out []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// moment reads a time, or a span back from now.
func moment(name, s string, now time.Time) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		if y := t.UTC().Year(); y < 1678 || y > 2261 {
			return 0, fmt.Errorf("%s: %s is outside the years 1678 to 2261, which nanoseconds can tell", name, s)
		}
		return t.UnixNano(), nil
	}
	if d, err := rules.ParseDuration(s); err == nil {
		return now.Add(-d).UnixNano(), nil
	}
	return 0, fmt.Errorf("%s: write RFC 3339 (2026-11-01T00:00:00Z) or a span back (24h), not %q", name, s)
}

func (in *listInput) query() url.Values {
	q := url.Values{}
	for name, vs := range map[string][]string{
		"status": in.Status, "severity": in.Severity, "include": in.Include, "rule": {in.Rule}, "entity": {in.Entity},
		"technique": {in.Technique}, "since": {in.Since}, "until": {in.Until}, "q": {in.Q}, "limit": {fmt.Sprint(in.Limit)},
	} {
		for _, v := range vs {
			if v != "" {
				q.Add(name, v)
			}
		}
	}
	return q
}

func (s *server) registerIncidents(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-incidents", Method: http.MethodGet, Path: "/api/v1/incidents", Summary: "Incidents, newest activity first",
	}, func(ctx context.Context, in *listInput) (*listOutput[incident.View], error) {
		f, err := in.filter(s.Now())
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		f.Limit, f.Cursor = in.Limit, in.Cursor
		items, next, err := s.Backend.Incidents(ctx, f)
		if err != nil {
			return nil, failed(err)
		}
		return list(items, next, "/api/v1/incidents", in.query()), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-incident", Method: http.MethodGet, Path: "/api/v1/incidents/{id}", Summary: "One incident with its detections",
		Description: "The ETag names its state, of what the engine knows and what people did: If-None-Match with it is answered by 304 until that changes.",
	}, func(ctx context.Context, in *struct {
		ID          string `path:"id" pattern:"^[0-9a-f]{32}$" doc:"id of an incident"`
		IfNoneMatch string `header:"If-None-Match"`
	}) (*tagged, error) {
		t, err := s.tagged(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := t.unchanged(in.IfNoneMatch); err != nil {
			return nil, err
		}
		return t, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "list-evidence", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/evidence",
		Summary: "The events that made an incident, with their bytes and hashes, oldest first",
	}, func(ctx context.Context, in *struct {
		ID     string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
		Cursor string `query:"cursor"`
	}) (*listOutput[incident.EvidenceItem], error) {
		items, next, err := s.Backend.Evidence(ctx, in.ID, in.Limit, in.Cursor)
		if err != nil {
			return nil, failed(err)
		}
		return list(items, next, "/api/v1/incidents/"+in.ID+"/evidence", url.Values{"limit": {fmt.Sprint(in.Limit)}}), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "close-incident", Method: http.MethodPost, Path: "/api/v1/incidents/{id}/close", Summary: "Close an incident with a verdict",
		Description: "The closing is in the log once this is answered, whatever fails. The answer waits five seconds for it to be done: the status says whether it is. " +
			"Who closes is whose proof this is.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Body struct {
			Verdict string `json:"verdict" enum:"true_positive,benign,false_positive"`
			By      string `json:"by,omitempty" maxLength:"200" doc:"for whom it is closed, if that is somebody else: NAME for BY closes it"`
		}
	}) (*one[incident.View], error) {
		by, err := closer(ctx, in.Body.By)
		if err != nil {
			return nil, err
		}
		v, err := s.Backend.Close(ctx, in.ID, incident.Verdict(in.Body.Verdict), by)
		if err != nil {
			return nil, failed(err)
		}
		return &one[incident.View]{v}, nil
	})
}

// maxFor bounds the name of somebody for whom an incident is closed, in bytes.
const maxFor = 800

// closer names who closes an incident: whoever proved who they are. Anybody may write any name into a body, so that one is no more than whom
// it was done for.
func closer(ctx context.Context, other string) (string, error) {
	who := auth.Of(ctx).Name
	other = strings.TrimSpace(other)
	if other == "" || other == who {
		return who, nil
	}
	return who + " for " + other, plain("by", other, maxFor, "")
}
