// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"tocsin/rules"
)

// Status is where an incident stands (OCSF Incident Finding 2005).
type Status string

// The statuses.
const (
	New        Status = "new"
	InProgress Status = "in_progress"
	OnHold     Status = "on_hold"
	Resolved   Status = "resolved"
	Closed     Status = "closed"
)

// Verdict is what a person found an incident to be.
type Verdict string

// The verdicts.
const (
	TruePositive  Verdict = "true_positive"
	Benign        Verdict = "benign"
	FalsePositive Verdict = "false_positive"
)

// Entity is something that an incident is about.
type Entity struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// Evidence is one Event that made a Detection true, at one step. Its bytes
// are frozen when it is committed; its membership is not (F4).
type Evidence struct {
	Detection string
	Step      string
	Event     rules.EventRef
}

// Retraction says which Event contradicted a Detection after it was made (A3).
type Retraction struct {
	EventID string `json:"event_id"`
	Time    int64  `json:"-"`
}

// Detection is a Rule that fired for a key: a maximal run of firing points (F3).
// All values are absolute: a later Detection with the same ID replaces it.
type Detection struct {
	// ID is 32 hexadecimal digits, stable while the detection grows.
	ID string
	// Key is the window's key; its names are the rule's By.
	Key rules.Key
	// First is the start of the earliest tight window, Last the last firing point, FirstFiring
	// the first one; Unix nanoseconds.
	First, Last, FirstFiring int64
	EventCount               int64
	// Steps counts the matches in the interval by pattern name.
	Steps     map[string]int64
	Capped    bool
	Retracted *Retraction
	// Late counts the events in it that arrived more than the lateness bound after their time.
	Late int64
	// Evidence is the whole present evidence, ordered by time, id and step.
	Evidence []Evidence
	// Born is the least arrival of its firing points, Reached the greatest time or arrival of
	// one: they decide which other detections it can be chained with (see [Chain]).
	Born, Reached int64
	// Life is the zero value but where its first event came so late that what it may be a copy of was forgotten.
	Life Life
}

// Life tells a detection from an earlier one of the same first event, which was forgotten when a copy of that event came.
type Life struct {
	// Origin is the ID of the detection as it is in its first life, "" if this is that.
	Origin string
	// Number grows with the time between the event and the arrival of its copy.
	Number int64
}

// Incident is a chain of Detections that an analyst works as one (I1). What
// people write about it (assignee, comments, status but closing) is the store's
// and not here (I4). All values are absolute.
type Incident struct {
	// ID is given when the incident opens and never changes (I5).
	ID string
	// Rule is the revision's rule at the time of the change.
	Rule *rules.Rule
	// Key is the grouping key; its names are those of the rule's By at GroupBy.
	Key rules.Key
	// Title is the rendered `incident.title`.
	Title string
	// FirstEvent and LastEvent bound the intervals of its detections that are not
	// retracted (of all, if all are); OpenedAt is the first firing point; Unix nanoseconds.
	FirstEvent, LastEvent, OpenedAt int64
	// UpdatedAt is the engine's clock at the last change; in replay the last event.
	UpdatedAt int64
	// ClosedAt is the stream's time of a closing, 0 while it is open.
	ClosedAt   int64
	Verdict    Verdict
	ClosedBy   string
	EventCount int64
	Late       int64
	Capped     bool
	// Retracted is true when each of its detections is.
	Retracted bool
	// MergedInto is the ID of the incident that this one was joined into (I3).
	MergedInto string
	// DetectionCount counts its detections; Detections are those that changed.
	DetectionCount int64
	Sources        []string
	Entities       []Entity
	// Revision grows with every change.
	Revision int64
	// Again is true when a detection of it is, or was, of a later life: it may be of nothing but copies of events, which the store can tell.
	Again bool
	// Changed says what became of it since the last commit, for alerts.
	Changed Change
}

// Change is a set of things that became of an incident.
type Change uint8

// The changes.
const (
	Opened Change = 1 << iota
	Grown
	ClosedByPerson
	WasRetracted
	WasMerged
)
