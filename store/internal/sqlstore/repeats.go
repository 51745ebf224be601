// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// Who sends a log again, a day later, has its detections made again, in a later life: the engine has forgotten the first. The store has
// not. A new incident all of whose detections are there in an earlier life is a repeat: it is shown with the incident that the first of them
// was in, and nobody is told. With the first detection that is no copy, or has more than what it is a copy of, it stands by itself, and is told of.
const (
	// originals are what d, a detection of the incident i, is a copy of and has nothing more than: what is new and near goes into the copy. In
	// shadow nobody was told.
	originals = ` lives l JOIN lives e ON e.origin = l.origin AND e.life < l.life
JOIN detections o ON o.id = e.detection AND NOT o.retracted JOIN incidents x ON x.id = o.incident
WHERE l.detection = d.id AND (i.shadow OR NOT x.shadow)
  AND o.first_event <= d.first_event AND o.last_event >= d.last_event AND o.event_count >= d.event_count`

	isNews = "EXISTS (SELECT 1 FROM detections d WHERE d.incident = i.id AND NOT EXISTS (SELECT 1 FROM" + originals + "))"

	addLives = "INSERT INTO lives (detection, origin, life) {rows} ON CONFLICT (detection) DO NOTHING"

	// Before incidents are written: what is there stands, or is known to be a repeat.
	addRepeats = `INSERT INTO repeats (incident) SELECT v.id FROM (WITH r(id) AS ({rows}) SELECT * FROM r) AS v
WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = v.id) ON CONFLICT (incident) DO NOTHING`

	// That it opened is told of what ceases to be a repeat, the rest of what is none.
	unlessRepeats = ` JOIN incidents i ON i.id = v.incident LEFT JOIN repeats p ON p.incident = v.incident
WHERE CASE WHEN v.kind = 'opened' THEN p.incident IS NOT NULL AND ` + isNews + ` ELSE p.incident IS NULL OR ` + isNews + ` END`

	endRepeats = "DELETE FROM repeats AS p WHERE p.incident IN ({rows}) AND EXISTS (SELECT 1 FROM incidents i WHERE i.id = p.incident AND " + isNews + ")"

	joinRepeats = `UPDATE incidents AS i SET merged_into = (SELECT o.incident FROM detections d,` + originals + `
  AND d.incident = i.id ORDER BY d.first_event, d.id, e.life LIMIT 1)
WHERE i.id IN ({rows}) AND i.merged_into IS NULL AND i.id IN (SELECT incident FROM repeats)`
)

// relived are the incidents of a commit that may be repeats.
func relived(c store.Commit) [][]any {
	return pick(c, func(in incident.Incident) bool { return in.Again })
}

// lifeRows has the lives of a commit's detections, and of each the first, be there such a detection or not: so one look finds all of an origin.
func lifeRows(changes []correlate.DetectionChange) (out [][]any, err error) {
	for _, d := range changes {
		life := d.Detection.Life
		if life == (incident.Life{}) || d.Gone || d.Moved {
			continue
		}
		id, err := parseID(d.Detection.ID)
		if err != nil {
			return nil, err
		}
		origin, err := parseID(life.Origin)
		if err != nil {
			return nil, err
		}
		out = append(out, []any{id, origin, life.Number}, []any{origin, origin, int64(0)})
	}
	return out, nil
}
