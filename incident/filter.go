// SPDX-License-Identifier: Apache-2.0

package incident

import "errors"

var (
	// ErrNotFound says that there is no such incident.
	ErrNotFound = errors.New("incident: not found")
	// ErrBadCursor says that a cursor is malformed or belongs to another list.
	ErrBadCursor = errors.New("incident: bad cursor")
	// ErrUnknownMark says that no change has come as far as a mark: it is of another store.
	ErrUnknownMark = errors.New("incident: no change has come that far")
)

// Changed is an incident that was written, and the mark of that: where to read on.
type Changed struct {
	ID, Mark string
	// Whole is the incident that it is shown with, "" if by itself: what is shown of that one has changed, too.
	Whole string
}

// ChangedDetection is a detection that was written, and the mark of that.
type ChangedDetection struct {
	Mark string
	// Incident is the incident that it is shown with, "" if it has none yet.
	Incident  string
	Detection DetectionView
}

// Filter selects incidents; an empty field selects all.
type Filter struct {
	// Status and Severity are alternatives, by name.
	Status, Severity []string
	// Rule is the rule's ID.
	Rule string
	// EntityType and EntityName are the two halves of `entity=type:name`; either may stand alone.
	EntityType, EntityName string
	// Technique is an ATT&CK technique; T1059 selects its sub-techniques too.
	Technique string
	// Since and Until bound the activity, Unix nanoseconds: an incident is selected if its last
	// event is not before Since and its first not after Until.
	Since, Until int64
	// Query is text that the title, the rule, an entity, the key or the id contains, case folded.
	Query string
	// Incidents that were merged into another or retracted are left out unless included.
	IncludeMerged, IncludeRetracted bool
	// IDs are the only ones that are selected, if there are any.
	IDs []string
	// Scope bounds what is selected to what somebody may see.
	Scope Scope
	// Limit is the size of a page (50 if it is 0, at most 500), Cursor where it begins.
	Limit  int
	Cursor string
}
