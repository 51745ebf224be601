// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"time"

	"tocsin/event"
)

// The kinds of moments, in the order of those at one time.
const (
	MomentEvent     = "event"
	MomentDetection = "detection"
	MomentAct       = "act"
	MomentAlert     = "alert"
)

// MomentKinds lists the kinds.
func MomentKinds() []string {
	return []string{MomentEvent, MomentDetection, MomentAct, MomentAlert}
}

// Moment is one thing in the timeline of an incident: one of the four, which its kind names.
type Moment struct {
	At   event.Stamp `json:"at"`
	Kind string      `json:"kind" enum:"event,detection,act,alert"`
	// Incident is the one whose it is: a part's, if that was merged in.
	Incident  string         `json:"incident"`
	Event     *EventMoment   `json:"event,omitempty"`
	Detection *FiringMoment  `json:"detection,omitempty"`
	Act       *Act           `json:"act,omitempty"`
	Alert     *AlertedMoment `json:"alert,omitempty"`
}

// EventMoment is a piece of evidence, at the time of its event.
type EventMoment struct {
	EventID   string `json:"event_id"`
	Detection string `json:"detection"`
	Step      string `json:"step"`
	Source    string `json:"source"`
	Message   string `json:"message"`
	// Arrival is when it came in; Late says that this was more than the lateness bound after its time.
	Arrival event.Stamp `json:"arrival"`
	Late    bool        `json:"late"`
}

// FiringMoment is a detection, at its first firing point.
type FiringMoment struct {
	ID         string      `json:"id"`
	FirstEvent event.Stamp `json:"first_event"`
	LastEvent  event.Stamp `json:"last_event"`
	EventCount int64       `json:"event_count"`
	Retracted  *Retraction `json:"retracted"`
}

// AlertedMoment is an alert, at the time that it was made.
type AlertedMoment struct {
	Receiver string `json:"receiver"`
	// Kind is what became of the incident: opened, updated, closed, …
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Finished is when it was sent, or given up; Error what the last attempt that failed said.
	Finished event.Stamp `json:"finished"`
	Attempts int         `json:"attempts"`
	Error    string      `json:"error"`
}

// TimelineFilter selects moments.
type TimelineFilter struct {
	// Kinds are alternatives; none is all.
	Kinds []string
	// Lateness is the bound beyond which an event is late.
	Lateness time.Duration
	Limit    int
	Cursor   string
}
