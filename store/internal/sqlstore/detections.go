// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

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

// fillDetections reads the earliest detections of each incident, and the earliest evidence of each of those.
func fillDetections(ctx context.Context, q Querier, rows []*readIncident, perIncident, perDetection int) error {
	byID := make(map[string]*readIncident, len(rows))
	ids := make([]any, len(rows))
	for i, r := range rows {
		byID[string(r.id)], ids[i] = r, r.id
	}
	type place struct {
		in *readIncident
		at int
	}
	places := make(map[string]place)
	var detections []any
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
		r := byID[string(in)]
		v.ID, v.Rule, v.Key = formatID(id), incident.RuleView{ID: r.view.Rule.ID}, keyView(r.window, key)
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
		v.Evidence = []incident.EvidenceView{}
		places[string(id)] = place{r, len(r.view.Detections)}
		r.view.Detections = append(r.view.Detections, v)
		detections = append(detections, id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: read detections: %w", err)
	}
	err = chunked(ctx, q, selectRefs, detections, perDetection, func(scan Scan) error {
		var id []byte
		var at int64
		var v incident.EvidenceView
		if err := scan(&id, &v.EventID, &v.Step, &at); err != nil {
			return err
		}
		v.Time = event.Stamp(at)
		p := places[string(id)]
		d := &p.in.view.Detections[p.at]
		d.Evidence = append(d.Evidence, v)
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
