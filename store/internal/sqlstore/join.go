// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"context"
	"fmt"

	"tocsin/incident"
	"tocsin/store"
)

// Merge shows an incident with another, or with the one that the other was merged into.
func (c *Core) Merge(ctx context.Context, id, into, by string) (incident.Done, error) {
	return c.join(ctx, id, func(q Querier, part []byte) (incident.Done, error) {
		to, err := parseID(into)
		if err != nil {
			return incident.Done{}, incident.ErrNotFound
		}
		return merge(ctx, q, part, to, by)
	})
}

// Unmerge shows an incident by itself again.
func (c *Core) Unmerge(ctx context.Context, id, by string) (incident.Done, error) {
	return c.join(ctx, id, func(q Querier, part []byte) (incident.Done, error) { return unmerge(ctx, q, part, by) })
}

// join runs fn while nobody else merges.
func (c *Core) join(ctx context.Context, id string, fn func(q Querier, part []byte) (incident.Done, error)) (incident.Done, error) {
	part, err := parseID(id)
	if err != nil {
		return incident.Done{}, incident.ErrNotFound
	}
	var done incident.Done
	err = c.write(ctx, func(q Writer) error {
		if err := q.Query(ctx, "UPDATE joining SET turns = turns + 1", nil, nil); err != nil {
			return err
		}
		var err error
		done, err = fn(q, part)
		return err
	})
	if err != nil {
		return incident.Done{}, fmt.Errorf("store: merge incident %s: %w", id, err)
	}
	return done, nil
}

// root returns what an incident is shown with at last: itself, if it was joined into none.
func root(ctx context.Context, q Querier, id []byte) ([]byte, error) {
	for range maxDepth {
		found := false
		var into []byte
		err := q.Query(ctx, "SELECT coalesce(merged_into, joined_into) FROM incidents WHERE id = ?", []any{id}, func(scan Scan) error {
			found = true
			return scan(&into)
		})
		switch {
		case err != nil:
			return nil, err
		case !found:
			return nil, incident.ErrNotFound
		case into == nil:
			return id, nil
		}
		id = into
	}
	return nil, &incident.JoinError{Why: fmt.Sprintf("more than %d incidents are merged one into the other", maxDepth)}
}

// lockBoth locks two incidents, in the order in which commits do.
func lockBoth(ctx context.Context, q Querier, a, b []byte) error {
	return q.Query(ctx, "SELECT 1 FROM incidents WHERE id IN (?, ?) ORDER BY id {lock}", []any{a, b}, nil)
}

func merge(ctx context.Context, q Querier, part, into []byte, by string) (incident.Done, error) {
	var done incident.Done
	to, err := root(ctx, q, into)
	if err != nil {
		return done, err
	}
	if err := lockBoth(ctx, q, part, to); err != nil {
		return done, err
	}
	// Only the engine may have joined it meanwhile: then the place to go is another, and all begins anew.
	now, err := root(ctx, q, into)
	if err != nil {
		return done, err
	}
	if !bytes.Equal(now, to) {
		return done, store.ErrUndone
	}
	h, err := hold(ctx, q, part)
	if err != nil {
		return done, err
	}
	whole, err := hold(ctx, q, to)
	if err != nil {
		return done, err
	}
	switch {
	case h.joined != nil && bytes.Equal(h.merged, to):
		return done, nil // it is there already
	case h.merged != nil:
		return done, &incident.MergedError{Into: formatID(h.merged)}
	case bytes.Equal(part, to):
		return done, &incident.JoinError{Why: "it would be merged into itself: " + formatID(into) + " is, or was merged into it"}
	case whole.status == incident.Closed:
		return done, &incident.JoinError{Why: formatID(to) + " is closed: what still comes to this one would be hidden there. Close this one by itself"}
	case whole.retracted:
		return done, &incident.JoinError{Why: formatID(to) + " was retracted: what is merged into it would be hidden"}
	}
	parts, err := family(ctx, q, part)
	if err != nil {
		return done, err
	}
	others, err := family(ctx, q, to)
	if err != nil {
		return done, err
	}
	if n := len(parts) + len(others) - 1; n > incident.MaxParts {
		return done, &incident.JoinError{Why: fmt.Sprintf("%d incidents would be merged into one, and %d may be", n, incident.MaxParts)}
	}
	if err := recounted(ctx, q, [][]byte{part}, "UPDATE incidents SET joined_into = ?, work = work + 1 WHERE id = ?", to, part); err != nil {
		return done, err
	}
	// Its own parts are the whole's from now on.
	if err := q.Query(ctx, "UPDATE incidents SET joined_into = ?, work = work + 1 WHERE joined_into = ?", []any{to, part}, nil); err != nil {
		return done, err
	}
	if err := touch(ctx, q, to); err != nil {
		return done, err
	}
	if err := q.Query(ctx, tellJoined, []any{part}, nil); err != nil {
		return done, err
	}
	copied := "INSERT INTO incident_labels (incident, label, value, last_event) SELECT i.id, l.label, l.value, i.last_event " +
		"FROM incident_labels l JOIN incidents i ON i.id = ? WHERE l.incident IN (" + in(len(parts)) + ")" + partsPlaces
	if err := q.Query(ctx, copied, append([]any{to}, parts...), nil); err != nil {
		return done, err
	}
	return joinActs(ctx, q, h, whole, incident.Act{Kind: incident.ActMerge, Actor: by, Detail: map[string]string{"into": formatID(to)}})
}

