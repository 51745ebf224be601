// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"tocsin/event"
	"tocsin/incident"
)

const actColumns = "id, incident, at, actor, kind, detail"

// maxActor bounds the name of who acts.
const maxActor = 1 << 10

// keyed is an idempotency key with what was asked under it; both nil if there is no key.
type keyed struct{ key, body []byte }

// newKeyed returns a key of somebody's for what the parts say.
func newKeyed(by, key string, parts ...any) (keyed, error) {
	if key == "" {
		return keyed{}, nil
	}
	body, err := json.Marshal(parts)
	if err != nil {
		return keyed{}, fmt.Errorf("store: encode a request: %w", err)
	}
	k, b := sha256.Sum256([]byte(by+"\x00"+key)), sha256.Sum256(body)
	return keyed{k[:], b[:]}, nil
}

// before returns the act that the key was used for, nil if for none yet.
func (k keyed) before(ctx context.Context, q Querier) (*incident.Act, error) {
	if k.key == nil {
		return nil, nil
	}
	var found *incident.Act
	err := q.Query(ctx, "SELECT body_hash, "+actColumns+" FROM incident_acts WHERE key_hash = ?", []any{k.key}, func(scan Scan) error {
		var body []byte
		a, err := scanAct(func(dest ...any) error { return scan(append([]any{&body}, dest...)...) })
		if err == nil && !bytes.Equal(body, k.body) {
			err = incident.ErrKeyTaken
		}
		found = &a
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// addAct writes an act by the store's clock and completes it. other is the second incident that it is about, nil if none.
func addAct(ctx context.Context, q Querier, a *incident.Act, other []byte, k keyed) error {
	id, err := parseID(a.Incident)
	if err != nil {
		return err
	}
	detail, err := list(a.Detail)
	if err != nil {
		return err
	}
	a.Actor = cut(clean(a.Actor), maxActor)
	written := false
	err = q.Query(ctx, `INSERT INTO incident_acts (incident, other, at, actor, kind, detail, key_hash, body_hash)
VALUES (?, ?, {now}, ?, ?, ?, ?, ?) ON CONFLICT (key_hash) DO NOTHING RETURNING id, at`,
		[]any{id, other, a.Actor, a.Kind, detail, k.key, k.body}, func(scan Scan) error {
			written = true
			var at int64
			err := scan(&a.ID, &at)
			a.At = event.Stamp(at)
			return err
		})
	if err == nil && !written { // for another incident, at the same time
		err = incident.ErrKeyTaken
	}
	return err
}

func scanAct(scan Scan) (incident.Act, error) {
	var a incident.Act
	var id []byte
	var at int64
	var detail string
	if err := scan(&a.ID, &id, &at, &a.Actor, &a.Kind, &detail); err != nil {
		return a, err
	}
	a.Incident, a.At = formatID(id), event.Stamp(at)
	return a, unlist("an act", detail, &a.Detail)
}

// The acts of closings, which are in the log: whoever does the commit again writes them once.
const (
	closeAct = `INSERT INTO incident_acts (incident, at, actor, kind, detail)
SELECT i.id, i.closed_at, i.closed_by, 'close', '{"verdict":"' ||
  CASE WHEN i.verdict IN ('true_positive', 'benign', 'false_positive') THEN i.verdict ELSE '' END || '"}' FROM incidents i `
	addCloseActs     = closeAct + "WHERE i.id IN ({rows}) AND i.closed_at <> 0 ON CONFLICT DO NOTHING"
	addForgottenActs = closedRoots + closeAct + "JOIN roots ON roots.id = i.id WHERE i.closed_at <> 0 ON CONFLICT DO NOTHING"
)
