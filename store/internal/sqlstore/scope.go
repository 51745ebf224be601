// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"tocsin/incident"
)

// inScope is the condition that an incident i is in scope: some evidence of its detections, or of its parts', is of a place in it.
// What the engine joined into another has none any more, and is in nobody's scope but theirs who see everything. A place of any
// cluster and any namespace is no bound: [incident.ParseScope] makes none.
func inScope(scope incident.Scope) (string, []any) {
	var alternatives []string
	var args []any
	for _, p := range scope {
		var conds []string
		for _, half := range []struct{ column, name string }{{"s.cluster", p.Cluster}, {"s.namespace", p.Namespace}} {
			if half.name != incident.Any {
				conds = append(conds, half.column+" = ?")
				args = append(args, label(half.name))
			}
		}
		alternatives = append(alternatives, strings.Join(conds, " AND "))
	}
	if len(alternatives) == 0 {
		return "false", nil
	}
	// One condition: of two alternatives PostgreSQL may read all that there is of each.
	return "EXISTS (SELECT 1 FROM (SELECT i.id AS id UNION ALL SELECT q.id FROM incidents q WHERE q.joined_into = i.id) f " +
		"JOIN detections d ON d.incident = f.id JOIN detection_places s ON s.detection = d.id WHERE " + strings.Join(alternatives, " OR ") + ")", args
}

// placeLabel is the label of the incidents that have, or had, evidence of a place.
func placeLabel(p incident.Place) (name, value string) {
	switch {
	case p.Namespace == incident.Any:
		return "cluster", label(p.Cluster)
	case p.Cluster == incident.Any:
		return "namespace", label(p.Namespace)
	}
	return "place", label(p.Cluster) + "/" + label(p.Namespace)
}

// placeLabels is the condition that a label x is one of a scope's places. With it a database can begin with the few
// incidents of a small scope, or with the newest of a large one.
func placeLabels(scope incident.Scope) (string, []any) {
	values := make(map[string][]any)
	for _, p := range scope {
		name, value := placeLabel(p)
		values[name] = append(values[name], value)
	}
	var alternatives []string
	var args []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		alternatives = append(alternatives, "x.label = ? AND x.value IN ("+in(len(values[name]))+")")
		args = append(append(args, name), values[name]...)
	}
	return "(" + strings.Join(alternatives, " OR ") + ")", args
}

// maxParts bounds the parts of a statement: SQLite takes 500.
const maxParts = 64

// eachPlace are the labels l of a scope's places that are so, a part for each, whose index has the list's order: a database merges them and
// stops at the end of a page, however much there is. An incident of several places comes once by the condition, with the first.
func eachPlace(scope incident.Scope, so where) (from string, args []any, once string, more []any) {
	parts, earlier := make([]string, len(scope)), make([]string, 0, len(scope))
	for n, p := range scope {
		name, value := placeLabel(p)
		w := where{conds: []string{"label = ? AND value = ?"}, args: []any{name, value}}
		w.and(so.all(), so.args...)
		parts[n] = fmt.Sprintf("SELECT incident, last_event, %d AS nth FROM incident_labels", n) + w.String()
		args = append(args, w.args...)
		if n < len(scope)-1 {
			earlier = append(earlier, fmt.Sprintf("l.nth > %d AND x.label = ? AND x.value = ?", n))
			more = append(more, name, value)
		}
	}
	// It asks of i, or PostgreSQL asks it within each part, and the order is lost; so it is of a NOT EXISTS by itself. Without the limit,
	// which is none, SQLite reads all of each part and puts it in order.
	once = "(l.nth = 0 OR NOT EXISTS (SELECT 1 FROM incident_labels x WHERE x.incident = i.id AND (" + strings.Join(earlier, " OR ") + ")))"
	return fmt.Sprintf("(%s ORDER BY last_event DESC, incident DESC LIMIT %d) AS l", strings.Join(parts, " UNION ALL "), math.MaxInt64), args, once, more
}

// InScope returns those of some incidents that are in scope.
func (c *Core) InScope(ctx context.Context, scope incident.Scope, ids ...string) (map[string]bool, error) {
	out := make(map[string]bool, len(ids))
	var keys []any
	for _, id := range ids {
		b, err := parseID(id)
		switch {
		case err != nil: // what is no id names no incident
		case scope == nil:
			out[id] = true
		default:
			keys = append(keys, b)
		}
	}
	cond, args := inScope(scope)
	for len(keys) > 0 {
		n := min(len(keys), chunk)
		err := c.db.Query(ctx, "SELECT i.id FROM incidents i WHERE i.id IN ("+in(n)+") AND "+cond, append(append([]any{}, keys[:n]...), args...),
			func(scan Scan) error {
				var id []byte
				err := scan(&id)
				out[formatID(id)] = true
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("store: scope of incidents: %w", err)
		}
		keys = keys[n:]
	}
	return out, nil
}
