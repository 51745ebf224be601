// SPDX-License-Identifier: Apache-2.0

package sqlstore

func incidentsTable() table {
	return table{
		name: "incidents",
		columns: []Column{
			{"id", Bytes}, {"partition_id", Int}, {"rule", Text}, {"rule_title", Text}, {"rule_revision", Text},
			{"severity", Int}, {"shadow", Bool}, {"title", Text}, {"description", Text}, {"runbook", Text},
			{"attack", Text}, {"tactics", Text}, {"key", Bytes}, {"key_names", Text}, {"window_names", Text},
			{"sources", Text}, {"entities", Text}, {"first_event", Int}, {"last_event", Int}, {"opened_at", Int},
			{"updated_at", Int}, {"closed_at", Int}, {"verdict", Text}, {"closed_by", Text}, {"event_count", Int},
			{"late", Int}, {"capped", Bool}, {"retracted", Bool}, {"merged_into", Bytes}, {"detection_count", Int},
			{"revision", Int}, {"search", Text},
		},
		key:   "id",
		guard: "excluded.revision > incidents.revision",
	}
}

func detectionsTable() table {
	return table{
		name: "detections",
		columns: []Column{
			{"id", Bytes}, {"partition_id", Int}, {"incident", Bytes}, {"key", Bytes}, {"first_event", Int},
			{"last_event", Int}, {"first_firing", Int}, {"event_count", Int}, {"late", Int}, {"steps", Text},
			{"capped", Bool}, {"retracted", Bool}, {"retracted_event", Text}, {"retracted_time", Int},
		},
		key: "id",
	}
}

func evidenceTable() table {
	return table{
		name: "evidence",
		columns: []Column{
			{"detection", Bytes}, {"event", Bytes}, {"step", Text}, {"time", Int}, {"arrival", Int}, {"seq", Int},
			{"place", Int}, {"event_id", Text}, {"source", Text}, {"message", Text}, {"fields", Bytes}, {"raw", Bytes},
			{"sha256", Text}, {"note", Text},
		},
		key:   "detection, event, step",
		guard: "-",
	}
}

func placesTable() table {
	return table{
		name:    "detection_places",
		columns: []Column{{"detection", Bytes}, {"cluster", Text}, {"namespace", Text}},
		key:     "detection, cluster, namespace",
		guard:   "-",
	}
}

func statsTable() table {
	return table{
		name: "rule_stats",
		columns: []Column{
			{"partition_id", Int}, {"rule", Text}, {"matched", Int}, {"unkeyed", Int}, {"excepted", Int}, {"late", Int},
			{"capped", Int}, {"retracted", Int}, {"dropped", Int}, {"duplicates", Int}, {"detections", Int}, {"incidents", Int},
			{"negative", Int}, {"future", Int},
		},
		key: "partition_id, rule",
	}
}

// What the counts of a dashboard lose before a step changes the incidents in its rows, and gain after it: so they are right
// whatever the change was. All rows are locked, and in one order: people write to them too, and make some live or not. So whether
// they are live is asked of the groups: PostgreSQL would ask it of rows before it locks them, and not lock those that are not yet.
const (
	lost    = "-count(*) FILTER (WHERE live)"
	gained  = "count(*) FILTER (WHERE live)"
	countOf = `INSERT INTO rollups (partition_id, status, severity, shadow, n)
SELECT partition_id, shown, severity, shadow, %s FROM (
  SELECT partition_id, shown, severity, shadow, live FROM incidents WHERE id IN (%s) ORDER BY id {lock}
) AS t GROUP BY partition_id, shown, severity, shadow HAVING count(*) FILTER (WHERE live) > 0
ON CONFLICT (partition_id, status, severity, shadow) DO UPDATE SET n = rollups.n + excluded.n`

	// They are there before their incident is: what is written of it then has them. Where that is older than what there is,
	// moveLabels sets their time right.
	addLabels = `INSERT INTO incident_labels (incident, label, value, last_event) {rows} ON CONFLICT (incident, label, value) DO NOTHING`

	// The places of detections are labels of their incident, too, in the three forms that a scope asks for: their index has the
	// list's order. One stays when its detection leaves; who asks looks at the detections as well. The %s leads to the incident i.
	placesOf = `INSERT INTO incident_labels (incident, label, value, last_event)
SELECT i.id, k.label, CASE k.label WHEN 'place' THEN s.cluster || '/' || s.namespace WHEN 'cluster' THEN s.cluster ELSE s.namespace END, i.last_event
FROM detections d %s JOIN detection_places s ON s.detection = d.id
CROSS JOIN (SELECT 'place' AS label UNION ALL SELECT 'cluster' UNION ALL SELECT 'namespace') AS k
WHERE d.id IN ({rows}) ON CONFLICT (incident, label, value) DO NOTHING`

	moveLabels = `UPDATE incident_labels SET last_event = i.last_event FROM incidents i
WHERE i.id = incident_labels.incident AND i.id IN ({rows}) AND incident_labels.last_event <> i.last_event`

	moveDetections = `WITH v(id, incident) AS ({rows})
UPDATE detections SET incident = v.incident FROM v WHERE v.id = detections.id`

	addOutbox = `INSERT INTO outbox (incident, revision, receiver, detection, kind, body, not_before, terms, created)
SELECT v.incident, v.revision, v.receiver, v.detection, v.kind, v.body, CASE WHEN v.wait > 0 THEN {now} + v.wait ELSE v.not_before END, v.terms, {now} FROM (
  WITH r(incident, revision, receiver, detection, kind, body, not_before, wait, terms) AS ({rows}) SELECT * FROM r
) AS v%s ON CONFLICT (incident, revision, receiver, detection) DO NOTHING`

	// A closing of an incident that was joined into another closes that one.
	closedRoots = `WITH RECURSIVE c(id, at, verdict, person) AS ({rows}), t(id, at, verdict, person, depth) AS (
  SELECT id, at, verdict, person, 0 FROM c
  UNION ALL
  SELECT i.merged_into, t.at, t.verdict, t.person, t.depth + 1 FROM t JOIN incidents i ON i.id = t.id
  WHERE i.merged_into IS NOT NULL AND t.depth < 32
), roots AS (
  SELECT t.id, t.at, t.verdict, t.person FROM t JOIN incidents i ON i.id = t.id WHERE i.merged_into IS NULL
) `
	closeForgotten = closedRoots + `UPDATE incidents
SET closed_at = roots.at, verdict = roots.verdict, closed_by = roots.person, revision = revision + 1,
  updated_at = CASE WHEN updated_at > roots.at THEN updated_at ELSE roots.at END
FROM roots WHERE roots.id = incidents.id AND incidents.closed_at = 0`
)
