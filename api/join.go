// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
)

// mergedPath is, in the audit log, where a part is of the incident that it is shown with.
const mergedPath = "/merged/"

func (s *server) registerJoin(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "merge-incident", Method: http.MethodPost, Path: "/api/v1/incidents/{id}/merge", Summary: "Show an incident with another",
		Description: "Its detections, evidence and timeline are shown with the other from now on, or with what that was merged into; it leaves the lists, and has merged_into. " +
			"What still comes to it is shown there, too. The answer is the incident that was merged.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Body struct {
			Into string `json:"into" pattern:"^[0-9a-f]{32}$" doc:"id of the other incident, which is open"`
		}
	}) (*tagged, error) {
		whole, err := s.shownWith(ctx, in.Body.Into) // the engine may join that meanwhile: the entry is with what it was
		if err == nil {
			err = s.touch(ctx, whole, mergedPath+in.ID, func() error {
				_, err := s.Backend.Merge(ctx, in.ID, in.Body.Into, auth.Of(ctx).Name)
				return err
			})
		}
		if err != nil {
			return nil, problemOf(err)
		}
		return s.tagged(ctx, in.ID)
	})
	huma.Register(h, huma.Operation{
		OperationID: "unmerge-incident", Method: http.MethodPost, Path: "/api/v1/incidents/{id}/unmerge", Summary: "Show an incident that people merged by itself again",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*tagged, error) {
		undo := func() error {
			_, err := s.Backend.Unmerge(ctx, in.ID, auth.Of(ctx).Name)
			return err
		}
		v, err := s.Backend.Incident(ctx, in.ID)
		switch {
		case err != nil:
		case v.MergedInto == nil:
			err = undo() // which says that there is nothing to undo
		default:
			err = s.touch(ctx, *v.MergedInto, mergedPath+in.ID, undo)
		}
		if err != nil {
			return nil, problemOf(err)
		}
		return s.tagged(ctx, in.ID)
	})
}
