// SPDX-License-Identifier: Apache-2.0

package incident

import "tocsin/event"

// OCSF returns it as an Incident Finding of the Open Cybersecurity Schema Framework 1.3 (class 2005): times are milliseconds. What has
// no place there is in `unmapped`.
func (x Export) OCSF(version string) map[string]any {
	v := x.Incident
	activity, name := 1, "Create"
	switch {
	case v.Status == Closed:
		activity, name = 3, "Close"
	case v.Revision > 1 || v.Status != New || v.Assignee != nil:
		activity, name = 2, "Update"
	}
	severity, severityName := ocsfSeverity(v.Severity)
	status, statusName := ocsfStatus(v.Status)
	out := map[string]any{
		"category_uid": 2, "category_name": "Findings", "class_uid": 2005, "class_name": "Incident Finding",
		"activity_id": activity, "activity_name": name, "type_uid": 2005*100 + activity, "type_name": "Incident Finding: " + name,
		"time": millis(v.UpdatedAt), "start_time": millis(v.FirstEvent), "end_time": millis(v.LastEvent),
		"severity_id": severity, "severity": severityName,
		"status_id": status, "status": statusName,
		"message": v.Title, "desc": v.Description, "count": v.EventCount,
		"finding_info_list": ocsfFindings(v),
		"metadata": map[string]any{
			"version": "1.3.0", "uid": v.ID, "original_time": v.UpdatedAt.String(),
			"product": map[string]any{"name": "Tocsin", "vendor_name": "Tocsin", "version": version},
		},
		"observables": ocsfObservables(v.Entities),
		"unmapped": map[string]any{
			"rule": v.Rule.ID, "rule_revision": v.Rule.Revision, "key": v.Key, "retracted": v.Retracted, "merged_into": v.MergedInto, "capped": v.Capped,
		},
	}
	// One of the two has to be there.
	if v.Assignee != nil {
		out["assignee"] = map[string]any{"name": *v.Assignee}
	} else {
		out["assignee_group"] = map[string]any{"name": "unassigned"}
	}
	if v.Verdict != nil {
		out["verdict_id"], out["verdict"] = ocsfVerdict(*v.Verdict)
	}
	attacks := make([]any, 0, len(v.Attack.Techniques))
	for _, t := range v.Attack.Techniques {
		attacks = append(attacks, map[string]any{"technique": map[string]any{"uid": t}})
	}
	for _, t := range v.Attack.Tactics {
		attacks = append(attacks, map[string]any{"tactic": map[string]any{"name": t}})
	}
	out["attacks"] = attacks
	for _, m := range x.Timeline { // the last one stays
		if m.Act != nil && m.Act.Kind == ActComment {
			out["comment"] = m.Act.Detail["text"]
		}
	}
	return out
}

func ocsfFindings(v View) []any {
	out := make([]any, 0, len(v.Detections))
	for _, d := range v.Detections {
		events := make([]any, 0, len(d.Evidence))
		for _, e := range d.Evidence {
			events = append(events, map[string]any{"uid": e.EventID, "type": e.Step})
		}
		out = append(out, map[string]any{
			"uid": d.ID, "title": v.Title, "first_seen_time": millis(d.FirstEvent), "last_seen_time": millis(d.LastEvent),
			"analytic":       map[string]any{"uid": d.Rule.ID, "type_id": 1, "type": "Rule"},
			"related_events": events,
		})
	}
	if len(out) == 0 { // it must have one
		out = append(out, map[string]any{"uid": v.ID, "title": v.Title})
	}
	return out
}

func ocsfObservables(entities []Entity) []any {
	out := make([]any, 0, len(entities))
	for _, e := range entities {
		id, kind := 99, "Other"
		switch e.Type {
		case "host":
			id, kind = 1, "Hostname"
		case "ip":
			id, kind = 2, "IP Address"
		case "user":
			id, kind = 4, "User Name"
		}
		out = append(out, map[string]any{"name": e.Type, "type_id": id, "type": kind, "value": e.Name})
	}
	return out
}

func ocsfSeverity(name string) (int, string) {
	switch name {
	case "informational":
		return 1, "Informational"
	case "low":
		return 2, "Low"
	case "medium":
		return 3, "Medium"
	case "high":
		return 4, "High"
	case "critical":
		return 5, "Critical"
	}
	return 0, "Unknown"
}

func ocsfStatus(s Status) (int, string) {
	switch s {
	case New:
		return 1, "New"
	case InProgress:
		return 2, "In Progress"
	case OnHold:
		return 3, "On Hold"
	case Resolved:
		return 4, "Resolved"
	case Closed:
		return 5, "Closed"
	}
	return 0, "Unknown"
}

func ocsfVerdict(v Verdict) (int, string) {
	switch v {
	case FalsePositive:
		return 1, "False Positive"
	case TruePositive:
		return 2, "True Positive"
	case Benign:
		return 5, "Benign"
	}
	return 0, "Unknown"
}

func millis(at event.Stamp) int64 { return int64(at) / 1e6 }
