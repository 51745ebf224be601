// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/alert"
	"tocsin/api/auth"
	"tocsin/event"
)

// ErrStale says that somebody changed a thing since it was read.
var ErrStale = errors.New("it was changed meanwhile")

// SilenceView is a silence: while it is in force, nobody is told of the incidents that all of its matchers match.
type SilenceView struct {
	ID       string      `json:"id"`
	Matchers []string    `json:"matchers" doc:"as in routes: severity=~\"low|medium\""`
	Comment  string      `json:"comment"`
	Creator  string      `json:"creator"`
	Starts   event.Stamp `json:"starts"`
	Ends     event.Stamp `json:"ends"`
	Created  event.Stamp `json:"created"`
	// Held is how many alerts it holds back now.
	Held int64 `json:"held"`
	// State is pending, active or expired.
	State    string `json:"state" enum:"pending,active,expired"`
	Revision int64  `json:"revision"`
}

// silenceInput asks for a silence.
type silenceInput struct {
	Matchers []string `json:"matchers" minItems:"1" maxItems:"32" doc:"all of which have to match: name=\"value\", with =, !=, =~ or !~"`
	Comment  string   `json:"comment" minLength:"1" maxLength:"4096" doc:"why"`
	Starts   string   `json:"starts,omitempty" doc:"RFC 3339; now if it is left out"`
	Ends     string   `json:"ends" doc:"RFC 3339, or a span after the start such as 4h"`
}

// silenceChange has what is to be changed; what is left out stays.
type silenceChange struct {
	Matchers []string `json:"matchers,omitempty" maxItems:"32"`
	Comment  string   `json:"comment,omitempty" maxLength:"4096"`
	Starts   string   `json:"starts,omitempty" doc:"RFC 3339"`
	Ends     string   `json:"ends,omitempty" doc:"RFC 3339, or a span after the start such as 4h"`
}

type silenceOutput struct {
	ETag string `header:"ETag"`
	Body SilenceView
}

// stated fills in the state by the clock.
func (s *server) stated(v SilenceView) SilenceView {
	now := s.Now().UnixNano()
	switch {
	case int64(v.Ends) <= now:
		v.State = "expired"
	case int64(v.Starts) > now:
		v.State = "pending"
	default:
		v.State = "active"
	}
	return v
}

func (s *server) silence(v SilenceView) *silenceOutput {
	return &silenceOutput{ETag: silenceTag(v), Body: s.stated(v)}
}

func silenceTag(v SilenceView) string { return `"` + strconv.FormatInt(v.Revision, 10) + `"` }

// checked puts what somebody wrote into a silence, and says what is wrong with it.
func (s *server) checked(v SilenceView, in silenceChange) (SilenceView, error) {
	if len(in.Matchers) > 0 {
		v.Matchers = in.Matchers
	}
	if c := strings.TrimSpace(in.Comment); c != "" {
		v.Comment = c
	}
	if in.Starts != "" {
		at, err := time.Parse(time.RFC3339, in.Starts)
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			return v, problem(http.StatusUnprocessableEntity, "starts: write RFC 3339, as in 2026-11-01T08:00:00Z")
		}
		v.Starts = event.Stamp(at.UnixNano())
	}
	if in.Ends != "" {
		ends, err := expiry(in.Ends, time.Unix(0, int64(v.Starts)))
		if err != nil || ends == 0 {
			return v, problem(http.StatusUnprocessableEntity, "ends: write RFC 3339 after the start, or a span such as 4h")
		}
		v.Ends = event.Stamp(ends)
	}
	ms, err := alert.CheckSilence(v.Matchers, v.Comment, time.Unix(0, int64(v.Starts)), time.Unix(0, int64(v.Ends)))
	if err != nil {
		return v, problem(http.StatusUnprocessableEntity, err.Error())
	}
	v.Matchers = ms.Texts()
	return v, nil
}

