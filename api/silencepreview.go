// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/alert"
	"tocsin/incident"
)

// How many open incidents are looked at for a silence, and how many are named.
const (
	previewed = 5000
	named     = 10
)

// SilencePreview is what a silence would match of the incidents that are open.
type SilencePreview struct {
	// Open is how many were looked at, those with the newest activity; More says that there are others.
	Open int  `json:"open"`
	More bool `json:"more"`
	// Matched is how many of them it matches; Incidents are the first of these.
	Matched   int            `json:"matched"`
	Incidents []IncidentLine `json:"incidents"`
}

func (s *server) registerSilencePreview(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "preview-silence", Method: http.MethodGet, Path: "/api/v1/silences/preview", Summary: "Which open incidents a silence would match",
		Description: "Nothing is made. The 5,000 open incidents with the newest activity are looked at.",
	}, func(ctx context.Context, in *struct {
		Matchers []string `query:"matcher,explode" required:"true" minItems:"1" maxItems:"32" doc:"as in a silence; once for each"`
	}) (*one[SilencePreview], error) {
		ms, err := alert.ParseMatchers(in.Matchers)
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		open, err := s.Backend.OpenIncidents(ctx, previewed+1)
		if err != nil {
			return nil, failed(err)
		}
		return &one[SilencePreview]{matchedBy(ms, open)}, nil
	})
}

func matchedBy(ms alert.Matchers, open []incident.View) SilencePreview {
	p := SilencePreview{Incidents: []IncidentLine{}}
	if len(open) > previewed {
		open, p.More = open[:previewed], true
	}
	p.Open = len(open)
	for _, v := range open {
		if !ms.Matches(alert.LabelsOf(v)) {
			continue
		}
		if p.Matched++; p.Matched <= named {
			p.Incidents = append(p.Incidents, about(v))
		}
	}
	return p
}
