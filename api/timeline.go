// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

func (s *server) registerTimeline(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-timeline", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/timeline", Summary: "What happened in an incident, oldest first",
		Description: "Events, detections, what people did, and who was told: each at its time. What comes in late takes its place among what was listed before.",
	}, func(ctx context.Context, in *struct {
		ID     string   `path:"id" pattern:"^[0-9a-f]{32}$"`
		Kind   []string `query:"kind,explode" doc:"event, detection, act or alert; several, repeated or with commas, are alternatives"`
		Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"100"`
		Cursor string   `query:"cursor" doc:"next_cursor of the page before"`
	}) (*listOutput[incident.Moment], error) {
		kinds := split(in.Kind)
		for _, k := range kinds {
			if !slices.Contains(incident.MomentKinds(), k) {
				return nil, problem(http.StatusUnprocessableEntity, fmt.Sprintf("kind: there is no %q; there are %s", k, strings.Join(incident.MomentKinds(), ", ")))
			}
		}
		items, next, err := s.Backend.Timeline(ctx, in.ID, incident.TimelineFilter{Kinds: kinds, Limit: in.Limit, Cursor: in.Cursor})
		if err != nil {
			return nil, failed(err)
		}
		q := url.Values{"limit": {fmt.Sprint(in.Limit)}}
		if len(kinds) > 0 {
			q["kind"] = kinds
		}
		return list(items, next, "/api/v1/incidents/"+in.ID+"/timeline", q), nil
	})
}