// unstale checks If-Match.
func unstale(ifMatch string, v SilenceView) error {
	switch ifMatch {
	case "":
		return problem(http.StatusPreconditionRequired, "If-Match is missing: send the ETag that you read it with, so that nobody's change is lost")
	case "*", silenceTag(v):
		return nil
	}
	return problem(http.StatusPreconditionFailed, "somebody changed it since you read it: read it again")
}

func failedSilence(err error) error {
	if errors.Is(err, ErrStale) {
		return problem(http.StatusPreconditionFailed, "somebody changed it since you read it: read it again")
	}
	return failed(err)
}

func (s *server) registerSilences(h huma.API) {
	const path, one = "/api/v1/silences", "/api/v1/silences/{id}"
	huma.Register(h, huma.Operation{
		OperationID: "list-silences", Method: http.MethodGet, Path: path, Summary: "Silences, newest first",
	}, func(ctx context.Context, in *struct {
		All    bool   `query:"all" doc:"also those that are over"`
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor string `query:"cursor"`
	}) (*listOutput[SilenceView], error) {
		items, next, err := s.Backend.Silences(ctx, in.All, in.Limit, in.Cursor)
		if err != nil {
			return nil, failed(err)
		}
		for i := range items {
			items[i] = s.stated(items[i])
		}
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}}
		if in.All {
			q.Set("all", "true")
		}
		return list(items, next, path, q), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "create-silence", Method: http.MethodPost, Path: path, Summary: "Silence the alerts of some incidents for a time",
		Description:   "Incidents go on being made and shown. An alert that is silenced is kept; when the silence ends it is told, if its incident is still open.",
		DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct {
		Body silenceInput
	}) (*silenceOutput, error) {
		v := SilenceView{Creator: auth.Of(ctx).Name, Starts: event.Stamp(s.Now().UnixNano())}
		v, err := s.checked(v, silenceChange(in.Body))
		if err != nil {
			return nil, err
		}
		if int64(v.Ends) <= s.Now().UnixNano() {
			return nil, problem(http.StatusUnprocessableEntity, "ends: that is over already")
		}
		if v, err = s.Backend.AddSilence(ctx, v); err != nil {
			return nil, failed(err)
		}
		return s.silence(v), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-silence", Method: http.MethodGet, Path: one, Summary: "One silence",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*silenceOutput, error) {
		v, err := s.Backend.Silence(ctx, in.ID)
		if err != nil {
			return nil, failed(err)
		}
		return s.silence(v), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "change-silence", Method: http.MethodPatch, Path: one, Summary: "Change a silence; what is left out stays",
	}, func(ctx context.Context, in *struct {
		ID      string `path:"id" pattern:"^[0-9a-f]{32}$"`
		IfMatch string `header:"If-Match" doc:"the ETag that it was read with"`
		Body    silenceChange
	}) (*silenceOutput, error) {
		v, err := s.Backend.Silence(ctx, in.ID)
		if err != nil {
			return nil, failed(err)
		}
		if err := unstale(in.IfMatch, v); err != nil {
			return nil, err
		}
		if v, err = s.checked(v, in.Body); err != nil {
			return nil, err
		}
		if v, err = s.Backend.SetSilence(ctx, v); err != nil {
			return nil, failedSilence(err)
		}
		return s.silence(v), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "expire-silence", Method: http.MethodDelete, Path: one, Summary: "End a silence now; it stays in the list of all",
		DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*struct{}, error) {
		// Who ends it means it as it is by then: a change of somebody else is no reason not to.
		for {
			v, err := s.Backend.Silence(ctx, in.ID)
			if err != nil {
				return nil, failed(err)
			}
			now := event.Stamp(s.Now().UnixNano())
			if v.Ends <= now {
				return nil, nil
			}
			v.Starts, v.Ends = min(v.Starts, now), now
			if _, err = s.Backend.SetSilence(ctx, v); errors.Is(err, ErrStale) {
				continue
			} else if err != nil {
				return nil, failed(err)
			}
			return nil, nil
		}
	})
}
