// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
)

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
		if _, err := s.Backend.Merge(ctx, in.ID, in.Body.Into, auth.Of(ctx).Name); err != nil {
			return nil, failed(err)
		}
		return s.tagged(ctx, in.ID)
	})
	huma.Register(h, huma.Operation{
		OperationID: "unmerge-incident", Method: http.MethodPost, Path: "/api/v1/incidents/{id}/unmerge", Summary: "Show an incident that people merged by itself again",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*tagged, error) {
		if _, err := s.Backend.Unmerge(ctx, in.ID, auth.Of(ctx).Name); err != nil {
			return nil, failed(err)
		}
		return s.tagged(ctx, in.ID)
	})
}
