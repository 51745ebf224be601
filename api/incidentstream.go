// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// gone is an incident that changed and is not, or not any more, among those that are wanted.
type gone struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
}

// changePage is how many changes are read at a time.
const changePage = 50

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
		return s.live(ctx, s.changing(in.after(), s.Backend.LastChange, c.read))
	})
}

// changing is what changes after a mark, from now on if it is "": last is the mark of now, read sends a page of what changed after a mark
// and returns how far it came.
func (s *server) changing(mark string, last func(context.Context) (string, error), read func(ctx context.Context, after string, send func(message) error) (string, error)) source {
	return func(ctx context.Context, send func(message) error) error {
		leave := s.pulse.join()
		defer leave()
		begin := func() (err error) {
			if mark, err = last(ctx); err != nil {
				return err
			}
			return send(message{id: unnamed(mark)})
		}
		if mark == "" {
			if err := begin(); err != nil {
				return err
			}
		}
		for {
			woken := s.pulse.next()
			err := error(nil)
			for before := ""; err == nil && mark != before; {
				before = mark
				mark, err = read(ctx, mark, send)
			}
			if errors.Is(err, incident.ErrBadCursor) || errors.Is(err, incident.ErrUnknownMark) {
				if err = send(message{event: "gap", data: gap{Reason: "unknown"}}); err == nil {
					err = begin()
				}
			}
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-woken:
			}
		}
	}
}

// unnamed is the place of a mark, without the incident that it names and that may be nobody's to know: what was written at once comes
// again after it.
func unnamed(mark string) string {
	at, _, _ := strings.Cut(mark, ".")
	return at + "."
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

// views reads incidents by id.
func (s *server) views(ctx context.Context, f incident.Filter) (map[string]incident.View, error) {
	f.Limit = 2 * changePage // each may have a whole
	items, _, err := s.Backend.Incidents(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make(map[string]incident.View, len(items))
	for _, v := range items {
		out[v.ID] = v
	}
	return out, nil
}
