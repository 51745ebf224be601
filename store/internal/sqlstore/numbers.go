// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"sort"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// RuleStats returns the public numbers of each rule, summed over partitions, by rule.
func (c *Core) RuleStats(ctx context.Context) ([]correlate.Stats, error) {
	sums := make(map[string]*correlate.Stats)
	err := c.db.Query(ctx, `SELECT rule, matched, unkeyed, excepted, late, capped, retracted, dropped, duplicates, detections, incidents, negative, future
FROM rule_stats`, nil, func(scan Scan) error {
		var s correlate.Stats
		err := scan(&s.Rule, &s.Matched, &s.Unkeyed, &s.Excepted, &s.Late, &s.Capped, &s.Retracted, &s.Dropped, &s.Duplicates,
			&s.Detections, &s.Incidents, &s.Negative, &s.Future)
		if err != nil {
			return err
		}
		sum := sums[s.Rule]
		if sum == nil {
			sums[s.Rule] = &s
			return nil
		}
		sum.Matched += s.Matched
		sum.Unkeyed += s.Unkeyed
		sum.Excepted += s.Excepted
		sum.Late += s.Late
		sum.Capped += s.Capped
		sum.Retracted += s.Retracted
		sum.Dropped += s.Dropped
		sum.Duplicates += s.Duplicates
		sum.Detections += s.Detections
		sum.Incidents += s.Incidents
		sum.Negative += s.Negative
		sum.Future += s.Future
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: read rule statistics: %w", err)
	}
	out := make([]correlate.Stats, 0, len(sums))
	for _, s := range sums {
		out = append(out, *s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Rule < out[j].Rule })
	return out, nil
}

// Rollup counts the incidents that are neither merged nor retracted, by status, severity and shadow.
func (c *Core) Rollup(ctx context.Context) ([]store.Count, error) {
	var out []store.Count
	err := c.db.Query(ctx, `SELECT status, severity, shadow, CAST(sum(n) AS BIGINT) FROM rollups
GROUP BY status, severity, shadow HAVING sum(n) <> 0 ORDER BY status, severity, shadow`, nil, func(scan Scan) error {
		var status string
		var severity int64
		var n store.Count
		if err := scan(&status, &severity, &n.Shadow, &n.N); err != nil {
			return err
		}
		n.Status, n.Severity = incident.Status(status), rules.Severity(severity)
		out = append(out, n)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: read rollups: %w", err)
	}
	return out, nil
}
