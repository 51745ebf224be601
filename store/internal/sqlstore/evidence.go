// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/event"
	"tocsin/incident"
)

const selectEvidence = `SELECT e.detection, e.event, e.step, e.time, e.event_id, e.source, e.message, e.fields, e.raw, e.sha256, e.note
FROM evidence e JOIN detections d ON d.id = e.detection WHERE d.incident IN (%s)`

// Evidence returns a page of an incident's evidence, oldest first.
func (c *Core) Evidence(ctx context.Context, id string, limit int, at string) ([]incident.EvidenceItem, string, error) {
	of, err := parseID(id)
	if err != nil {
		return nil, "", incident.ErrNotFound
	}
	hash, err := listHash("evidence", of)
	if err != nil {
		return nil, "", err
	}
	args, err := family(ctx, c.db, of)
	if err != nil {
		return nil, "", err
	}
	query := fmt.Sprintf(selectEvidence, in(len(args)))
	after, err := decodeEvidenceCursor(at, hash)
	if err != nil {
		return nil, "", err
	}
	if after != nil {
		query += " AND (e.time, e.event, e.detection, e.step) > (?, ?, ?, ?)"
		args = append(args, after.at, after.tie[:16], after.tie[16:32], string(after.tie[32:]))
	}
	limit = pageSize(limit)
	query += " ORDER BY e.time, e.event, e.detection, e.step LIMIT ?"

	items, next := []incident.EvidenceItem{}, ""
	var last cursor
	err = c.db.Query(ctx, query, append(args, int64(limit+1)), func(scan Scan) error {
		item, place, err := scanEvidence(scan)
		if err != nil {
			return err
		}
		if len(items) == limit {
			next = encodeCursor(last, hash)
			return nil
		}
		items, last = append(items, item), place
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("store: read evidence: %w", err)
	}
	if len(items) == 0 {
		// Only now does it matter whether there is such an incident at all.
		if _, err := c.Place(ctx, id); err != nil {
			return nil, "", err
		}
	}
	return items, next, nil
}

func scanEvidence(scan Scan) (incident.EvidenceItem, cursor, error) {
	var (
		item                       incident.EvidenceItem
		detection, id, fields, raw []byte
		at                         int64
	)
	err := scan(&detection, &id, &item.Step, &at, &item.EventID, &item.Source, &item.Message, &fields, &raw, &item.SHA256, &item.Note)
	if err != nil {
		return item, cursor{}, err
	}
	item.Time = event.Stamp(at)
	if item.Fields, err = unpackFields(fields); err != nil {
		return item, cursor{}, err
	}
	bytes, err := unpack(raw)
	if err != nil {
		return item, cursor{}, err
	}
	item.Raw = json.RawMessage(bytes)
	tie := append(append(append([]byte{}, id...), detection...), item.Step...)
	return item, cursor{at, tie}, nil
}

// decodeEvidenceCursor accepts a tie of any length that holds two ids and the text of a step.
func decodeEvidenceCursor(s string, of [8]byte) (*cursor, error) {
	c, err := decodeCursor(s, of, -1)
	if err != nil || c == nil {
		return nil, err
	}
	if step := string(c.tie[min(32, len(c.tie)):]); len(c.tie) < 32 || clean(step) != step {
		return nil, incident.ErrBadCursor
	}
	return c, nil
}
