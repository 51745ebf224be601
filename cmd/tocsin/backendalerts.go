// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/store"
)

func (b backend) RetryAlerts(ctx context.Context, since int64, receiver string) (int64, error) {
	return b.n.store.OutboxReviveAll(ctx, since, receiver)
}

// Deliveries returns what became of attempts to tell alerts.
func (b backend) Deliveries(ctx context.Context, after string, limit int) ([]api.Delivered, error) {
	items, err := b.n.store.Deliveries(ctx, after, limit)
	out := make([]api.Delivered, len(items))
	for i, d := range items {
		v := api.DeliveryView{
			Alert: d.Alert, Receiver: d.Receiver, Kind: d.Kind, Outcome: d.Outcome, Attempt: d.Attempt, Time: event.Stamp(d.Time), Error: d.Why,
			Key: alert.Item{Incident: d.Incident, Revision: d.Revision, Receiver: d.Receiver, Detection: d.Detection}.Key(),
		}
		if d.Outcome == store.Silenced {
			v.Error, v.SilencedBy = "", d.Why
		}
		out[i] = api.Delivered{Mark: d.Mark, Incident: d.Incident, DeliveryView: v}
	}
	return out, err
}

func (b backend) LastDelivery(ctx context.Context) (string, error) {
	return b.n.store.LastDelivery(ctx)
}

// Receivers returns those that are configured here, and those that have alerts all the same.
func (b backend) Receivers(ctx context.Context) ([]api.ReceiverView, error) {
	stats, err := b.n.store.OutboxReceivers(ctx)
	if err != nil {
		return nil, err
	}
	var out []api.ReceiverView
	for _, r := range b.n.cfg.Alert.Names() {
		out = append(out, api.ReceiverView{Name: r.Name, Type: r.Type, State: "ok", PerMinute: r.PerMinute})
	}
	for _, s := range stats {
		i := slices.IndexFunc(out, func(v api.ReceiverView) bool { return v.Name == s.Receiver })
		if i < 0 {
			i = len(out)
			out = append(out, api.ReceiverView{Name: s.Receiver, State: "unknown"})
		}
		v := &out[i]
		v.Pending, v.Silenced, v.Dead, v.OldestSeconds, v.LastError = s.Pending, s.Silenced, s.Dead, s.Oldest.Seconds(), s.Error
		if v.State == "ok" && s.Error != "" {
			v.State = "failing"
		}
	}
	slices.SortFunc(out, func(a, b api.ReceiverView) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func viewSilence(s store.Silence) api.SilenceView {
	return api.SilenceView{
		ID: s.ID, Matchers: append([]string{}, s.Matchers...), Comment: s.Comment, Creator: s.Creator, Starts: event.Stamp(s.Starts),
		Ends: event.Stamp(s.Ends), Created: event.Stamp(s.Created), Revision: s.Revision,
	}
}

func storedSilence(v api.SilenceView) store.Silence {
	return store.Silence{
		ID: v.ID, Matchers: v.Matchers, Comment: v.Comment, Creator: v.Creator, Starts: int64(v.Starts), Ends: int64(v.Ends), Revision: v.Revision,
	}
}

func (b backend) Silences(ctx context.Context, all bool, limit int, cursor string) ([]api.SilenceView, string, error) {
	items, next, err := b.n.store.Silences(ctx, all, limit, cursor)
	if err != nil {
		return nil, "", err
	}
	held, err := b.n.store.SilencedAlerts(ctx)
	out := make([]api.SilenceView, len(items))
	for i, s := range items {
		out[i] = viewSilence(s)
		out[i].Held = held[s.ID]
	}
	return out, next, err
}

func (b backend) Silence(ctx context.Context, id string) (api.SilenceView, error) {
	s, err := b.n.store.Silence(ctx, id)
	if err != nil {
		return api.SilenceView{}, err
	}
	held, err := b.n.store.SilencedAlerts(ctx)
	v := viewSilence(s)
	v.Held = held[s.ID]
	return v, err
}

func (b backend) OpenIncidents(ctx context.Context, n int) ([]incident.View, error) {
	return b.n.store.OpenIncidents(ctx, n)
}

func (b backend) AddSilence(ctx context.Context, v api.SilenceView) (api.SilenceView, error) {
	s, err := b.n.store.AddSilence(ctx, storedSilence(v))
	return viewSilence(s), err
}

func (b backend) SetSilence(ctx context.Context, v api.SilenceView) (api.SilenceView, error) {
	s, err := b.n.store.SetSilence(ctx, storedSilence(v))
	if errors.Is(err, store.ErrStale) {
		err = api.ErrStale
	}
	return viewSilence(s), err
}
