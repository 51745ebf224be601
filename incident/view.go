// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"encoding/json"

	"tocsin/event"
)

// View is an incident as `replay`, the API and alerts print it (architecture.md,
// "Names that others rely on").
type View struct {
	ID             string          `json:"id"`
	Title          string          `json:"title"`
	Description    string          `json:"description"`
	Runbook        string          `json:"runbook"`
	Status         Status          `json:"status"`
	Verdict        *Verdict        `json:"verdict"`
	Severity       string          `json:"severity"`
	Rule           RuleView        `json:"rule"`
	Key            map[string]any  `json:"key"`
	Entities       []Entity        `json:"entities"`
	Attack         AttackView      `json:"attack"`
	Sources        []string        `json:"sources"`
	FirstEvent     event.Stamp     `json:"first_event"`
	LastEvent      event.Stamp     `json:"last_event"`
	OpenedAt       event.Stamp     `json:"opened_at"`
	UpdatedAt      event.Stamp     `json:"updated_at"`
	ClosedAt       event.Stamp     `json:"closed_at"`
	EventCount     int64           `json:"event_count"`
	DetectionCount int64           `json:"detection_count"`
	Detections     []DetectionView `json:"detections"`
	MergedInto     *string         `json:"merged_into"`
	Retracted      bool            `json:"retracted"`
	Capped         bool            `json:"capped"`
	Late           int64           `json:"late"`
	Shadow         bool            `json:"shadow"`
	Assignee       *string         `json:"assignee"`
	Revision       int64           `json:"revision"`
}

// RuleView names the rule of an incident or a detection.
type RuleView struct {
	ID       string `json:"id"`
	Title    string `json:"title,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// AttackView lists ATT&CK tactics and techniques.
type AttackView struct {
	Tactics    []string `json:"tactics"`
	Techniques []string `json:"techniques"`
}

// DetectionView is a detection inside an incident's View.
type DetectionView struct {
	ID         string           `json:"id"`
	Rule       RuleView         `json:"rule"`
	Key        map[string]any   `json:"key"`
	FirstEvent event.Stamp      `json:"first_event"`
	LastEvent  event.Stamp      `json:"last_event"`
	EventCount int64            `json:"event_count"`
	Capped     bool             `json:"capped"`
	Retracted  *Retraction      `json:"retracted"`
	Steps      map[string]int64 `json:"steps"`
	Evidence   []EvidenceView   `json:"evidence"`
}

// EvidenceView names one piece of evidence inside a DetectionView.
type EvidenceView struct {
	EventID string      `json:"event_id"`
	Step    string      `json:"step"`
	Time    event.Stamp `json:"time"`
}

// EvidenceItem is one piece of evidence with its bytes, as
// /api/v1/incidents/{id}/evidence lists them.
type EvidenceItem struct {
	EventID string         `json:"event_id"`
	Step    string         `json:"step"`
	Time    event.Stamp    `json:"time"`
	Source  string         `json:"source"`
	Message string         `json:"message"`
	Fields  map[string]any `json:"fields"`
	// Raw is the Record verbatim, a JSON string if it was no JSON, or null if retention
	// had dropped it before it was frozen.
	Raw    json.RawMessage `json:"raw"`
	SHA256 string          `json:"sha256"`
	// Note says why Raw is null.
	Note string `json:"note,omitempty"`
}
