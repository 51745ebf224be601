// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"tocsin/incident"
	"tocsin/store"
)

const silenceColumns = "seq, id, matchers, comment, creator, starts, ends, created, revision"

func scanSilence(scan Scan) (seq int64, s store.Silence, err error) {
	var id []byte
	var matchers string
	if err := scan(&seq, &id, &matchers, &s.Comment, &s.Creator, &s.Starts, &s.Ends, &s.Created, &s.Revision); err != nil {
		return 0, s, err
	}
	s.ID = formatID(id)
	return seq, s, unlist("matchers", matchers, &s.Matchers)
}

// AddSilence keeps a silence.
func (c *Core) AddSilence(ctx context.Context, s store.Silence) (store.Silence, error) {
	matchers, err := list(cleanAll(s.Matchers))
	if err != nil {
		return store.Silence{}, err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return c.writeSilence(ctx, `INSERT INTO silences (id, matchers, comment, creator, starts, ends, created, revision)
VALUES (?, ?, ?, ?, ?, ?, {now}, 1) RETURNING `+silenceColumns, id[:], matchers, clean(s.Comment), clean(s.Creator), s.Starts, s.Ends)
}

// writeSilence runs a statement that returns the silence, and lets what is silenced be looked at again: another silence may hold it.
func (c *Core) writeSilence(ctx context.Context, query string, args ...any) (store.Silence, error) {
	var out *store.Silence
	err := c.db.Tx(ctx, func(q Writer) error {
		out = nil
		err := q.Query(ctx, query, args, func(scan Scan) error {
			_, s, err := scanSilence(scan)
			out = &s
			return err
		})
		if err != nil || out == nil {
			return err
		}
		return q.Query(ctx, "UPDATE outbox SET not_before = {now} WHERE state = 'silenced' AND finished = 0 AND silenced_by = ?", []any{bySilence + out.ID}, nil)
	})
	if err != nil {
		return store.Silence{}, fmt.Errorf("store: write a silence: %w", err)
	}
	if out == nil {
		return store.Silence{}, incident.ErrNotFound
	}
	return *out, nil
}

// bySilence and its id is what silenced an alert.
const bySilence = "silence "

// SilencedAlerts returns how many alerts each silence holds back now, by its id.
func (c *Core) SilencedAlerts(ctx context.Context) (map[string]int64, error) {
	out := make(map[string]int64)
	err := c.db.Query(ctx, "SELECT silenced_by, count(*) FROM outbox WHERE state = 'silenced' AND finished = 0 AND silenced_by LIKE ? GROUP BY silenced_by",
		[]any{bySilence + "%"}, func(scan Scan) error {
			var by string
			var n int64
			err := scan(&by, &n)
			out[strings.TrimPrefix(by, bySilence)] = n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("store: count what is silenced: %w", err)
	}
	return out, nil
}

// Silence returns one silence.
func (c *Core) Silence(ctx context.Context, id string) (store.Silence, error) {
	b, err := parseID(id)
	if err != nil {
		return store.Silence{}, incident.ErrNotFound
	}
	var out *store.Silence
	err = c.db.Query(ctx, "SELECT "+silenceColumns+" FROM silences WHERE id = ?", []any{b}, func(scan Scan) error {
		_, s, err := scanSilence(scan)
		out = &s
		return err
	})
	if err != nil {
		return store.Silence{}, fmt.Errorf("store: read a silence: %w", err)
	}
	if out == nil {
		return store.Silence{}, incident.ErrNotFound
	}
	return *out, nil
}

// SetSilence replaces a silence that nobody changed since it was read.
func (c *Core) SetSilence(ctx context.Context, s store.Silence) (store.Silence, error) {
	if _, err := c.Silence(ctx, s.ID); err != nil {
		return store.Silence{}, err
	}
	b, err := parseID(s.ID)
	if err != nil {
		return store.Silence{}, incident.ErrNotFound
	}
	matchers, err := list(cleanAll(s.Matchers))
	if err != nil {
		return store.Silence{}, err
	}
	out, err := c.writeSilence(ctx, `UPDATE silences SET matchers = ?, comment = ?, starts = ?, ends = ?, revision = revision + 1
WHERE id = ? AND revision = ? RETURNING `+silenceColumns, matchers, clean(s.Comment), s.Starts, s.Ends, b, s.Revision)
	if errors.Is(err, incident.ErrNotFound) {
		return store.Silence{}, store.ErrStale // it was there a moment ago
	}
	return out, err
}

// Silences returns a page of silences, newest first.
func (c *Core) Silences(ctx context.Context, all bool, limit int, at string) ([]store.Silence, string, error) {
	var w where
	if !all {
		w.and("ends > {now}")
	}
	list := newest[store.Silence]{name: "silences", by: all, table: "silences", columns: silenceColumns, grows: "seq", where: w, scan: scanSilence}
	return list.page(ctx, c.db, limit, at)
}

// ActiveSilences returns the silences that are in force.
func (c *Core) ActiveSilences(ctx context.Context) ([]store.Silence, error) {
	var out []store.Silence
	err := c.db.Query(ctx, "SELECT "+silenceColumns+" FROM silences WHERE starts <= {now} AND ends > {now} ORDER BY seq", nil, func(scan Scan) error {
		_, s, err := scanSilence(scan)
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: read silences: %w", err)
	}
	return out, nil
}
