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

const detectionColumns = `id, incident, key, first_event, last_event, event_count, capped, retracted, retracted_event, retracted_time, steps`

const selectDetections = `SELECT ` + detectionColumns + ` FROM (
  SELECT d.*, row_number() OVER (PARTITION BY incident ORDER BY first_event, id) AS nth FROM detections d WHERE incident IN (%s)
) AS t WHERE nth <= ? ORDER BY incident, first_event, id`

const selectRefs = `SELECT detection, event_id, step, time FROM (
  SELECT detection, event_id, step, time, event, row_number() OVER (PARTITION BY detection ORDER BY time, event, step) AS nth
  FROM evidence WHERE detection IN (%s)
) AS t WHERE nth <= ? ORDER BY detection, time, event, step`

// chunk bounds the arguments of one statement.
const chunk = 512

// padded repeats the last of some ids, up to a power of two: each statement that is planned is kept, and for any number of ids they
// would be many.
func padded(ids []any) []any {
	out := slices.Clone(ids)
	for len(out)&(len(out)-1) != 0 {
		out = append(out, ids[len(ids)-1])
	}
	return out
}

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
	steps := make(decoded[map[string]int64])
	err := chunked(ctx, q, selectDetections, ids, perIncident, func(scan Scan) error {
		d, err := scanDetection(scan, steps)
		if err != nil {
			return err
		}
		v := d.of(byID[string(d.in)][0].of)
		for _, o := range byID[string(d.in)] {
			o.root.view.Detections = append(o.root.view.Detections, v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: read detections: %w", err)
	}
	var all []*incident.DetectionView
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
			all = append(all, &ds[i])
		}
	}
	return fillEvidence(ctx, q, all, perDetection)
}

// readDetection is a detection as it was read; its key's names are its incident's.
type readDetection struct {
	id, in, key []byte
	view        incident.DetectionView
}

// scanDetection reads detectionColumns, and what stands before them.
func scanDetection(scan Scan, seen decoded[map[string]int64], before ...any) (readDetection, error) {
	var (
		d                        readDetection
		first, last, retractedAt int64
		retracted                bool
		retractedBy, steps       string
	)
	v := &d.view
	err := scan(append(before, &d.id, &d.in, &d.key, &first, &last, &v.EventCount, &v.Capped, &retracted, &retractedBy, &retractedAt, &steps)...)
	if err != nil {
		return d, err
	}
	v.ID, v.FirstEvent, v.LastEvent = formatID(d.id), event.Stamp(first), event.Stamp(last)
	if retracted {
		v.Retracted = &incident.Retraction{EventID: retractedBy, Time: retractedAt}
	}
	if v.Steps, err = seen.of("steps", steps); err != nil {
		return d, err
	}
	if v.Steps == nil {
		v.Steps = map[string]int64{}
	}
	return d, nil
}

// of is the detection as one of its incident.
func (d readDetection) of(r *readIncident) incident.DetectionView {
	d.view.Rule, d.view.Key = incident.RuleView{ID: r.view.Rule.ID}, keyView(r.window, d.key)
	return d.view
}

// fillEvidence reads the earliest evidence of each detection.
func fillEvidence(ctx context.Context, q Querier, all []*incident.DetectionView, perDetection int) error {
	places := make(map[string][]*incident.DetectionView)
	var ids []any
	for _, d := range all {
		if places[d.ID] == nil {
			id, err := parseID(d.ID)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		d.Evidence = []incident.EvidenceView{}
		places[d.ID] = append(places[d.ID], d)
	}
	err := chunked(ctx, q, selectRefs, ids, perDetection, func(scan Scan) error {
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
		of := padded(ids[:n])
		if err := q.Query(ctx, fmt.Sprintf(query, in(len(of))), append(of, int64(limit)), row); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
