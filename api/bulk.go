// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"tocsin/incident"
)

// BulkResult is what became of one incident of many.
type BulkResult struct {
	ID string `json:"id"`
	// Status is as of a request for this one alone.
	Status  int              `json:"status"`
	Problem *huma.ErrorModel `json:"problem,omitempty"`
}

// atOnce is how many incidents of a request are changed at a time: a closing waits for its partition's owner.
const atOnce = 16

func (s *server) registerBulk(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "bulk-incidents", Method: http.MethodPost, Path: "/api/v1/incidents/bulk", Summary: "One change to many incidents",
		Description: "Status, assignee and a comment, as of the state that each has by then. The answer says of each whether it was done: one that fails stops no other. " +
			"In the audit log each incident has an entry of its own beside that of the request.",
	}, func(ctx context.Context, in *struct {
		IdempotencyKey
		Body struct {
			IDs []string `json:"ids" minItems:"1" maxItems:"500" uniqueItems:"true" nullable:"false"`
			IncidentChange
			Comment string `json:"comment,omitempty"`
		}
	}) (*listOutput[BulkResult], error) {
		w, err := in.Body.work(ctx)
		if err != nil {
			return nil, err
		}
		if in.Body.Comment != "" {
			if w.Comment, err = comment(in.Body.Comment); err != nil {
				return nil, err
			}
		}
		if w.Status == nil && w.Assignee == nil && w.Comment == "" {
			return nil, problem(http.StatusUnprocessableEntity, "there is nothing to do: send status, assignee or comment")
		}
		out := make([]BulkResult, len(in.Body.IDs))
		var g errgroup.Group
		g.SetLimit(atOnce)
		for i, id := range in.Body.IDs {
			g.Go(func() error {
				out[i] = s.oneOfMany(ctx, id, w, in.Key)
				return nil
			})
		}
		_ = g.Wait() // each says for itself
		return list(out, "", "", nil), nil
	})
}

func (s *server) oneOfMany(ctx context.Context, id string, w incident.Work, key string) BulkResult {
	if key != "" {
		w.Key = key + "/" + id
	}
	err := s.touch(ctx, id, "", func() error {
		_, err := s.Backend.Work(ctx, id, w)
		return err
	})
	if err == nil {
		return BulkResult{ID: id, Status: http.StatusOK}
	}
	p := problemOf(err)
	return BulkResult{ID: id, Status: p.Status, Problem: p}
}
