// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"encoding/json"

	"tocsin/event"
	"tocsin/rules"
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
	// Version names this state, of what the engine knows and what people wrote; "" where no store keeps it.
	Version string `json:"-"`
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

// View prints an incident with the given detections, as the engine knows it: what people wrote about it is
// not in it.
func (in Incident) View(detections []Detection) View {
	r := in.Rule
	v := View{
		ID: in.ID, Title: in.Title, Description: r.Description, Runbook: r.Runbook,
		Status: New, Severity: r.Severity.String(),
		Rule:     RuleView{ID: r.ID, Title: r.Title, Revision: r.Revision},
		Key:      keyView(r.By, r.GroupBy, in.Key),
		Entities: nonNil(in.Entities), Sources: nonNil(in.Sources),
		Attack:     AttackView{Tactics: nonNil(r.Tactics), Techniques: nonNil(r.Attack)},
		FirstEvent: event.Stamp(in.FirstEvent), LastEvent: event.Stamp(in.LastEvent),
		OpenedAt: event.Stamp(in.OpenedAt), UpdatedAt: event.Stamp(in.UpdatedAt), ClosedAt: event.Stamp(in.ClosedAt),
		EventCount: in.EventCount, DetectionCount: in.DetectionCount,
		Retracted: in.Retracted, Capped: in.Capped, Late: in.Late, Shadow: r.Shadow, Revision: in.Revision,
		Detections: make([]DetectionView, 0, len(detections)),
	}
	if in.ClosedAt != 0 {
		v.Status = Closed
		verdict := in.Verdict
		v.Verdict = &verdict
	}
	if in.MergedInto != "" {
		v.MergedInto = &in.MergedInto
	}
	for _, d := range detections {
		v.Detections = append(v.Detections, d.View(r))
	}
	return v
}

// View prints a detection of a rule.
func (d Detection) View(r *rules.Rule) DetectionView {
	v := DetectionView{
		ID: d.ID, Rule: RuleView{ID: r.ID}, Key: keyView(r.By, nil, d.Key),
		FirstEvent: event.Stamp(d.First), LastEvent: event.Stamp(d.Last),
		EventCount: d.EventCount, Capped: d.Capped, Retracted: d.Retracted, Steps: d.Steps,
		Evidence: make([]EvidenceView, 0, len(d.Evidence)),
	}
	for _, e := range d.Evidence {
		v.Evidence = append(v.Evidence, EvidenceView{EventID: e.Event.About.EventID(), Step: e.Step, Time: event.Stamp(e.Event.Time)})
	}
	return v
}

// KeyView names the parts of a grouping key; parts that are missing (nil) are left out.
func (in Incident) KeyView() map[string]any { return keyView(in.Rule.By, in.Rule.GroupBy, in.Key) }

// keyView names the parts of a key: those of by at the given places, all of them if places is nil.
func keyView(by []string, places []int, key rules.Key) map[string]any {
	names := by
	if places != nil {
		names = make([]string, 0, len(places))
		for _, i := range places {
			names = append(names, by[i])
		}
	}
	out := make(map[string]any)
	for i, v := range key.Values() {
		if i < len(names) && v != nil {
			out[names[i]] = v
		}
	}
	return out
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
