// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
	"tocsin/event"
)

var errNoStore = errors.New("there is no store")

// AuditView is one act in the audit log.
type AuditView struct {
	ID int64       `json:"id"`
	At event.Stamp `json:"at"`
	// Actor is who did it, and Via how they proved that: config, token, oidc or session, or at which receiver they did it: pagerduty or slack.
	Actor     string `json:"actor"`
	Via       string `json:"via"`
	Operation string `json:"operation"`
	// Object is the path that it was asked at; of a start the version, and the SHA-256 of the configuration.
	Object  string `json:"object"`
	Remote  string `json:"remote"`
	Request string `json:"request_id"`
	// Outcome is done, failed or refused; one that stays started was interrupted, and may have been done.
	Outcome string `json:"outcome"`
	// Status is the HTTP status of the answer, 0 until there is one.
	Status   int         `json:"status"`
	Finished event.Stamp `json:"finished"`
}

func (s *server) registerAudit(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/api/v1/audit", Summary: "Who did what, newest first",
		Description: "Whatever changes something, each login, each start of a process with the role api, and what was forbidden. Nothing is done that could not be written here first.",
	}, func(ctx context.Context, in *struct {
		Actor     string `query:"actor" doc:"a name, as in token:ci"`
		Operation string `query:"operation" doc:"an operation's id, or login"`
		Outcome   string `query:"outcome" enum:"started,done,failed,refused"`
		Object    string `query:"object" doc:"a path"`
		Since     string `query:"since" doc:"RFC 3339, or a span back from now such as 24h"`
		Until     string `query:"until" doc:"RFC 3339, or a span back from now"`
		Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor    string `query:"cursor"`
	}) (*listOutput[AuditView], error) {
		f := auth.EntryFilter{
			Actor: in.Actor, Operation: in.Operation, Outcome: in.Outcome, Object: in.Object, Limit: in.Limit, Cursor: in.Cursor,
		}
		now := s.Now()
		var err error
		if f.Since, err = moment("since", in.Since, now); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		if f.Until, err = moment("until", in.Until, now); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		// A span back means another moment at each page: the cursor is of the moment that the first page had.
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}}
		for name, v := range map[string]string{
			"actor": in.Actor, "operation": in.Operation, "outcome": in.Outcome, "object": in.Object, "since": fixed(f.Since), "until": fixed(f.Until),
		} {
			if v != "" {
				q.Set(name, v)
			}
		}
		if s.Store == nil {
			return nil, failed(errNoStore)
		}
		items, next, err := s.Store.Audit(ctx, f)
		if err != nil {
			return nil, failed(err)
		}
		views := make([]AuditView, len(items))
		for i, e := range items {
			views[i] = AuditView{
				ID: e.ID, At: event.Stamp(e.At), Actor: e.Actor, Via: e.Via, Operation: e.Operation, Object: e.Object, Remote: e.Remote,
				Request: e.Request, Outcome: e.Outcome, Status: e.Status, Finished: event.Stamp(e.Finished),
			}
		}
		return list(views, next, "/api/v1/audit", q), nil
	})
}

// fixed writes a moment that a span back has led to.
func fixed(ns int64) string {
	if ns == 0 {
		return ""
	}
	return event.Stamp(ns).String()
}
