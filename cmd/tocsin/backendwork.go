// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"tocsin/api"
	"tocsin/incident"
	"tocsin/pipeline"
)

func (b backend) Work(ctx context.Context, id string, w incident.Work) (incident.Done, error) {
	if w.Status != nil && *w.Status == incident.Closed {
		return b.workAndClose(ctx, id, w)
	}
	return b.acted(b.n.store.SetWork(ctx, id, w))
}

// workAndClose writes what else is to be done, if the incident is as it should be, and puts the closing into the log.
func (b backend) workAndClose(ctx context.Context, id string, w incident.Work) (incident.Done, error) {
	place, err := b.n.store.Place(ctx, id)
	if err == nil && place.Status == incident.Closed && len(place.Parts) > 0 { // whoever closed it may have died before its parts were closed
		if _, err = b.Close(ctx, id, place.Verdict, w.By); errors.Is(err, api.ErrClosed) {
			err = nil
		}
	}
	switch {
	case err != nil:
		return incident.Done{}, err
	case place.MergedInto != "":
		return incident.Done{}, &incident.MergedError{Into: place.MergedInto}
	case place.Status == incident.Closed && (w.Key == "" || w.Verdict != place.Verdict):
		return incident.Done{}, incident.ErrFinal
	}
	rest := w
	rest.Status = nil
	done, err := b.acted(b.n.store.SetWork(ctx, id, rest))
	if err != nil || place.Status == incident.Closed { // the same request came before
		return done, err
	}
	_, err = b.Close(ctx, id, w.Verdict, w.By)
	if errors.Is(err, api.ErrClosed) {
		err = incident.ErrFinal
	}
	return done, err
}

func (b backend) Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	place, err := b.n.store.Place(ctx, id)
	if err != nil {
		return incident.View{}, err
	}
	v, err := b.n.closer.Close(ctx, id, verdict, by)
	if err == nil && v.ID == id && v.Status == incident.Closed && place.Acts == 0 {
		b.n.firstActs.Observe(time.Duration(int64(v.ClosedAt) - place.Opened).Seconds())
	}
	if errors.Is(err, pipeline.ErrClosed) {
		err = api.ErrClosed
	}
	return v, err
}

func (b backend) Merge(ctx context.Context, id, into, by string) (incident.Done, error) {
	return b.acted(b.n.store.Merge(ctx, id, into, by))
}

func (b backend) Unmerge(ctx context.Context, id, by string) (incident.Done, error) {
	return b.acted(b.n.store.Unmerge(ctx, id, by))
}

// acted observes how long incidents waited for their first act.
func (b backend) acted(done incident.Done, err error) (incident.Done, error) {
	for _, waited := range done.Firsts {
		b.n.firstActs.Observe(time.Duration(waited).Seconds())
	}
	return done, err
}

func (b backend) Related(ctx context.Context, id string, scope incident.Scope, limit int) ([]incident.Related, error) {
	return b.n.store.Related(ctx, id, scope, limit)
}

func (b backend) Sightings(ctx context.Context, kind, name string, scope incident.Scope) ([]incident.Sighting, bool, error) {
	return b.n.store.Sightings(ctx, kind, name, scope)
}

func (b backend) Timeline(ctx context.Context, id string, f incident.TimelineFilter) ([]incident.Moment, string, error) {
	f.Lateness = b.n.cfg.Lateness
	return b.n.store.Timeline(ctx, id, f)
}
