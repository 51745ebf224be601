// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// gone is an incident that changed and is not, or not any more, among those that are wanted.
type gone struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
}

type incidentStreamInput struct {
	LiveInput
	FilterInput
}

func (s *server) registerIncidentStream(h huma.API) {
	huma.Register(h, eventStream(huma.Operation{
		OperationID: "stream-incidents", Path: "/api/v1/incidents/stream", Summary: "Incidents as they change, as server-sent events",
		Description: "`incident` has the incident as a list has it; `gone` its id, if it changed and the filter does not select it (any more). Of one " +
			"that changes often the last state comes, once a second at the most. If one changes that was merged into another, that other comes, too, before it and without an id.",
	}), func(ctx context.Context, in *incidentStreamInput) (*huma.StreamResponse, error) {
		f, err := in.filter(s.Now())
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		c := changes{server: s, filter: f}
		return s.live(ctx, feed{s.incidentPulse, s.Backend.LastChange, unnamed, c.read}.after(in.after()))
	})
}

// changes are those of incidents that are wanted.
type changes struct {
	*server
	filter incident.Filter
}

func (c changes) read(ctx context.Context, after string, send func(message) error) (string, error) {
	changed, err := c.Backend.ChangedIncidents(ctx, after, changePage)
	if err != nil || len(changed) == 0 {
		return after, err
	}
	var ids []string
	for _, x := range changed {
		ids = append(ids, x.ID)
		if x.Whole != "" && !slices.Contains(ids, x.Whole) {
			ids = append(ids, x.Whole)
		}
	}
	// Those that may be seen, and of these those that are wanted.
	seen, err := c.views(ctx, incident.Filter{IDs: ids, IncludeMerged: true, IncludeRetracted: true})
	if err != nil {
		return "", err
	}
	wanted := c.filter
	wanted.IDs = ids
	among, err := c.views(ctx, wanted)
	if err != nil {
		return "", err
	}
	// is says how an incident stands, and nothing of one that may not be seen.
	is := func(id string) message {
		if v, ok := among[id]; ok {
			return message{event: "incident", data: v}
		} else if v, ok := seen[id]; ok {
			return message{event: "gone", data: gone{v.ID, v.Revision}}
		}
		return message{}
	}
	told := make(map[string]bool)
	for _, x := range changed {
		told[x.ID] = true
	}
	for _, x := range changed {
		// The whole comes before the mark of its part: who is cut off between them is told of both again.
		if x.Whole != "" && !told[x.Whole] {
			told[x.Whole] = true
			if m := is(x.Whole); m.event != "" {
				if err := send(m); err != nil {
					return "", err
				}
			}
		}
		m := is(x.ID)
		if m.id = x.Mark; m.event == "" {
			m.id = unnamed(x.Mark)
		}
		if err := send(m); err != nil {
			return "", err
		}
	}
	return changed[len(changed)-1].Mark, nil
}
