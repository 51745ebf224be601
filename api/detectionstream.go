// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// DetectionChange is a detection as it stands, and the incident that it is shown with.
type DetectionChange struct {
	Incident  IncidentLine           `json:"incident"`
	Detection incident.DetectionView `json:"detection"`
}

// IncidentLine says of an incident what a line about it needs.
type IncidentLine struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Severity string          `json:"severity"`
	Status   incident.Status `json:"status"`
}

func about(v incident.View) IncidentLine { return IncidentLine{v.ID, v.Title, v.Severity, v.Status} }

func (s *server) registerDetectionStream(h huma.API) {
	huma.Register(h, eventStream(huma.Operation{
		OperationID: "stream-detections", Path: "/api/v1/detections/stream", Summary: "Detections as they come and change, as server-sent events",
		Description: "`detection` has a detection as it stands, and what its incident is called; the filters are those of incidents. It comes when it begins and " +
			"whenever it changes: grows, is retracted, moves to another incident. Of one that changes often the last state comes, once a second at the most.",
	}), func(ctx context.Context, in *incidentStreamInput) (*huma.StreamResponse, error) {
		f, err := in.filter(s.Now())
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		d := detections{server: s, filter: f}
		return s.live(ctx, feed{s.incidentPulse, s.Backend.LastDetection, unnamed, d.read}.after(in.after()))
	})
}

// detections are those of incidents that are wanted.
type detections struct {
	*server
	filter incident.Filter
}

func (d detections) read(ctx context.Context, after string, send func(message) error) (string, error) {
	changed, err := d.Backend.ChangedDetections(ctx, after, changePage)
	if err != nil || len(changed) == 0 {
		return after, err
	}
	var ids []string
	for _, x := range changed {
		if x.Incident != "" && !slices.Contains(ids, x.Incident) {
			ids = append(ids, x.Incident)
		}
	}
	f := d.filter
	f.IDs, f.IncludeRetracted = ids, true // of one that is, its detections are: whoever heard of them hears that, too
	wanted := map[string]incident.View{}
	if len(ids) > 0 {
		if wanted, err = d.views(ctx, f); err != nil {
			return "", err
		}
	}
	for _, x := range changed {
		m := message{id: unnamed(x.Mark)}
		if v, ok := wanted[x.Incident]; ok {
			m = message{x.Mark, "detection", DetectionChange{about(v), x.Detection}}
		}
		if err := send(m); err != nil {
			return "", err
		}
	}
	return changed[len(changed)-1].Mark, nil
}
