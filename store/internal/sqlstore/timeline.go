// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
	"tocsin/incident"
)

// moment is one row of a timeline with its place there: the tie has the kind's rank first.
type moment struct {
	cursor
	incident.Moment
}

// momentSource is where moments of one kind come from.
type momentSource struct {
	kind string
	// query has %s for the ids of incidents, columns are those that it is ordered by.
	query, columns string
	// twice says that the ids come twice.
	twice bool
	scan  func(Scan) (moment, error)
	// ties returns the arguments for the columns after the time, of what [moment] has in its tie after the rank.
	ties func(tie []byte) ([]any, bool)
}

func momentSources(f incident.TimelineFilter) []momentSource {
	number := func(tie []byte) ([]any, bool) {
		if len(tie) != 8 {
			return nil, false
		}
		return []any{int64(binary.BigEndian.Uint64(tie))}, true
	}
	return []momentSource{
		{
			kind: incident.MomentEvent,
			query: `SELECT d.incident, e.time, e.event, e.detection, e.step, e.arrival, e.event_id, e.source, e.message
FROM evidence e JOIN detections d ON d.id = e.detection WHERE d.incident IN (%s)`,
			columns: "e.time, e.event, e.detection, e.step",
			scan:    func(scan Scan) (moment, error) { return scanEventMoment(scan, int64(f.Lateness)) },
			ties: func(tie []byte) ([]any, bool) {
				if len(tie) < 32 || clean(string(tie[32:])) != string(tie[32:]) {
					return nil, false
				}
				return []any{tie[:16], tie[16:32], string(tie[32:])}, true
			},
		},
		{
			kind: incident.MomentDetection,
			query: `SELECT incident, first_firing, id, first_event, last_event, event_count, retracted, retracted_event, retracted_time
FROM detections WHERE incident IN (%s)`,
			columns: "first_firing, id", scan: scanFiring,
			ties: func(tie []byte) ([]any, bool) { return []any{tie}, len(tie) == 16 },
		},
		{
			kind:    incident.MomentAct,
			query:   "SELECT " + actColumns + " FROM incident_acts WHERE (incident IN (%s) OR other IN (%s)) AND kind <> 'nothing'",
			columns: "at, id", twice: true, scan: scanActMoment, ties: number,
		},
		{
			kind: incident.MomentAlert,
			query: `SELECT incident, created, id, receiver, kind, state, finished, attempts, error
FROM outbox WHERE incident IN (%s)`,
			columns: "created, id", scan: scanAlerted, ties: number,
		},
	}
}

// Timeline returns a page of what happened in an incident and its parts, oldest first.
func (c *Core) Timeline(ctx context.Context, id string, f incident.TimelineFilter) ([]incident.Moment, string, error) {
	of, err := parseID(id)
	if err != nil {
		return nil, "", incident.ErrNotFound
	}
	hash, err := listHash("timeline", []any{of, f.Kinds})
	if err != nil {
		return nil, "", err
	}
	after, err := decodeCursor(f.Cursor, hash, -1)
	if err != nil {
		return nil, "", err
	}
	if after != nil && len(after.tie) == 0 {
		return nil, "", incident.ErrBadCursor
	}
	limit := pageSize(f.Limit)
	var all []moment
	err = c.db.View(ctx, func(q Querier) error {
		ids, err := family(ctx, q, of)
		if err != nil {
			return err
		}
		for rank, source := range momentSources(f) {
			if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, source.kind) {
				continue
			}
			if all, err = source.read(ctx, q, byte(rank), ids, after, limit+1, all); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("store: timeline of incident %s: %w", id, err)
	}
	if len(all) == 0 {
		if _, err := c.Place(ctx, id); err != nil {
			return nil, "", err
		}
	}
	// Within a kind the database has ordered them, by its own order of text.
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.tie[0], b.tie[0])) })
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = encodeCursor(all[limit-1].cursor, hash)
	}
	out := make([]incident.Moment, len(all))
	for i, m := range all {
		out[i] = m.Moment
		out[i].At, out[i].Kind = event.Stamp(m.at), incident.MomentKinds()[m.tie[0]]
	}
	return out, next, nil
}

// read adds the source's earliest moments after a cursor.
func (s momentSource) read(ctx context.Context, q Querier, rank byte, ids []any, after *cursor, limit int, all []moment) ([]moment, error) {
	places := []any{in(len(ids))}
	args := append([]any{}, ids...)
	if s.twice {
		places, args = append(places, places[0]), append(args, ids...)
	}
	query := fmt.Sprintf(s.query, places...)
	if after != nil {
		first, _, _ := strings.Cut(s.columns, ",")
		switch {
		case rank < after.tie[0]:
			query, args = query+" AND "+first+" > ?", append(args, after.at)
		case rank > after.tie[0]:
			query, args = query+" AND "+first+" >= ?", append(args, after.at)
		default:
			ties, ok := s.ties(after.tie[1:])
			if !ok {
				return nil, incident.ErrBadCursor
			}
			query, args = query+" AND ("+s.columns+") > ("+in(len(ties)+1)+")", append(append(args, after.at), ties...)
		}
	}
	query += " ORDER BY " + s.columns + " LIMIT ?"
	err := q.Query(ctx, query, append(args, int64(limit)), func(scan Scan) error {
		m, err := s.scan(scan)
		m.tie = append([]byte{rank}, m.tie...)
		all = append(all, m)
		return err
	})
	return all, err
}

func scanEventMoment(scan Scan, lateness int64) (m moment, err error) {
	e := &incident.EventMoment{}
	var of, id, detection []byte
	var arrival int64
	err = scan(&of, &m.at, &id, &detection, &e.Step, &arrival, &e.EventID, &e.Source, &e.Message)
	e.Detection, e.Arrival, e.Late = formatID(detection), event.Stamp(arrival), arrival-m.at > lateness
	m.tie = append(append(append([]byte{}, id...), detection...), e.Step...)
	m.Incident, m.Event = formatID(of), e
	return m, err
}

func scanFiring(scan Scan) (m moment, err error) {
	d := &incident.FiringMoment{}
	var of []byte
	var first, last, retractedAt int64
	var retracted bool
	var by string
	err = scan(&of, &m.at, &m.tie, &first, &last, &d.EventCount, &retracted, &by, &retractedAt)
	d.ID, d.FirstEvent, d.LastEvent = formatID(m.tie), event.Stamp(first), event.Stamp(last)
	if retracted {
		d.Retracted = &incident.Retraction{EventID: by, Time: retractedAt}
	}
	m.Incident, m.Detection = formatID(of), d
	return m, err
}

func scanActMoment(scan Scan) (m moment, err error) {
	a, err := scanAct(scan)
	m.at, m.tie = int64(a.At), binary.BigEndian.AppendUint64(nil, uint64(a.ID))
	m.Incident, m.Act = a.Incident, &a
	return m, err
}

func scanAlerted(scan Scan) (m moment, err error) {
	a := &incident.AlertedMoment{}
	var of []byte
	var id, finished, attempts int64
	err = scan(&of, &m.at, &id, &a.Receiver, &a.Kind, &a.State, &finished, &attempts, &a.Error)
	a.Finished, a.Attempts = event.Stamp(finished), int(attempts)
	m.tie = binary.BigEndian.AppendUint64(nil, uint64(id))
	m.Incident, m.Alert = formatID(of), a
	return m, err
}
