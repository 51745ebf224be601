// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/incident"
)

// Delivered is what became of one attempt to tell an alert, and the mark of that.
type Delivered struct {
	// Incident is the one that the alert is about, "" if nothing may be said.
	Mark, Incident string
	DeliveryView
}

// DeliveryView is what became of one attempt to tell an alert.
type DeliveryView struct {
	// Alert is the alert's id, Key its key.
	Alert    int64  `json:"alert"`
	Key      string `json:"key"`
	Receiver string `json:"receiver"`
	Kind     string `json:"kind"`
	// Outcome is retry of one that failed and is made again.
	Outcome string `json:"outcome" enum:"sent,retry,dead,silenced"`
	Attempt int    `json:"attempt"`
	// Time is when it was noted.
	Time event.Stamp `json:"time"`
	// Error is what the receiver said, SilencedBy what keeps the alert from being told.
	Error      string `json:"error"`
	SilencedBy string `json:"silenced_by"`
}

// Delivery is what became of an attempt, and the incident that the alert is about.
type Delivery struct {
	Incident IncidentLine `json:"incident"`
	Delivery DeliveryView `json:"delivery"`
}

func (s *server) registerAlertStream(h huma.API) {
	huma.Register(h, eventStream(huma.Operation{
		OperationID: "stream-alerts", Path: "/api/v1/alerts/stream", Summary: "Deliveries of alerts as they succeed and fail, as server-sent events",
		Description: "`delivery` has what became of one attempt to tell an alert, and of its incident what a line needs. Each comes once, in order. " +
			"An alert that is held back comes when it is, and not each time that it still is.",
	}), func(ctx context.Context, in *struct {
		LiveInput
		Receiver string   `query:"receiver" doc:"to this receiver alone"`
		Outcome  []string `query:"outcome,explode" enum:"sent,retry,dead,silenced"`
	}) (*huma.StreamResponse, error) {
		d := deliveries{server: s, receiver: in.Receiver, outcomes: in.Outcome}
		// A mark names a delivery by a number that means nothing: so none comes twice.
		whole := func(mark string) string { return mark }
		return s.live(ctx, feed{s.deliveryPulse, s.Backend.LastDelivery, whole, d.read}.after(in.after()))
	})
}

// deliveries are those to a receiver and with outcomes that are wanted; "" and none are all.
type deliveries struct {
	*server
	receiver string
	outcomes []string
}

func (d deliveries) wants(x Delivered) bool {
	return x.Incident != "" && (d.receiver == "" || x.Receiver == d.receiver) && (len(d.outcomes) == 0 || slices.Contains(d.outcomes, x.Outcome))
}

func (d deliveries) read(ctx context.Context, after string, send func(message) error) (string, error) {
	page, err := d.Backend.Deliveries(ctx, after, changePage)
	if err != nil || len(page) == 0 {
		return after, err
	}
	var ids []string
	for _, x := range page {
		if d.wants(x) && !slices.Contains(ids, x.Incident) {
			ids = append(ids, x.Incident)
		}
	}
	lines := map[string]incident.View{}
	if len(ids) > 0 {
		if lines, err = d.views(ctx, incident.Filter{IDs: ids, IncludeMerged: true, IncludeRetracted: true}); err != nil {
			return "", err
		}
	}
	for _, x := range page {
		m := message{id: x.Mark}
		if d.wants(x) {
			line := about(lines[x.Incident])
			line.ID = x.Incident
			m = message{x.Mark, "delivery", Delivery{line, x.DeliveryView}}
		}
		if err := send(m); err != nil {
			return "", err
		}
	}
	return page[len(page)-1].Mark, nil
}
