// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/stream"
)

// Bounds of one page of a search, and of how many are under way.
const (
	// searchFor is how long a page is looked for; what has been begun by then is finished.
	searchFor = 2 * time.Second
	// searchBytes are those of the records that a page has; one that is larger alone is a page.
	searchBytes = 4 << 20
	// A part of the log is read forward and shown backward: so many messages at the most, and about so many records.
	// One that takes longer than partFor, since its expression costs much, is left and read in smaller ones.
	maxPart     = 4096
	partRecords = 20_000
	partFor     = time.Second
	maxSearches = 4
	// searchAtMost is when a search that has no answer from NATS gives up, and its place to others.
	searchAtMost = 30 * time.Second
)

// ErrTooMuch says that what was found takes too long to look at.
var ErrTooMuch = errors.New("there is more to look at than there is time for")

// ErrBusy says that as much is under way as may be: ask again.
var ErrBusy = errors.New("as many searches as this process allows are under way")

var errSlowPart = errors.New("a part of the log takes too long")

// searchStreams is what looking through EVENTS needs.
type searchStreams interface {
	Span(ctx context.Context, since, until int64) (stream.Span, error)
	ReadEvents(ctx context.Context, span stream.Span, fn func(stream.Taken) error) error
}

// Searcher looks through what EVENTS keeps, the newest first.
type Searcher struct {
	streams searchStreams
	parser  Parser
	slots   chan struct{}
}

// NewSearcher returns a searcher.
func NewSearcher(streams searchStreams, parser Parser) *Searcher {
	return &Searcher{streams, parser, make(chan struct{}, maxSearches)}
}

// hold takes a slot, ErrBusy if there is none, and returns what gives it back.
func (s *Searcher) hold() (func(), error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	default:
		return nil, ErrBusy
	}
}

// Selection says which events are looked for.
type Selection struct {
	// Where is what holds of them; nil is true of all.
	Where *rules.Where
	// Source is the name that they came under, or their module; "" is all.
	Source string
	Scope  incident.Scope
}

// Has reports whether an event is one that is looked for.
func (s *Selection) Has(e *event.Event) bool {
	if s.Source != "" && s.Source != e.Source {
		if module, _ := e.Field(event.EventModule).Str(); module != s.Source {
			return false
		}
	}
	return s.Scope.Has(placeOf(e)) && (s.Where == nil || s.Where.Holds(e))
}

// placeOf is [incident.PlaceOf] of an event that is not printed.
func placeOf(e *event.Event) incident.Place {
	cluster, _ := e.Field(event.ClusterName).Str()
	namespace, _ := e.Field(event.NamespaceName).Str()
	return incident.Place{Cluster: cluster, Namespace: namespace}
}

// LogPlace is where a Record is in EVENTS.
type LogPlace struct {
	Seq   uint64
	Index int
}

// Query is one page of a search.
type Query struct {
	Selection
	// Since and Until bound the arrival, Unix nanoseconds: Since is within, Until without; 0 is no bound.
	Since, Until int64
	// Before is where the page before ended: only what came before it is looked at.
	Before *LogPlace
	Limit  int
}

// Found is one event that was looked for.
type Found struct {
	LogPlace
	Event *event.Event
}

// Page is what was found.
type Page struct {
	Found []Found
	// Next is where what follows begins; nil if nothing does.
	Next *LogPlace
	// SearchedTo is the arrival of the last Records that were looked at, 0 if there were none; Searched is how many.
	SearchedTo int64
	Searched   int64
}

