// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/incident"
)

func detectionOrder() order {
	return order{"detections", "changed", "id", "detections WHERE changed > 0 AND", "{newest}"}
}

// ChangedDetections returns detections that were written after a mark, in the order of their last change, at most limit, with their
// earliest evidence.
func (c *Core) ChangedDetections(ctx context.Context, after string, limit int) ([]incident.ChangedDetection, error) {
	o := detectionOrder()
	var out []incident.ChangedDetection
	err := c.db.View(ctx, func(q Querier) error {
		var read []readDetection
		var ids []any
		steps := make(decoded[map[string]int64])
		err := o.after(ctx, q, after, limit, detectionColumns, func(scan Scan) error {
			var at int64
			d, err := scanDetection(scan, steps, &at)
			read, out = append(read, d), append(out, incident.ChangedDetection{Mark: formatMark(at, d.id)})
			if len(d.in) > 0 {
				ids = append(ids, d.in)
			}
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		return fillChanged(ctx, q, out, read, ids)
	})
	if err != nil {
		return nil, fmt.Errorf("store: changes of %s: %w", o.of, err)
	}
	return out, nil
}

// fillChanged reads what the detections of some incidents need of these, and their evidence.
func fillChanged(ctx context.Context, q Querier, out []incident.ChangedDetection, read []readDetection, ids []any) error {
	rows, err := incidents(ctx, q, "SELECT "+incidentColumns+" FROM incidents i WHERE i.id IN ("+in(len(ids))+
		") AND NOT EXISTS (SELECT 1 FROM repeats p WHERE p.incident = i.id)", ids)
	if err != nil {
		return err
	}
	of := make(map[string]*readIncident, len(rows))
	for _, r := range rows {
		of[string(r.id)] = r
	}
	wholes, err := wholesOf(ctx, q, ids)
	if err != nil {
		return err
	}
	var filled []*incident.DetectionView
	for i, d := range read {
		r := of[string(d.in)]
		if r == nil {
			continue // nobody shows it yet, or it is made again
		}
		x := &out[i]
		x.Incident, x.Detection = r.view.ID, d.of(r)
		if whole := wholes[x.Incident]; whole != "" {
			x.Incident = whole
		}
		filled = append(filled, &x.Detection)
	}
	return fillEvidence(ctx, q, filled, listEvidence)
}

// LastDetection returns the mark of the last change of a detection.
func (c *Core) LastDetection(ctx context.Context) (string, error) {
	return detectionOrder().last(ctx, c.db)
}
