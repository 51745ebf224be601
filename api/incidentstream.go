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
		return s.live(ctx, s.incidents(f, in.after()))
	})
}

// incidents are those that change after a mark, from now on if it is "".
func (s *server) incidents(f incident.Filter, mark string) source {
	return func(ctx context.Context, send func(message) error) error {
		leave := s.pulse.join()
		defer leave()
		c := changes{server: s, filter: f, send: send, mark: mark}
		if mark == "" {
			if err := c.begin(ctx); err != nil {
				return err
			}
		}
		for {
			woken := s.pulse.next()
			err := c.read(ctx)
			if errors.Is(err, incident.ErrBadCursor) || errors.Is(err, incident.ErrUnknownMark) {
				if err = send(message{event: "gap", data: gap{Reason: "unknown"}}); err == nil {
					err = c.begin(ctx)
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

// changes is one stream on its way.
type changes struct {
	*server
	filter incident.Filter
	send   func(message) error
	mark   string
}

// begin goes on from now.
func (c *changes) begin(ctx context.Context) (err error) {
	if c.mark, err = c.Backend.LastChange(ctx); err != nil {
		return err
	}
	return c.send(message{id: unnamed(c.mark)})
}

// read sends what has changed since.
func (c *changes) read(ctx context.Context) error {
	for {
		changed, err := c.Backend.ChangedIncidents(ctx, c.mark, changePage)
		if err != nil || len(changed) == 0 {
			return err
		}
		if err := c.page(ctx, changed); err != nil {
			return err
		}
	}
}

func (c *changes) page(ctx context.Context, changed []incident.Changed) error {
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
		return err
	}
	wanted := c.filter
	wanted.IDs = ids
	among, err := c.views(ctx, wanted)
	if err != nil {
		return err
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
				if err := c.send(m); err != nil {
					return err
				}
			}
		}
		m := is(x.ID)
		if m.id = x.Mark; m.event == "" {
			m.id = unnamed(x.Mark)
		}
		if err := c.send(m); err != nil {
			return err
		}
		c.mark = x.Mark
	}
	return nil
}

// views reads incidents by id.
func (c *changes) views(ctx context.Context, f incident.Filter) (map[string]incident.View, error) {
	f.Limit = 2 * changePage // each may have a whole
	items, _, err := c.Backend.Incidents(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make(map[string]incident.View, len(items))
	for _, v := range items {
		out[v.ID] = v
	}
	return out, nil
}
