// SPDX-License-Identifier: Apache-2.0

package sqlstore

import "fmt"

// endsTold makes alerts of the ends of incidents that nobody was told of yet: to each receiver that any alert about the incident went to,
// wherever its routes lead by now. Their bodies are empty: who sends them writes them. The places are for the alert's own part of its
// key, for how the incidents are found, and for which they are.
const endsTold = `INSERT INTO outbox (incident, revision, receiver, detection, kind, body, not_before, terms, created)
SELECT i.id, i.revision, o.receiver, %s,
  CASE WHEN i.retracted THEN 'retracted' WHEN i.closed_at <> 0 THEN 'closed' ELSE 'merged' END, substr(i.id, 1, 0), {now}, '', {now}
FROM incidents i JOIN outbox o ON o.incident = i.id AND o.kind <> 'detected' AND o.state <> 'dead'%s
WHERE %s AND (i.retracted OR i.closed_at <> 0 OR i.merged_into IS NOT NULL OR i.joined_into IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.incident = i.id AND e.receiver = o.receiver AND e.kind IN ('closed', 'merged', 'retracted'))
ORDER BY i.id, o.receiver ON CONFLICT (incident, revision, receiver, detection) DO NOTHING`

var (
	// tellEnds is about the incidents of a commit, after its own alerts; tellForgotten about those that are closed when the engine has
	// forgotten them; tellJoined about one that somebody merged, which has no revision of its own for that.
	tellEnds      = fmt.Sprintf(endsTold, "''", "", "i.id IN ({rows})")
	tellForgotten = closedRoots + fmt.Sprintf(endsTold, "''", " JOIN roots ON roots.id = i.id", "true")
	tellJoined    = fmt.Sprintf(endsTold, "'joined-' || CAST(i.work AS TEXT)", "", "i.id = ?")
)