func unmerge(ctx context.Context, q Querier, part []byte, by string) (incident.Done, error) {
	var done incident.Done
	before, err := hold(ctx, q, part)
	if err != nil {
		return done, err
	}
	switch {
	case before.merged != nil && !bytes.Equal(before.merged, before.joined):
		return done, &incident.JoinError{Why: "its detections went to " + formatID(before.merged) + ", as its rule groups them, or were there before: people did not merge it"}
	case before.joined == nil:
		return done, &incident.JoinError{Why: "it is merged into none"}
	}
	whole, err := hold(ctx, q, before.joined)
	if err != nil {
		return done, err
	}
	if err := recounted(ctx, q, [][]byte{part}, "UPDATE incidents SET joined_into = NULL, work = work + 1 WHERE id = ?", part); err != nil {
		return done, err
	}
	if err := touch(ctx, q, whole.id); err != nil {
		return done, err
	}
	return joinActs(ctx, q, before, whole, incident.Act{Kind: incident.ActUnmerge, Actor: by, Detail: map[string]string{"from": formatID(whole.id)}})
}

// touch counts an act on an incident that is written with another.
func touch(ctx context.Context, q Querier, id []byte) error {
	return q.Query(ctx, "UPDATE incidents SET work = work + 1 WHERE id = ?", []any{id}, nil)
}

// joinActs writes one act that is about two incidents.
func joinActs(ctx context.Context, q Querier, part, whole held, a incident.Act) (incident.Done, error) {
	a.Incident = formatID(part.id)
	if err := addAct(ctx, q, &a, whole.id, keyed{}); err != nil {
		return incident.Done{}, err
	}
	done := incident.Done{Acts: []incident.Act{a}}
	part.first(&done)
	whole.first(&done)
	return done, nil
}

// Who sees the place of a part sees the whole, whose labels lists of a scope begin with.
const partsPlaces = " AND l.label IN ('place', 'cluster', 'namespace') ON CONFLICT (incident, label, value) DO NOTHING"

var (
	addPlaces      = fmt.Sprintf(placesOf, "JOIN incidents i ON i.id = d.incident")
	addWholePlaces = fmt.Sprintf(placesOf, "JOIN incidents p ON p.id = d.incident JOIN incidents i ON i.id = p.joined_into")
)

