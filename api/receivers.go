// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// ReceiverView is how the alerts to one receiver stand.
type ReceiverView struct {
	Name string `json:"name"`
	// Type is "" of one that has alerts and is not configured here.
	Type string `json:"type"`
	// State is ok, failing (the last attempt at what waits failed), or unknown: not configured.
	State    string `json:"state" enum:"ok,failing,unknown"`
	Pending  int64  `json:"pending"`
	Silenced int64  `json:"silenced"`
	Dead     int64  `json:"dead"`
	// OldestSeconds is the age of the oldest pending alert.
	OldestSeconds float64 `json:"oldest_seconds"`
	LastError     string  `json:"last_error"`
	// PerMinute is how many alerts it is sent in a minute at most, 0 for no limit.
	PerMinute int `json:"per_minute"`
}

// Retried says how many alerts are tried again.
type Retried struct {
	Alerts int64 `json:"alerts"`
}

var errSince = errors.New("since: RFC 3339, or a span back from now such as 24h")

func (s *server) registerReceivers(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-receivers", Method: http.MethodGet, Path: "/api/v1/receivers", Summary: "How the alerts to each receiver stand",
	}, func(ctx context.Context, _ *struct{}) (*listOutput[ReceiverView], error) {
		items, err := s.Backend.Receivers(ctx)
		if err != nil {
			return nil, failed(err)
		}
		return list(items, "", "", nil), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "retry-alerts", Method: http.MethodPost, Path: "/api/v1/alerts/retry", Summary: "Try all alerts again that were given up since a time",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Since    string `json:"since" doc:"RFC 3339, or a span back from now such as 24h"`
			Receiver string `json:"receiver,omitempty" doc:"of this receiver alone"`
		}
	}) (*one[Retried], error) {
		since, err := moment("since", in.Body.Since, s.Now())
		if err == nil && since == 0 {
			err = errSince
		}
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		n, err := s.Backend.RetryAlerts(ctx, since, in.Body.Receiver)
		if err != nil {
			return nil, failed(err)
		}
		return &one[Retried]{Retried{n}}, nil
	})
}
