// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/incident"
	"tocsin/store"
)

// maxDepth bounds how far incidents are followed that were joined into each other: by people one step, by the engine any number.
const maxDepth = 64

// whereJoined is the condition that incidents were joined into some others. The databases guess badly how many a recursive query
// finds, and then read all there are: so it is asked for one step after the other, and the first mostly finds nothing. A repeat is in the place
// of what it repeats, which has all of it.
const whereJoined = "coalesce(i.merged_into, i.joined_into) IN (%s) AND NOT EXISTS (SELECT 1 FROM repeats p WHERE p.incident = i.id)"

// eachPart passes what was joined into some incidents, at any depth, to fn, which returns its id.
func eachPart(ctx context.Context, q Querier, columns string, of []any, fn func(Scan) ([]byte, error)) error {
	for range maxDepth {
		var next []any
		for len(of) > 0 {
			n := min(len(of), chunk)
			ids := padded(of[:n])
			query := "SELECT " + columns + " FROM incidents i WHERE " + fmt.Sprintf(whereJoined, in(len(ids))) + " ORDER BY i.first_event, i.id"
			err := q.Query(ctx, query, ids, func(scan Scan) error {
				id, err := fn(scan)
				next = append(next, id)
				return err
			})
			if err != nil {
				return err
			}
			of = of[n:]
		}
		if of = next; len(of) == 0 {
			return nil
		}
	}
	return nil
}