// What people merged is given back where it would be hidden: when the engine retracts what it was merged into, when what the
// engine joins makes a circle of it, and when the engine joins that into what is closed. Each step is of incidents with a %s, which become live if they were not retracted themselves.
const (
	countFreed = `INSERT INTO rollups (partition_id, status, severity, shadow, n)
SELECT partition_id, shown, severity, shadow, count(*) FILTER (WHERE NOT retracted) FROM (
  SELECT i.partition_id, i.shown, i.severity, i.shadow, i.retracted FROM incidents i WHERE i.merged_into IS NULL AND %s ORDER BY i.id {lock}
) AS t GROUP BY partition_id, shown, severity, shadow HAVING count(*) FILTER (WHERE NOT retracted) > 0
ON CONFLICT (partition_id, status, severity, shadow) DO UPDATE SET n = rollups.n + excluded.n`
	actFreed = `INSERT INTO incident_acts (incident, other, at, actor, kind, detail)
SELECT i.id, i.joined_into, {now}, '', 'unmerge', '{"why":"the one that it was merged into was retracted, or joined into this one or one that is closed"}'
FROM incidents i WHERE i.merged_into IS NULL AND %s`
	uncouple = `UPDATE incidents AS i SET joined_into = NULL, work = work + 1 WHERE i.merged_into IS NULL AND %s`

	// ofRetracted are the parts of what a commit retracted.
	ofRetracted = `i.joined_into IN (WITH c(id) AS ({rows}) SELECT r.id FROM c JOIN incidents r ON r.id = c.id
  WHERE r.retracted AND r.merged_into IS NULL AND r.joined_into IS NULL)`

	// The engine joined c into another, and that perhaps into a further one: e is the last. It makes a circle if people merged e into c.
	endOf = `WITH RECURSIVE c(id) AS ({rows}), e(c, id, depth) AS (
  SELECT i.id, i.merged_into, 1 FROM c JOIN incidents i ON i.id = c.id WHERE i.merged_into IS NOT NULL
  UNION ALL
  SELECT e.c, i.merged_into, e.depth + 1 FROM e JOIN incidents i ON i.id = e.id WHERE i.merged_into IS NOT NULL AND e.depth < 32
) `
	// Its own columns say so: PostgreSQL looks at them again where it had to wait for somebody who takes it apart.
	inCircle = `(i.id, i.joined_into) IN (` + endOf + `SELECT l.id, e.c FROM e JOIN incidents l ON l.id = e.id WHERE l.merged_into IS NULL AND l.joined_into = e.c)`

	// What would still come to it would be hidden there: people may not merge it into that either.
	intoClosed = `i.closed_at = 0 AND i.joined_into IN (` + endOf + `SELECT e.c` + wholeOf + ` WHERE w.closed_at <> 0 OR w.retracted)`

	// What people merged into c goes along, to where the last is shown, and so do its places.
	wholeOf = ` FROM e JOIN incidents z ON z.id = e.id AND z.merged_into IS NULL JOIN incidents w ON w.id = coalesce(z.joined_into, z.id)`
	goAlong = endOf + `UPDATE incidents SET work = work + 1, joined_into = (SELECT w.id` + wholeOf + `)
WHERE joined_into IN (SELECT id FROM c) AND EXISTS (SELECT 1` + wholeOf + `)`
	placesAlong = endOf + `INSERT INTO incident_labels (incident, label, value, last_event)
SELECT w.id, l.label, l.value, w.last_event` + wholeOf + `
JOIN incidents p ON p.joined_into = w.id JOIN incident_labels l ON l.incident = p.id WHERE true`
)

// moveParts adds the steps that keep what people merged where it is seen. Of what was joined one goes after the other: two may make the
// same circle.
func (p *Plan) moveParts(retracted, joined [][]any) {
	id := bytesColumns("id")
	for _, row := range joined {
		for _, which := range []string{inCircle, intoClosed} {
			for _, step := range []string{countFreed, actFreed, uncouple} {
				p.add(fmt.Sprintf(step, which), id, [][]any{row})
			}
		}
		p.add(goAlong, id, [][]any{row})
		p.add(placesAlong+partsPlaces, id, [][]any{row})
	}
	for _, step := range []string{countFreed, actFreed, uncouple} {
		p.add(fmt.Sprintf(step, ofRetracted), id, retracted)
	}
}
