// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/incident"
)

// QuarantineView is a part of what was sent that could not be read.
type QuarantineView struct {
	ID   string      `json:"id"`
	Time event.Stamp `json:"time"`
	// Input is the token's name, or the source; Source the name that it was posted under.
	Input  string `json:"input"`
	Source string `json:"source"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	// Size is how many bytes are kept; Cut how many came, if that is more.
	Size int `json:"size"`
	Cut  int `json:"cut"`
	// Text is what is kept, in a list the first 1,024 bytes of it; what is no UTF-8 in it is replaced.
	Text string `json:"text"`
	// Raw is all that is kept, byte for byte; a list has none.
	Raw []byte `json:"raw,omitempty"`
}

// QuarantineFilter selects entries of quarantine; an empty field selects all.
type QuarantineFilter struct {
	Source, Reason string
	LogSpan
	Limit int
}

// Released is what became of entries that were to be read again.
type Released struct {
	// Released entries made so many Events.
	Released int `json:"released"`
	Events   int `json:"events"`
	// Refused counts those that cannot be read now either, by reason.
	Refused map[string]int `json:"refused"`
	// NextCursor is where to go on, empty if all were tried.
	NextCursor string `json:"next_cursor"`
}

// UnreadableError says why an entry of quarantine stays there.
type UnreadableError struct{ Why string }

func (e *UnreadableError) Error() string { return e.Why }

type quarantineInput struct {
	Source string `query:"source" maxLength:"64" doc:"name that it was posted under"`
	Reason string `query:"reason" maxLength:"64" doc:"why it could not be read, such as malformed_json"`
	Since  string `query:"since" doc:"came from here on: RFC 3339, or a span back from now such as 24h"`
	Until  string `query:"until" doc:"came before this"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

func (s *server) quarantineFilter(in quarantineInput) (QuarantineFilter, error) {
	span, err := s.span(in.Since, in.Until, in.Cursor)
	return QuarantineFilter{in.Source, in.Reason, span, in.Limit}, err
}

type quarantineID struct {
	ID string `path:"id" pattern:"^[0-9]{1,19}\\.[0-9]{1,9}$" doc:"id of an entry"`
}

func (s *server) registerQuarantine(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-quarantine", Method: http.MethodGet, Path: "/api/v1/quarantine", Summary: "What could not be read, newest first",
		Description: "A page looks at 500 messages at the most: with a filter it may hold little while there is a next_cursor.",
	}, func(ctx context.Context, in *quarantineInput) (*listOutput[QuarantineView], error) {
		f, err := s.quarantineFilter(*in)
		if err != nil {
			return nil, err
		}
		items, next, err := s.Backend.Quarantine(ctx, f)
		if err != nil {
			return nil, unwell(err)
		}
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}}
		for name, v := range map[string]string{"source": in.Source, "reason": in.Reason, "since": in.Since, "until": in.Until} {
			if v != "" {
				q.Set(name, v)
			}
		}
		return list(items, next, "/api/v1/quarantine", q), nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-quarantine", Method: http.MethodGet, Path: "/api/v1/quarantine/{id}", Summary: "One of them, whole",
	}, func(ctx context.Context, in *quarantineID) (*one[QuarantineView], error) {
		v, err := s.Backend.QuarantineEntry(ctx, in.place())
		if err != nil {
			return nil, stayed(err)
		}
		return &one[QuarantineView]{v}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "release-quarantine", Method: http.MethodPost, Path: "/api/v1/quarantine/{id}/release", Summary: "Read it again, and take it in if that goes well",
		Description: "It becomes the events that it would have been when it came, with their ids: releasing it twice within a quarter of an hour is releasing it once. 422 says why it cannot be read.",
	}, func(ctx context.Context, in *quarantineID) (*one[Released], error) {
		n, err := s.Backend.ReleaseQuarantine(ctx, in.place())
		if err != nil {
			return nil, stayed(err)
		}
		return &one[Released]{Released{Released: 1, Events: n, Refused: map[string]int{}}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "release-all-quarantine", Method: http.MethodPost, Path: "/api/v1/quarantine/release", Summary: "Read all of a source or reason again",
		Description: "Newest first, a thousand at a time: as long as there is a next_cursor there may be more. One such act at a time; another is refused with 503.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Source string `json:"source,omitempty" maxLength:"64"`
			Reason string `json:"reason,omitempty" maxLength:"64"`
			Since  string `json:"since,omitempty" maxLength:"64"`
			Until  string `json:"until,omitempty" maxLength:"64"`
			Cursor string `json:"cursor,omitempty" maxLength:"64"`
		}
	}) (*one[Released], error) {
		b := in.Body
		f, err := s.quarantineFilter(quarantineInput{Source: b.Source, Reason: b.Reason, Since: b.Since, Until: b.Until, Cursor: b.Cursor})
		if err != nil {
			return nil, err
		}
		out, err := s.Backend.ReleaseAllQuarantine(ctx, f)
		if err != nil {
			return nil, unwell(err)
		}
		return &one[Released]{out}, nil
	})
}

// place is that of an id whose form was checked; a number that is too large is nobody's.
func (in *quarantineID) place() LogPlace {
	p, err := parsePlace(in.ID)
	if err != nil {
		return LogPlace{}
	}
	return *p
}

// stayed maps an error of one entry.
func stayed(err error) error {
	if e, ok := errors.AsType[*UnreadableError](err); ok {
		return problem(http.StatusUnprocessableEntity, "it cannot be read now either: "+e.Why)
	}
	if errors.Is(err, incident.ErrNotFound) {
		return failed(err)
	}
	return unwell(err)
}
