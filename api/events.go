// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

var (
	// ErrBusy says that as much of a kind is under way as the process allows.
	ErrBusy = errors.New("busy")
	// ErrTooMuch says that what was asked for takes longer than a request may.
	ErrTooMuch = errors.New("too much")
	// ErrUnknownPlace says that a log has never come as far as an id says.
	ErrUnknownPlace = errors.New("the log has not come that far")
)

// LogPlace is a place in the log of events: that of the Record Index of the message Seq.
type LogPlace struct {
	Seq   uint64
	Index int
}

// LogSpan is a part of a log, from which pages go back.
type LogSpan struct {
	// Since and Until bound the arrival, Unix nanoseconds; 0 is no bound.
	Since, Until int64
	// Before is where the page before ended, nil for the first.
	Before *LogPlace
}

// span reads times and a cursor; the error, a problem, names the parameter.
func (s *server) span(since, until, cursor string) (LogSpan, error) {
	var out LogSpan
	var err error
	if out.Since, err = moment("since", since, s.Now()); err == nil {
		out.Until, err = moment("until", until, s.Now())
	}
	if err == nil && cursor != "" {
		if out.Before, err = parsePlace(cursor); err != nil {
			err = fmt.Errorf("cursor: %w", err)
		}
	}
	if err != nil {
		return out, problem(http.StatusUnprocessableEntity, err.Error())
	}
	return out, nil
}

func (p LogPlace) String() string { return fmt.Sprintf("%d.%d", p.Seq, p.Index) }

// parsePlace reads what String writes.
func parsePlace(s string) (*LogPlace, error) {
	seq, index, ok := strings.Cut(s, ".")
	p := &LogPlace{}
	var err, err2 error
	p.Seq, err = strconv.ParseUint(seq, 10, 63)
	p.Index, err2 = strconv.Atoi(index)
	if !ok || err != nil || err2 != nil || p.Index < 0 {
		return nil, fmt.Errorf("%q is no place in the log: it is what an answer before gave", s)
	}
	return p, nil
}

// EventFilter says which events are wanted.
type EventFilter struct {
	// Where is nil if all are.
	Where  *rules.Where
	Source string
	Scope  incident.Scope
}

// EventSearch is one page of a search.
type EventSearch struct {
	EventFilter
	LogSpan
	Limit int
}

// EventView is one event of the log.
type EventView struct {
	Time event.Stamp `json:"time"`
	// Arrival is when it was taken.
	Arrival event.Stamp    `json:"arrival"`
	Source  string         `json:"source"`
	EventID string         `json:"event_id"`
	Fields  map[string]any `json:"fields"`
	// Raw is the record verbatim, or a JSON string if it was no JSON. What is followed has none.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// EventPage is what was found, and how far the search came.
type EventPage struct {
	Items []EventView `json:"items"`
	// NextCursor is where to go on, empty if everything that was asked for has been searched.
	NextCursor string `json:"next_cursor"`
	Complete   bool   `json:"complete"`
	// Searched is how many events were looked at, SearchedTo the arrival of the oldest of them.
	Searched   int64       `json:"searched"`
	SearchedTo event.Stamp `json:"searched_to"`
}

// EventPlace is an event on its way, and where what follows it begins.
type EventPlace struct {
	Next  LogPlace
	Event *EventView
	// Lost is how many messages were dropped before they could be read; then Event may be nil.
	Lost uint64
}

// wherein compiles an expression of a query; the error is a problem that says where it is wrong.
func wherein(q string) (*rules.Where, error) {
	if strings.TrimSpace(q) == "" {
		return nil, nil
	}
	w, err := rules.CompileWhere(q)
	if at, ok := errors.AsType[*rules.WhereError](err); ok {
		p := problem(http.StatusUnprocessableEntity, fmt.Sprintf("q: line %d, column %d: %v", at.Line, at.Column, at.Err))
		p.Errors = []*huma.ErrorDetail{{Message: at.Error(), Location: "query.q"}}
		return nil, p
	}
	return w, err
}

// unwell maps an error of what reads the log.
func unwell(err error) error {
	if errors.Is(err, ErrBusy) {
		p := problem(http.StatusServiceUnavailable, "as many of these are under way as this process allows: ask again")
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"1"}})
	}
	if errors.Is(err, ErrTooMuch) {
		return problem(http.StatusUnprocessableEntity, "there is more to look at than a request has time for: run a backtest over less")
	}
	return problem(http.StatusServiceUnavailable, "the stream does not answer")
}

type searchInput struct {
	Q      string `query:"q" doc:"expression of the rule language, as the pattern of a rule; without it every event is found" example:"user.name == \"ana\" and event.outcome == \"failure\""`
	Source string `query:"source" doc:"name that it was posted under, or module" maxLength:"64"`
	Since  string `query:"since" doc:"arrival from here on: RFC 3339, or a span back from now such as 1h; else from the oldest that is kept"`
	Until  string `query:"until" doc:"arrival before this: RFC 3339, or a span back from now"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

func (in *searchInput) query() url.Values {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}}
	for name, v := range map[string]string{"q": in.Q, "source": in.Source, "since": in.Since, "until": in.Until} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

type searchOutput struct {
	Link string `header:"Link"`
	Body EventPage
}

func (s *server) registerEvents(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "search-events", Method: http.MethodGet, Path: "/api/v1/events", Summary: "Events that are kept, by an expression, newest arrival first",
		Description: "A page ends at its limit, at 4 MiB of records, or when it has been searched for two seconds: as long as `complete` is false " +
			"there is a `next_cursor`, even if nothing was found yet. Four searches at a time; further ones are refused with 503 and Retry-After.",
	}, s.searchEvents)
	s.registerStream(h, huma.Operation{
		OperationID: "stream-events", Path: "/api/v1/events/stream", Summary: "Events as they come, as server-sent events",
		Description: "Events of the type `event`; their id is where to go on.",
	})
}

func (s *server) searchEvents(ctx context.Context, in *searchInput) (*searchOutput, error) {
	where, err := wherein(in.Q)
	if err != nil {
		return nil, err
	}
	span, err := s.span(in.Since, in.Until, in.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := s.Backend.SearchEvents(ctx, EventSearch{EventFilter{Where: where, Source: in.Source}, span, in.Limit})
	if err != nil {
		return nil, unwell(err)
	}
	if page.Items == nil {
		page.Items = []EventView{}
	}
	page.Complete = page.NextCursor == ""
	out := &searchOutput{Body: page}
	if page.NextCursor != "" {
		next := in.query()
		next.Set("cursor", page.NextCursor)
		out.Link = "</api/v1/events?" + next.Encode() + `>; rel="next"`
	}
	return out, nil
}