// wholesOf returns what each of some incidents is shown with, of those that were joined into another.
func wholesOf(ctx context.Context, q Querier, of []any) (map[string]string, error) {
	into := make(map[string]string)
	for range maxDepth {
		var next []any
		for len(of) > 0 {
			n := min(len(of), chunk)
			err := q.Query(ctx, "SELECT i.id, coalesce(i.merged_into, i.joined_into) FROM incidents i WHERE i.id IN ("+in(n)+
				") AND coalesce(i.merged_into, i.joined_into) IS NOT NULL", of[:n], func(scan Scan) error {
				var part, whole []byte
				err := scan(&part, &whole)
				if into[formatID(part)] == "" {
					into[formatID(part)], next = formatID(whole), append(next, whole)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
			of = of[n:]
		}
		if of = next; len(of) == 0 {
			break
		}
	}
	out := make(map[string]string, len(into))
	for part := range into {
		whole := into[part]
		for n := 0; n < maxDepth && into[whole] != ""; n++ {
			whole = into[whole]
		}
		out[part] = whole
	}
	return out, nil
}

// version returns what names the state of an incident that is held, and of its parts.
func (h held) version(ctx context.Context, q Querier) (string, error) {
	var n, revisions, works int64
	err := eachPart(ctx, q, "i.id, i.revision, i.work", []any{h.id}, func(scan Scan) ([]byte, error) {
		var id []byte
		var revision, work int64
		err := scan(&id, &revision, &work)
		n, revisions, works = n+1, revisions+revision, works+work
		return id, err
	})
	return version(h.revision, h.work, n, revisions, works), err
}

// version names a state: the engine's revision and the count of acts, and the sums of those of its n parts. Each grows, and a part
// that comes or goes is an act.
func version(revision, work, n, revisions, works int64) string {
	if n == 0 {
		return fmt.Sprintf("%d-%d", revision, work)
	}
	return fmt.Sprintf("%d-%d-%d-%d", revision, work, revisions, works)
}

// family returns an incident and its parts, as arguments.
func family(ctx context.Context, q Querier, id []byte) ([]any, error) {
	out := []any{id}
	err := eachPart(ctx, q, "i.id", []any{id}, func(scan Scan) ([]byte, error) {
		var part []byte
		err := scan(&part)
		out = append(out, part)
		return part, err
	})
	if err != nil {
		return nil, fmt.Errorf("store: parts of incident %s: %w", formatID(id), err)
	}
	return out, nil
}

// openParts returns the open incidents that people merged into one.
func (c *Core) openParts(ctx context.Context, id []byte) ([]string, error) {
	var out []string
	err := c.db.Query(ctx, "SELECT i.id FROM incidents i WHERE i.joined_into = ? AND i.merged_into IS NULL AND i.closed_at = 0 ORDER BY i.id", []any{id},
		func(scan Scan) error {
			var part []byte
			err := scan(&part)
			out = append(out, formatID(part))
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("store: parts of incident %s: %w", formatID(id), err)
	}
	return out, nil
}

// maxLeftOpen bounds one answer of LeftOpen.
const maxLeftOpen = 100

// LeftOpen returns some open incidents that people merged into closed ones.
func (c *Core) LeftOpen(ctx context.Context) ([]store.LeftOpen, error) {
	var out []store.LeftOpen
	err := c.db.Query(ctx, `SELECT i.id, w.verdict, w.closed_by FROM incidents i JOIN incidents w ON w.id = i.joined_into
WHERE i.joined_into IS NOT NULL AND i.merged_into IS NULL AND NOT i.retracted AND i.closed_at = 0 AND w.closed_at <> 0 ORDER BY i.id LIMIT ?`, []any{maxLeftOpen},
		func(scan Scan) error {
			var id []byte
			var verdict, by string
			err := scan(&id, &verdict, &by)
			out = append(out, store.LeftOpen{ID: formatID(id), Verdict: incident.Verdict(verdict), By: by})
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("store: what is open within closed incidents: %w", err)
	}
	return out, nil
}

// fillParts reads the parts of each incident and makes what is shown of it the sum of all.
func fillParts(ctx context.Context, q Querier, rows []*readIncident) error {
	wholes := make(map[string][]*readIncident, len(rows)) // what an incident is shown with
	ids := make([]any, len(rows))
	for i, r := range rows {
		wholes[string(r.id)], ids[i] = []*readIncident{r}, r.id
	}
	// A page may have a part and its whole: then the parts of the part are met twice, and once is enough for each.
	type pair struct{ whole, part string }
	seen := make(map[pair]bool)
	lists := make(decoded[[]string])
	err := eachPart(ctx, q, "coalesce(i.merged_into, i.joined_into), "+incidentColumns, ids, func(scan Scan) ([]byte, error) {
		var into []byte
		part, err := scanIncident(func(dest ...any) error { return scan(append([]any{&into}, dest...)...) }, lists)
		if err != nil {
			return nil, err
		}
		for _, whole := range wholes[string(into)] {
			if p := (pair{string(whole.id), string(part.id)}); !seen[p] && p.whole != p.part {
				seen[p] = true
				whole.parts = append(whole.parts, part)
				wholes[p.part] = append(wholes[p.part], whole)
			}
		}
		return part.id, nil
	})
	if err != nil {
		return fmt.Errorf("store: read parts: %w", err)
	}
	for _, r := range rows {
		var revisions, works int64
		for _, part := range r.parts {
			revisions, works = revisions+part.view.Revision, works+part.work
			r.add(part)
		}
		r.view.Version = version(r.view.Revision, r.work, int64(len(r.parts)), revisions, works)
	}
	return nil
}

// add counts a part in. One that the engine joined has nothing of its own any more, and one that was retracted does not count.
func (r *readIncident) add(part *readIncident) {
	if part.gone || part.view.Retracted {
		return
	}
	v, p := &r.view, part.view
	v.FirstEvent, v.LastEvent = min(v.FirstEvent, p.FirstEvent), max(v.LastEvent, p.LastEvent)
	v.EventCount, v.DetectionCount, v.Late = v.EventCount+p.EventCount, v.DetectionCount+p.DetectionCount, v.Late+p.Late
	v.Capped = v.Capped || p.Capped
	v.Sources = union(v.Sources, p.Sources)
	v.Entities = union(v.Entities, p.Entities)
}

// union adds to a list what it does not have, up to what an incident lists.
func union[T comparable](a, b []T) []T {
	seen := make(map[T]bool, len(a))
	for _, x := range a {
		seen[x] = true
	}
	for _, x := range b {
		if !seen[x] && len(a) < incident.MaxListed {
			seen[x] = true
			a = append(a, x)
		}
	}
	return a
}
