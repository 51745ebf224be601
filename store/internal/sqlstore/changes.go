// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tocsin/incident"
)

// A mark is the place of one change in the order of changes: "at.id".
func formatMark(at int64, id []byte) string {
	return strconv.FormatInt(at, 10) + "." + hex.EncodeToString(id)
}

func parseMark(s string) (at int64, id []byte, err error) {
	number, rest, ok := strings.Cut(s, ".")
	if at, err = strconv.ParseInt(number, 10, 64); err == nil && ok {
		id, err = hex.DecodeString(rest)
	}
	if err != nil || !ok || at < 0 || len(id) != 0 && len(id) != 16 {
		return 0, nil, incident.ErrBadCursor
	}
	return at, notNil(id), nil
}

// Changed returns incidents that were written after a mark, in the order of their last change, at most limit.
func (c *Core) Changed(ctx context.Context, after string, limit int) ([]incident.Changed, error) {
	at, id, err := parseMark(after)
	if err != nil {
		return nil, err
	}
	out := []incident.Changed{}
	err = c.db.View(ctx, func(q Querier) error {
		if err := known(ctx, q, "{head}", at); err != nil {
			return err
		}
		var ids []any
		err := q.Query(ctx, "SELECT at, incident FROM incident_changes WHERE (at, incident) > (?, ?) AND at < {head} ORDER BY at, incident LIMIT ?",
			[]any{at, id, int64(limit)}, func(scan Scan) error {
				var at int64
				var id []byte
				err := scan(&at, &id)
				out, ids = append(out, incident.Changed{ID: formatID(id), Mark: formatMark(at, id)}), append(ids, id)
				return err
			})
		if err != nil {
			return err
		}
		wholes, err := wholesOf(ctx, q, ids)
		for i := range out {
			out[i].Whole = wholes[out[i].ID]
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: changes of incidents: %w", err)
	}
	return out, nil
}

// known reports [incident.ErrUnknownMark] of a place that is not below a head.
func known(ctx context.Context, q Querier, head string, at int64) error {
	return q.Query(ctx, "SELECT "+head, nil, func(scan Scan) error {
		var head int64
		err := scan(&head)
		if err == nil && at >= head {
			err = incident.ErrUnknownMark
		}
		return err
	})
}

// LastChange returns the mark of the last change that is known to have none before it that is not known.
func (c *Core) LastChange(ctx context.Context) (string, error) {
	mark, err := c.lastMark(ctx, "SELECT at, incident FROM incident_changes WHERE at < {head} ORDER BY at DESC, incident DESC LIMIT 1")
	if err != nil {
		return "", fmt.Errorf("store: last change of an incident: %w", err)
	}
	return mark, nil
}

// lastMark is the mark that a query has, or the first one.
func (c *Core) lastMark(ctx context.Context, query string) (string, error) {
	mark := formatMark(0, nil)
	err := c.db.Query(ctx, query, nil, func(scan Scan) error {
		var at int64
		var id []byte
		err := scan(&at, &id)
		mark = formatMark(at, id)
		return err
	})
	return mark, err
}
