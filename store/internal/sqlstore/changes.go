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

// order is that of the changes of one kind: the columns of their place, at and id, of what is among them, and what is above each place
// before which nothing comes any more.
type order struct{ of, at, id, among, head string }

// after reads columns of the changes after a mark, at most limit; the place at comes before them.
func (o order) after(ctx context.Context, q Querier, mark string, limit int, columns string, row func(Scan) error) error {
	at, id, err := parseMark(mark)
	if err != nil {
		return err
	}
	if err := known(ctx, q, o.head, at); err != nil {
		return err
	}
	return q.Query(ctx, fmt.Sprintf("SELECT %[1]s, %[3]s FROM %[4]s (%[1]s, %[2]s) > (?, ?) AND %[1]s < %[5]s ORDER BY %[1]s, %[2]s LIMIT ?",
		o.at, o.id, columns, o.among, o.head), []any{at, id, int64(limit)}, row)
}

// last returns the mark of the last change that is known to have none before it that is not known, or the first mark.
func (o order) last(ctx context.Context, db DB) (string, error) {
	mark := formatMark(0, nil)
	query := fmt.Sprintf("SELECT %[1]s, %[2]s FROM %[3]s %[1]s < %[4]s ORDER BY %[1]s DESC, %[2]s DESC LIMIT 1", o.at, o.id, o.among, o.head)
	err := db.Query(ctx, query, nil, func(scan Scan) error {
		var at int64
		var id []byte
		err := scan(&at, &id)
		mark = formatMark(at, id)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store: last change of %s: %w", o.of, err)
	}
	return mark, nil
}

func incidentOrder() order {
	return order{"incidents", "at", "incident", "incident_changes WHERE", "{head}"}
}

// Changed returns incidents that were written after a mark, in the order of their last change, at most limit.
func (c *Core) Changed(ctx context.Context, after string, limit int) ([]incident.Changed, error) {
	o, out := incidentOrder(), []incident.Changed{}
	err := c.db.View(ctx, func(q Querier) error {
		var ids []any
		err := o.after(ctx, q, after, limit, "incident", func(scan Scan) error {
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
		return nil, fmt.Errorf("store: changes of %s: %w", o.of, err)
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

// LastChange returns the mark of the last change of an incident.
func (c *Core) LastChange(ctx context.Context) (string, error) {
	return incidentOrder().last(ctx, c.db)
}
