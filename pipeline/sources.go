// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/event"
	"tocsin/event/value"
)

// maxSources bounds the sources and hosts that are told apart; further hosts of a source are counted under "", and of
// sources, once there are twice as many, all under one without a name.
const maxSources = 10_000

// Sources is what this process has seen of each source and host since it started.
type Sources struct {
	mu sync.Mutex
	by map[sourceKey]*SourceState
}

type sourceKey struct{ input, source, host string }

// SourceState is how one source on one host stands.
type SourceState struct {
	Input, Source, Host string
	// LastSeen is the arrival of its last record, LastEvent the greatest time of its events; Unix nanoseconds.
	LastSeen, LastEvent int64
	Records             int64
	// Errors counts bad records, those whose own time cannot be read, and whatever else went wrong; LastError says what did last.
	// Quarantined are those of them that went to quarantine.
	Errors, Quarantined int64
	LastError           string

	minute        int64 // the minute that now counts
	now, previous int64 // records in it, and in the one before
	minutes       int64 // that are over since the first record, up to an hour
	usual         float64
}

// NewSources returns an empty account.
func NewSources() *Sources { return &Sources{by: make(map[sourceKey]*SourceState)} }

// saw notes an Event.
func (s *Sources) saw(e *event.Event) {
	host, _ := e.Field(event.HostName).Str()
	source, _ := e.Field(event.EventModule).Str()
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of(sourceKey{e.Input, cmp.Or(source, e.Source), host})
	x.Records++
	x.LastEvent = max(x.LastEvent, e.Time)
	x.count(e.Arrival)
	if e.BadTime.Exists() {
		x.Errors++
		x.LastError = untimed(e) + ", it has that of its arrival"
	}
}

// untimed says which time of an Event nobody can read.
func untimed(e *event.Event) string {
	if k := e.BadTime.Kind(); k == value.Array || k == value.Object {
		return "its time is neither a text nor a number"
	}
	return fmt.Sprintf("its time %.64q cannot be read", e.BadTime.Text())
}

// Rejected notes a record that came and is in quarantine.
func (s *Sources) Rejected(rec event.Record, arrival int64, err error) {
	s.failed(rec.Input, rec.Source, err, func(x *SourceState) {
		x.Quarantined++
		x.count(arrival)
	})
}

// Failed notes what went wrong beside records: a request that was refused, a source that this process reads and that does not answer.
func (s *Sources) Failed(input, source string, err error) {
	s.failed(input, source, err, func(*SourceState) {})
}

func (s *Sources) failed(input, source string, err error, also func(*SourceState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of(sourceKey{input, source, ""})
	x.Errors++
	x.LastError = err.Error()
	also(x)
}

func (s *Sources) of(k sourceKey) *SourceState {
	x := s.by[k]
	if x == nil && len(s.by) >= maxSources {
		k.host = ""
		x = s.by[k]
	}
	if x == nil && len(s.by) >= 2*maxSources {
		k = sourceKey{}
		x = s.by[k]
	}
	if x == nil {
		k = sourceKey{strings.Clone(k.input), strings.Clone(k.source), strings.Clone(k.host)} // an event's memory is used again
		x = &SourceState{Input: k.input, Source: k.source, Host: k.host}
		s.by[k] = x
	}
	return x
}

func (x *SourceState) count(arrival int64) {
	x.LastSeen = max(x.LastSeen, arrival)
	x.turn(arrival)
	x.now++
}

// turn begins a new minute if it is time.
func (x *SourceState) turn(at int64) {
	minute := at / int64(time.Minute)
	if x.minute == 0 {
		x.minute = minute
	}
	for ; x.minute < minute && x.minutes < 60; x.minute++ {
		x.minutes++
		x.usual += (float64(x.now) - x.usual) / float64(x.minutes)
		x.previous, x.now = x.now, 0
	}
	if gone := minute - x.minute; gone > 0 { // in one step, however many there were
		x.usual = (x.usual*59 + float64(x.now)) / 60 * math.Pow(59.0/60, float64(gone-1))
		x.minute, x.previous = minute, 0
		if gone == 1 {
			x.previous = x.now
		}
		x.now = 0
	}
}

// Usual is the mean of the records a second over the minutes before the one that now is: of all up to an hour, after that each
// counts the less the longer ago it was, as in a mean of an hour.
func (x SourceState) Usual(at int64) float64 {
	x.turn(at)
	return x.usual / 60
}

// Rate is the records a second over about the last minute, at a time in Unix nanoseconds.
func (x SourceState) Rate(at int64) float64 {
	x.turn(at)
	gone := float64(at%int64(time.Minute)) / float64(time.Minute)
	return (float64(x.previous)*(1-gone) + float64(x.now)) / 60
}

// List returns how all stand, by source, host and input.
func (s *Sources) List() []SourceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SourceState, 0, len(s.by))
	for _, x := range s.by {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b SourceState) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Input, b.Input))
	})
	return out
}
