// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"tocsin/api"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/stream"
)

// This is what people who look at events ask of the node.

func (b backend) ChangedIncidents(ctx context.Context, after string, limit int) ([]incident.Changed, error) {
	return b.n.store.Changed(ctx, after, limit)
}

func (b backend) LastChange(ctx context.Context) (string, error) { return b.n.store.LastChange(ctx) }

func (b backend) ChangedDetections(ctx context.Context, after string, limit int) ([]incident.ChangedDetection, error) {
	return b.n.store.ChangedDetections(ctx, after, limit)
}

func (b backend) LastDetection(ctx context.Context) (string, error) {
	return b.n.store.LastDetection(ctx)
}

func (b backend) SearchEvents(ctx context.Context, q api.EventSearch) (api.EventPage, error) {
	page, err := b.n.searcher.Search(ctx, pipeline.Query{
		Selection: selection(q.EventFilter), Since: q.Since, Until: q.Until, Before: (*pipeline.LogPlace)(q.Before), Limit: q.Limit,
	})
	if err != nil {
		return api.EventPage{}, busy(err)
	}
	out := api.EventPage{Searched: page.Searched, SearchedTo: event.Stamp(page.SearchedTo)}
	for _, f := range page.Found {
		v := viewEvent(f.Event)
		v.Raw = pipeline.RawJSON(f.Event.Original)
		out.Items = append(out.Items, v)
	}
	if page.Next != nil {
		out.NextCursor = api.LogPlace(*page.Next).String()
	}
	return out, nil
}

func selection(f api.EventFilter) pipeline.Selection {
	return pipeline.Selection{Where: f.Where, Source: f.Source, Scope: f.Scope}
}

func viewEvent(e *event.Event) api.EventView {
	return api.EventView{Time: event.Stamp(e.Time), Arrival: event.Stamp(e.Arrival), Source: e.Source, EventID: e.EventID, Fields: e.Fields()}
}

// busy turns errors of looking into those of the API.
func busy(err error) error {
	switch {
	case errors.Is(err, pipeline.ErrBusy):
		return api.ErrBusy
	case errors.Is(err, pipeline.ErrTooMuch):
		return api.ErrTooMuch
	}
	return err
}

// silentFor is how many messages without an event that is wanted a stream reads before it says how far it is: one that goes on
// there need not read them again.
const silentFor = 256

func (b backend) FollowEvents(ctx context.Context, f api.EventFilter, after *api.LogPlace, fn func(api.EventPlace) error) error {
	if after == nil {
		st, err := b.n.streams.EventsState(ctx)
		if err != nil {
			return err
		}
		after = &api.LogPlace{Seq: st.Last + 1}
		if err := fn(api.EventPlace{Next: *after}); err != nil {
			return err
		}
	}
	wanted := selection(f)
	e := new(event.Event)
	silent := 0
	err := b.n.streams.Follow(ctx, after.Seq, func(t stream.Taken) error {
		if t.Lost > 0 {
			return fn(api.EventPlace{Next: api.LogPlace{Seq: t.Seq + 1}, Lost: t.Lost})
		}
		if silent++; silent > silentFor {
			silent = 0
			if err := fn(api.EventPlace{Next: api.LogPlace{Seq: t.Seq}}); err != nil {
				return err
			}
		}
		for i, rec := range t.Records {
			if t.Seq == after.Seq && i < after.Index || b.n.parser.ParseInto(e, rec, t.Time) != nil || !wanted.Has(e) {
				continue // what cannot be read is in quarantine
			}
			v := viewEvent(e)
			if err := fn(api.EventPlace{Next: api.LogPlace{Seq: t.Seq, Index: i + 1}, Event: &v}); err != nil {
				return err
			}
			silent = 0
		}
		return nil
	})
	if errors.Is(err, stream.ErrUnknownPlace) {
		return api.ErrUnknownPlace
	}
	return err
}
