// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/incident"
	"tocsin/store"
)

// incidentRows returns the rows of a commit's incidents, their ids alone, and their labels.
func incidentRows(c store.Commit) (ids, rows, labels [][]any, err error) {
	last := lastOf(c.Changes.Incidents, func(in incident.Incident) string { return in.ID })
	for i, in := range c.Changes.Incidents {
		if last[in.ID] != i {
			continue
		}
		row, err := incidentRow(c.Partition, in)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("incident %s: %w", cut(in.ID, 64), err)
		}
		ids = append(ids, row[:1])
		rows = append(rows, row)
		for _, l := range labelsOf(in) {
			labels = append(labels, []any{row[0], l[0], l[1], in.LastEvent})
		}
	}
	return ids, rows, labels, nil
}

// pick returns the ids of a commit's incidents that are so; ids that are none were refused before.
func pick(c store.Commit, so func(incident.Incident) bool) [][]any {
	var out [][]any
	for _, in := range c.Changes.Incidents {
		if id, err := parseID(in.ID); err == nil && so(in) {
			out = append(out, []any{id})
		}
	}
	return out
}

// ended are the incidents of a commit that are over; in shadow nobody hears of them.
func ended(c store.Commit) [][]any {
	return pick(c, func(in incident.Incident) bool {
		return !in.Rule.Shadow && (in.ClosedAt != 0 || in.Retracted || in.MergedInto != "")
	})
}

func incidentRow(partition int, in incident.Incident) ([]any, error) {
	r := in.Rule
	if r == nil {
		return nil, errors.New("store: it has no rule")
	}
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	var merged []byte
	if in.MergedInto != "" {
		if merged, err = parseID(in.MergedInto); err != nil {
			return nil, err
		}
	}
	group, window := names(in)
	var lists [6]string
	for i, v := range []any{r.Attack, r.Tactics, group, window, in.Sources, in.Entities} {
		if lists[i], err = list(v); err != nil {
			return nil, err
		}
	}
	return []any{
		id, int64(partition), clean(r.ID), clean(r.Title), clean(r.Revision),
		int64(r.Severity), r.Shadow, clean(in.Title), clean(r.Description), clean(r.Runbook),
		lists[0], lists[1], []byte(in.Key), lists[2], lists[3],
		lists[4], lists[5], in.FirstEvent, in.LastEvent, in.OpenedAt,
		in.UpdatedAt, in.ClosedAt, clean(string(in.Verdict)), clean(in.ClosedBy), in.EventCount,
		in.Late, in.Capped, in.Retracted, merged, in.DetectionCount,
		in.Revision, searchText(in),
	}, nil
}

// labelsOf returns what an incident is found by beside its own columns, each once: entities, and techniques
// with the technique that a sub-technique belongs to.
func labelsOf(in incident.Incident) [][2]string {
	seen := make(map[[2]string]bool)
	var out [][2]string
	add := func(name, value string) {
		if l := [2]string{name, label(value)}; !seen[l] {
			seen[l] = true
			out = append(out, l)
		}
	}
	for _, e := range in.Entities {
		add(entityLabel(e.Type), e.Name)
	}
	for _, t := range in.Rule.Attack {
		t = strings.ToUpper(t)
		add(techniqueLabel, t)
		if parent, _, ok := strings.Cut(t, "."); ok {
			add(techniqueLabel, parent)
		}
	}
	return out
}

const techniqueLabel = "technique"

// placeLabelRows are the labels of a commit's incidents for where the evidence is that it adds to their detections: for these
// [addPlaces] comes to nothing, and an incident is written with all of its labels.
func placeLabelRows(incidents, detections, places [][]any) [][]any {
	last, of := make(map[string]any, len(incidents)), make(map[string][]byte, len(detections))
	for i, c := range incidentsTable().columns {
		if c.Name == "last_event" {
			for _, row := range incidents {
				last[string(row[0].([]byte))] = row[i]
			}
		}
	}
	for _, row := range detections {
		of[string(row[0].([]byte))], _ = row[2].([]byte)
	}
	var out [][]any
	for _, row := range places {
		in := of[string(row[0].([]byte))]
		at, ok := last[string(in)]
		if !ok {
			continue
		}
		cluster, namespace := row[1].(string), row[2].(string)
		for _, l := range [][2]string{{"place", cluster + "/" + namespace}, {"cluster", cluster}, {"namespace", namespace}} {
			out = append(out, []any{in, l[0], l[1], at})
		}
	}
	return out
}

// searchText is what `q` looks through: a line for each thing that people would type.
func searchText(in incident.Incident) string {
	parts := []string{in.Title, in.Rule.ID, in.Rule.Title, in.ID}
	for _, v := range in.Key.Values() {
		parts = append(parts, fmt.Sprint(v))
	}
	for _, e := range in.Entities {
		parts = append(parts, e.Name)
	}
	return cut(fold(strings.Join(parts, "\n")), maxSearch)
}

func fold(s string) string { return strings.ToLower(clean(s)) }