// Search returns one page, the newest first. It ends at its limit, at a bound of its bytes, or when its time is over: then
// Next says where to go on, whatever was found. The error may be ErrBusy.
func (s *Searcher) Search(ctx context.Context, q Query) (Page, error) {
	release, err := s.hold()
	if err != nil {
		return Page{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, searchAtMost)
	defer cancel()
	span, err := s.streams.Span(ctx, q.Since, q.Until)
	if err != nil {
		return Page{}, err
	}
	return s.page(ctx, q, span, time.Now().Add(searchFor))
}

func (s *Searcher) page(ctx context.Context, q Query, span stream.Span, end time.Time) (Page, error) {
	x := &searching{Query: q, parser: s.parser, event: new(event.Event), left: searchBytes}
	if q.Before != nil && q.Before.Seq <= span.Last {
		if span.Last = q.Before.Seq; q.Before.Index == 0 && span.Last > 0 {
			span.Last--
		}
	}
	full := false
	left, err := s.backward(ctx, span, x.take, x.reset, func() bool {
		full = x.turn()
		return full || time.Now().After(end)
	})
	if err != nil {
		return Page{}, err
	}
	if !full && left >= span.First {
		x.out.Next = &LogPlace{Seq: left + 1}
	}
	return x.out, nil
}

// backward reads a span part by part, the newest part first and each in its own order, until the parts are enough. It returns the
// last sequence that was not read, one before the span's first if all were. reset forgets a part that was begun.
func (s *Searcher) backward(ctx context.Context, span stream.Span, read func(stream.Taken) error, reset func(), enough func() bool) (uint64, error) {
	hi := span.Last
	for size := uint64(16); hi >= span.First; {
		part := stream.Span{First: span.First, Last: hi}
		if hi-span.First >= size {
			part.First = hi - size + 1
		}
		records, begun := uint64(1), time.Now()
		err := s.streams.ReadEvents(ctx, part, func(m stream.Taken) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if part.First < part.Last && time.Since(begun) > partFor {
				return errSlowPart
			}
			records += uint64(len(m.Records))
			return read(m)
		})
		if errors.Is(err, errSlowPart) {
			reset()
			size = max((part.Last-part.First+1)/8, 1)
			continue
		}
		if err != nil {
			return hi, err
		}
		hi = part.First - 1
		if enough() {
			return hi, nil
		}
		size = min(2*size, max(size*partRecords/records, 1), maxPart)
	}
	return hi, nil
}

// searching is one page on its way.
type searching struct {
	Query
	parser Parser
	event  *event.Event // memory
	out    Page
	left   int // bytes
	// part are what was found in the part that is being read, oldest first; dropped says that older ones had no room.
	part    []candidate
	bytes   int
	dropped bool
	// oldest is the arrival of the part's first Records, searched how many it has.
	oldest, searched int64
}

type candidate struct {
	at      LogPlace
	rec     event.Record
	arrival int64
}

func (x *searching) take(m stream.Taken) error {
	if x.oldest == 0 {
		x.oldest = m.Time
	}
	for i, rec := range m.Records {
		if x.Before != nil && m.Seq == x.Before.Seq && i >= x.Before.Index {
			break
		}
		x.searched++
		if x.parser.ParseInto(x.event, rec, m.Time) != nil || !x.Has(x.event) {
			continue // what cannot be read is in quarantine
		}
		rec.Raw = bytes.Clone(rec.Raw) // else one record keeps its whole message in memory
		x.part = append(x.part, candidate{LogPlace{m.Seq, i}, rec, m.Time})
		x.bytes += len(rec.Raw)
		for len(x.part) > 1 && (len(x.part) > x.Limit-len(x.out.Found) || x.bytes > x.left) {
			x.bytes -= len(x.part[0].rec.Raw)
			x.part[0] = candidate{}
			x.part, x.dropped = x.part[1:], true
		}
	}
	return nil
}

// turn adds what the part has to the page, newest first, and reports whether the page is full.
func (x *searching) turn() bool {
	var last *candidate
	for i := range slices.Backward(x.part) {
		c := &x.part[i]
		e, err := x.parser.Parse(c.rec, c.arrival)
		if err != nil {
			continue // a parser is a function: it has read this one
		}
		x.out.Found = append(x.out.Found, Found{c.at, e})
		x.left -= len(c.rec.Raw)
		last = c
	}
	if x.oldest != 0 {
		x.out.SearchedTo = x.oldest
	}
	full := x.dropped || len(x.out.Found) >= x.Limit || x.left <= 0
	if full && last != nil {
		x.out.Next, x.out.SearchedTo = &last.at, last.arrival
	}
	x.out.Searched += x.searched
	x.reset()
	return full
}

// reset forgets the part.
func (x *searching) reset() { x.part, x.bytes, x.dropped, x.oldest, x.searched = nil, 0, false, 0, 0 }
