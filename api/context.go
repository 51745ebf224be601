// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/incident"
)

// EntityView is what is known of an entity.
type EntityView struct {
	Type string `json:"type"`
	Name string `json:"name"`
	// Risk is 0 to 100: docs/api.md has the formula.
	Risk float64 `json:"risk"`
	// RiskOverTime is the risk of the last 30 days, a day each and the oldest first; the last is that of now. It is of the events of
	// then, by the verdicts of now.
	RiskOverTime []incident.RiskAt `json:"risk_over_time"`
	// FirstSeen and LastSeen are the first and the last event of its incidents.
	FirstSeen event.Stamp `json:"first_seen"`
	LastSeen  event.Stamp `json:"last_seen"`
	// Incidents counts those about it, Open those of them that are not closed. All is of its newest 1,000; More says that there
	// are older ones.
	Incidents int  `json:"incidents"`
	Open      int  `json:"open"`
	More      bool `json:"more"`
	// OpenIncidents are the newest of those that are open, up to 50.
	OpenIncidents []incident.View `json:"open_incidents"`
}

const (
	// graphEvents bounds the evidence that a graph is made of, the earliest.
	graphEvents = 2000
	// openOnes bounds the incidents that are shown with an entity.
	openOnes = 50
	// riskDays is how far back the risk of an entity is told.
	riskDays = 30
)

func (s *server) registerContext(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-related", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/related", Summary: "Incidents of other rules about the same entities",
		Description: "Newest activity first, each with the entities that both have. Of each entity the newest 200 incidents are looked at. Detections are in the incidents themselves.",
	}, func(ctx context.Context, in *struct {
		ID    string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	}) (*listOutput[incident.Related], error) {
		items, err := s.Backend.Related(ctx, in.ID, nil, in.Limit)
		if err != nil {
			return nil, failed(err)
		}
		return list(items, "", "", nil), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-graph", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/graph", Summary: "Who met whom in an incident",
		Description: "Entities, joined where one event names both, with the steps and the ATT&CK tactics of those events; up to 60, and the earliest 2,000 pieces of evidence.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*one[incident.Graph], error) {
		items, more, err := s.evidence(ctx, in.ID, graphEvents)
		if err != nil {
			return nil, failed(err)
		}
		of, err := s.views(ctx, incident.Filter{IDs: []string{in.ID}, IncludeMerged: true, IncludeRetracted: true})
		if err != nil {
			return nil, failed(err)
		}
		g := incident.MakeGraph(items, of[in.ID].Attack.Tactics)
		g.More = more
		return &one[incident.Graph]{g}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-entity", Method: http.MethodGet, Path: "/api/v1/entities/{type}/{name}", Summary: "What is known of an entity",
		Description: "A slash in the name is %2F.",
	}, func(ctx context.Context, in *struct {
		Type string `path:"type" doc:"pod, namespace, host, user or ip"`
		Name string `path:"name"`
	}) (*one[EntityView], error) {
		v, err := s.entity(ctx, in.Type, in.Name)
		if err != nil {
			return nil, err
		}
		return &one[EntityView]{v}, nil
	})
}

func (s *server) entity(ctx context.Context, kind, name string) (EntityView, error) {
	v := EntityView{Type: kind, Name: name}
	seen, more, err := s.Backend.Sightings(ctx, kind, name, nil)
	if err != nil {
		return v, failed(err)
	}
	if len(seen) == 0 {
		return v, problem(http.StatusNotFound, "no incident is about this entity")
	}
	now := s.Now().UnixNano()
	v.Risk, v.RiskOverTime, v.More, v.Incidents = incident.Risk(now, seen), incident.RiskOverTime(now, seen, riskDays), more, len(seen)
	first, last := seen[0].FirstEvent, seen[0].LastEvent
	for _, x := range seen {
		first, last = min(first, x.FirstEvent), max(last, x.LastEvent)
		if x.Status != incident.Closed {
			v.Open++
		}
	}
	v.FirstSeen, v.LastSeen = event.Stamp(first), event.Stamp(last)
	v.OpenIncidents, _, err = s.Backend.Incidents(ctx, incident.Filter{
		EntityType: kind, EntityName: name, Limit: openOnes,
		Status: []string{string(incident.New), string(incident.InProgress), string(incident.OnHold), string(incident.Resolved)},
	})
	if err != nil {
		return v, failed(err)
	}
	return v, nil
}

// evidence returns the earliest evidence of an incident, and whether there is more.
func (s *server) evidence(ctx context.Context, id string, most int) (all []incident.EvidenceItem, more bool, err error) {
	size := 0
	for cursor := ""; ; {
		items, next, err := s.Backend.Evidence(ctx, id, min(100, most-len(all)), cursor)
		if err != nil {
			return nil, false, err
		}
		for _, e := range items {
			size += len(e.Raw)
		}
		all = append(all, items...)
		if cursor = next; next == "" || len(all) >= most || size >= mostRecords {
			return all, next != "", nil
		}
	}
}
