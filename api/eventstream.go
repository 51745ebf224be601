// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type eventStreamInput struct {
	LiveInput
	Q      string `query:"q" doc:"expression of the rule language, as the pattern of a rule; without it every event comes"`
	Source string `query:"source" doc:"name that it was posted under, or module" maxLength:"64"`
}

func (s *server) registerStream(h huma.API, op huma.Operation) {
	huma.Register(h, eventStream(op), func(ctx context.Context, in *eventStreamInput) (*huma.StreamResponse, error) {
		where, err := wherein(in.Q)
		if err != nil {
			return nil, err
		}
		var after *LogPlace
		if id := in.after(); id != "" {
			if after, err = parsePlace(id); err != nil {
				return nil, problem(http.StatusUnprocessableEntity, "Last-Event-ID: "+err.Error())
			}
		}
		return s.live(ctx, s.events(EventFilter{Where: where, Source: in.Source}, after))
	})
}

// events are those that come after a place, from now on if it is nil.
func (s *server) events(f EventFilter, after *LogPlace) source {
	return func(ctx context.Context, send func(message) error) error {
		follow := func(after *LogPlace) error {
			return s.Backend.FollowEvents(ctx, f, after, func(p EventPlace) error {
				id := p.Next.String()
				if p.Lost > 0 {
					if err := send(message{id, "gap", gap{"retention", p.Lost}}); err != nil {
						return err
					}
				}
				if p.Event == nil {
					return send(message{id: id})
				}
				return send(message{id, "event", p.Event})
			})
		}
		err := follow(after)
		if errors.Is(err, ErrUnknownPlace) {
			if err = send(message{event: "gap", data: gap{Reason: "unknown"}}); err == nil {
				err = follow(nil)
			}
		}
		return err
	}
}
