// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tocsin/event"
	"tocsin/incident"
)

const selectDetections = `SELECT id, incident, key, first_event, last_event, event_count, capped, retracted, retracted_event,
  retracted_time, steps FROM (
  SELECT d.*, row_number() OVER (PARTITION BY incident ORDER BY first_event, id) AS nth FROM detections d WHERE incident IN (%s)
) AS t WHERE nth <= ? ORDER BY incident, first_event, id`

const selectRefs = `SELECT detection, event_id, step, time FROM (
  SELECT detection, event_id, step, time, event, row_number() OVER (PARTITION BY detection ORDER BY time, event, step) AS nth
  FROM evidence WHERE detection IN (%s)
) AS t WHERE nth <= ? ORDER BY detection, time, event, step`

// chunk bounds the arguments of one statement.
const chunk = 500

// fillDetections reads the earliest detections of each incident and its parts, and the earliest evidence of each of those.
func fillDetections(ctx context.Context, q Querier, rows []*readIncident, perIncident, perDetection int) error {
	type owner struct{ root, of *readIncident }
	byID := make(map[string][]owner, len(rows)) // a part may be listed itself, too
	ids := make([]any, 0, len(rows))
	for _, r := range rows {
		for _, of := range append([]*readIncident{r}, r.parts...) {
			if byID[string(of.id)] == nil {
				ids = append(ids, of.id)
			}
			byID[string(of.id)] = append(byID[string(of.id)], owner{r, of})
		}
	}
	err := chunked(ctx, q, selectDetections, ids, perIncident, func(scan Scan) error {
		var (
			id, in, key              []byte
			first, last, retractedAt int64
			retracted                bool
			retractedBy, steps       string
			v                        incident.DetectionView
		)
		err := scan(&id, &in, &key, &first, &last, &v.EventCount, &v.Capped, &retracted, &retractedBy, &retractedAt, &steps)
		if err != nil {
			return err
		}
		of := byID[string(in)][0].of
		v.ID, v.Rule, v.Key = formatID(id), incident.RuleView{ID: of.view.Rule.ID}, keyView(of.window, key)
		v.FirstEvent, v.LastEvent = event.Stamp(first), event.Stamp(last)
		if retracted {
			v.Retracted = &incident.Retraction{EventID: retractedBy, Time: retractedAt}
		}
		if err := unlist("steps", steps, &v.Steps); err != nil {
			return err
		}
		if v.Steps == nil {
			v.Steps = map[string]int64{}
		}
		for _, o := range byID[string(in)] {
			o.root.view.Detections = append(o.root.view.Detections, v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: read detections: %w", err)
	}
	places := make(map[string][]*incident.DetectionView)
	var detections []any
	for _, r := range rows {
		ds := r.view.Detections
		if len(r.parts) > 0 {
			slices.SortFunc(ds, func(a, b incident.DetectionView) int {
				return cmp.Or(cmp.Compare(a.FirstEvent, b.FirstEvent), cmp.Compare(a.ID, b.ID))
			})
			ds = ds[:min(len(ds), perIncident)]
			r.view.Detections = ds
		}
		for i := range ds {
			if places[ds[i].ID] == nil {
				id, err := parseID(ds[i].ID)
				if err != nil {
					return err
				}
				detections = append(detections, id)
			}
			ds[i].Evidence = []incident.EvidenceView{}
			places[ds[i].ID] = append(places[ds[i].ID], &ds[i])
		}
	}
	err = chunked(ctx, q, selectRefs, detections, perDetection, func(scan Scan) error {
		var id []byte
		var at int64
		var v incident.EvidenceView
		if err := scan(&id, &v.EventID, &v.Step, &at); err != nil {
			return err
		}
		v.Time = event.Stamp(at)
		for _, d := range places[formatID(id)] {
			d.Evidence = append(d.Evidence, v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: read evidence: %w", err)
	}
	return nil
}

// chunked runs a query whose %s is a list of ids and whose last argument is a limit.
func chunked(ctx context.Context, q Querier, query string, ids []any, limit int, row func(Scan) error) error {
	for len(ids) > 0 {
		n := min(len(ids), chunk)
		args := append(append([]any{}, ids[:n]...), int64(limit))
		if err := q.Query(ctx, fmt.Sprintf(query, in(n)), args, row); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
