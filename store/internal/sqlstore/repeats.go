// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"tocsin/incident"
	"tocsin/store"
)

// Who sends a log again, a day later, has its incidents made again, with other ids: the engine has forgotten the first. The store has
// not. A new incident all of whose evidence other incidents of its rule and key have is a repeat: it is shown with the one that its first
// event was in, and nobody is told. With the first evidence that is new it stands by itself, and is told of.
const (
	// holders are the incidents x, with a detection o of each, that have the event v which is evidence of d, a detection of i: it is evidence
	// there, too, and d has no events but those that it keeps as evidence, or o is longer than d and of no fewer events, more than it keeps as
	// evidence. Nobody was told of repeats, i among them, or of what is in shadow. Each is looked for by itself: a planner that has guessed
	// how many there are would read all evidence once.
	holders = ` incidents x JOIN detections o ON o.incident = x.id AND NOT o.retracted
WHERE x.rule = i.rule AND substr(x.key, 1, 64) = substr(i.key, 1, 64) AND x.key = i.key AND x.rule_revision = i.rule_revision
  AND x.first_event <= v.time AND x.last_event >= v.time AND o.first_event <= v.time AND o.last_event >= v.time
  AND (i.shadow OR NOT x.shadow) AND NOT EXISTS (SELECT 1 FROM repeats r WHERE r.incident = x.id)
  AND (EXISTS (SELECT 1 FROM evidence w WHERE w.detection = o.id AND w.event = v.event LIMIT 1 OFFSET 0)
      AND d.event_count <= (SELECT count(DISTINCT w.event) FROM evidence w WHERE w.detection = d.id)
    OR o.first_event <= d.first_event AND o.last_event >= d.last_event AND o.event_count >= d.event_count
      AND o.event_count > (SELECT count(DISTINCT w.event) FROM evidence w WHERE w.detection = o.id))`

	// Before incidents are written: what is there stands, or is known to be a repeat.
	addRepeats = `INSERT INTO repeats (incident) SELECT v.id FROM (WITH r(id) AS ({rows}) SELECT * FROM r) AS v
WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = v.id) ON CONFLICT (incident) DO NOTHING`

	// Of detections that changed: what was known of the others is known still, but of the first it must be, since the incident is shown with
	// who has that. What was taken back is no news until it holds again.
	markNews = `UPDATE repeats SET news = TRUE WHERE incident IN (
  WITH r(id) AS ({rows}), c(id) AS (
    SELECT id FROM r
    UNION SELECT (SELECT f.id FROM detections f WHERE f.incident = d.incident AND NOT f.retracted ORDER BY f.first_event, f.id LIMIT 1)
    FROM r JOIN detections d ON d.id = r.id
  )
  SELECT i.id FROM c JOIN detections d ON d.id = c.id JOIN incidents i ON i.id = d.incident JOIN repeats p ON p.incident = i.id
    LEFT JOIN evidence v ON v.detection = d.id
  WHERE NOT d.retracted AND NOT EXISTS (SELECT 1 FROM` + holders + ` LIMIT 1 OFFSET 0))`

	// That it opened is told of what ceases to be a repeat, the rest of what is none.
	unlessRepeats = ` LEFT JOIN repeats p ON p.incident = v.incident
WHERE CASE WHEN v.kind = 'opened' THEN coalesce(p.news, FALSE) ELSE coalesce(p.news, TRUE) END`

	endRepeats = "DELETE FROM repeats WHERE news AND incident IN ({rows})"

	joinRepeats = `UPDATE incidents AS i SET merged_into = (
  SELECT x.id FROM (SELECT * FROM detections WHERE incident = i.id ORDER BY retracted, first_event, id LIMIT 1) AS d JOIN evidence v ON v.detection = d.id,` + holders + `
  ORDER BY v.time, v.event, x.opened_at, x.id LIMIT 1)
WHERE i.id IN ({rows}) AND i.merged_into IS NULL AND i.id IN (SELECT incident FROM repeats)`
)

// relived are the incidents of a commit that may be repeats.
func relived(c store.Commit) [][]any {
	return pick(c, func(in incident.Incident) bool { return in.Again })
}

// relived returns the ids of those that changed and are of such an incident.
func (d *detections) relived(c store.Commit) [][]any {
	again := make(map[string]bool)
	for _, row := range relived(c) {
		again[string(row[0].([]byte))] = true
	}
	return d.into(func(in []byte) bool { return again[string(in)] })
}
