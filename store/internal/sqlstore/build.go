// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// NewPlan makes a commit's plan. What is in it twice is written once, as it was last. The plan is a function of the
// commit: an error is [store.ErrUnwritable], now and ever.
func NewPlan(c store.Commit) (*Plan, error) {
	p, err := newPlan(c)
	if err != nil {
		return nil, fmt.Errorf("%w: partition %d: %w", store.ErrUnwritable, c.Partition, err)
	}
	return p, nil
}

func newPlan(c store.Commit) (*Plan, error) {
	p := &Plan{}
	p.fence(c)
	ids, incidents, labels, err := incidentRows(c)
	if err != nil {
		return nil, err
	}
	d, err := detectionRows(c)
	if err != nil {
		return nil, err
	}
	evidence, places, err := evidenceRows(c)
	if err != nil {
		return nil, err
	}
	outbox, outboxAgain, err := outboxRows(c)
	if err != nil {
		return nil, err
	}
	closings, err := closingRows(c.Changes.Closed)
	if err != nil {
		return nil, err
	}

	p.add("DELETE FROM evidence WHERE detection IN ({rows})", bytesColumns("detection"), d.gone)
	p.add("DELETE FROM detection_places WHERE detection IN ({rows})", bytesColumns("detection"), d.gone)
	p.add("DELETE FROM detections WHERE id IN ({rows})", bytesColumns("id"), d.gone)
	p.add("DELETE FROM evidence WHERE (detection, event, step) IN ({rows})", evidenceTable().columns[:3], d.removed)

	id := bytesColumns("id")
	labels = append(labels, placeLabelRows(incidents, d.changed, places)...)
	p.add(fmt.Sprintf(countOf, lost, "{rows}"), id, ids)
	p.add(addLabels, []Column{{"incident", Bytes}, {"label", Text}, {"value", Text}, {"last_event", Int}}, labels)
	p.add(addRepeats, id, relived(c))
	p.add(incidentsTable().upsert(), incidentsTable().columns, incidents)
	p.add(fmt.Sprintf(countOf, gained, "{rows}"), id, ids)
	p.add(moveLabels, id, ids)
	p.moveParts(pick(c, func(in incident.Incident) bool { return in.Retracted && in.MergedInto == "" }),
		pick(c, func(in incident.Incident) bool { return in.MergedInto != "" }))
	p.add(addCloseActs, id, pick(c, func(in incident.Incident) bool { return in.ClosedAt != 0 }))

	p.add(detectionsTable().upsert(), detectionsTable().columns, d.changed)
	p.add(moveDetections, bytesColumns("id", "incident"), d.moved)
	p.add(evidenceTable().upsert(), evidenceTable().columns, evidence)
	p.add(placesTable().upsert(), placesTable().columns, places)
	p.add(addPlaces, id, d.placed())
	p.add(addWholePlaces, id, d.placed())

	// One after the other: two of them may lead to the same incident.
	roots := []Column{{"id", Bytes}, {"at", Int}, {"verdict", Text}, {"person", Text}}
	for _, row := range closings {
		one := [][]any{row}
		p.add(closedRoots+fmt.Sprintf(countOf, lost, "SELECT id FROM roots"), roots, one)
		p.add(closeForgotten, roots, one)
		p.add(closedRoots+fmt.Sprintf(countOf, gained, "SELECT id FROM roots"), roots, one)
		p.add(addForgottenActs, roots, one)
		p.add(tellForgotten, roots, one)
	}

	p.add(statsTable().upsert(), statsTable().columns, statsRows(c))
	p.add(markNews, id, d.relived(c))
	p.add(fmt.Sprintf(addOutbox, " WHERE true"), alertColumns, outbox)
	p.add(fmt.Sprintf(addOutbox, unlessRepeats), alertColumns, outboxAgain)
	p.add(endRepeats, id, relived(c))
	p.add(fmt.Sprintf(countOf, lost, "{rows}"), id, relived(c))
	p.add(joinRepeats, id, relived(c))
	p.add(fmt.Sprintf(countOf, gained, "{rows}"), id, relived(c))
	p.add(tellEnds, id, ended(c))
	if err := p.snapshot(c); err != nil {
		return nil, err
	}
	if c.Lease > 0 { // by the clock at the end of all this
		p.add(fmt.Sprintf("UPDATE partitions SET lease_until = {now} + %d WHERE owner <> '' AND (id, epoch) IN ({rows})", int64(c.Lease)),
			[]Column{{"id", Int}, {"epoch", Int}}, [][]any{{int64(c.Partition), c.Epoch}})
	}
	return p, nil
}

func (p *Plan) fence(c store.Commit) {
	p.Fence = "UPDATE partitions SET stream = ?, applied = ?, clock = ?"
	p.FenceArgs = []any{clean(c.Stream), int64(c.Applied), c.Clock}
	if c.Snapshot != nil {
		seq := int64(c.Snapshot.Seq)
		p.Fence += ", snapshot_seq = ?, snapshot_format = ?, before_of = ?, before_seq = "
		p.FenceArgs = append(p.FenceArgs, seq, int64(c.Snapshot.Format), seq)
		if before := int64(c.Snapshot.Before); c.Snapshot.Full {
			p.Fence += "0"
		} else {
			// One that comes late, when it was done again and another was made of it, does not have the log kept longer: it
			// may be trimmed by now.
			p.Fence += "CASE WHEN stream = ? AND snapshot_seq = ? AND before_of = ? AND before_seq > ? THEN before_seq ELSE ? END"
			p.FenceArgs = append(p.FenceArgs, clean(c.Stream), seq, seq, before, before)
		}
	}
	p.Fence += " WHERE id = ? AND epoch = ? AND (stream <> ? OR applied <= ?) RETURNING 1"
	p.FenceArgs = append(p.FenceArgs, int64(c.Partition), c.Epoch, clean(c.Stream), int64(c.Applied))
}

// lastOf maps each key to the place of its last element.
func lastOf[T any](xs []T, key func(T) string) map[string]int {
	out := make(map[string]int, len(xs))
	for i, x := range xs {
		out[key(x)] = i
	}
	return out
}

// closingRows has all closings: of an incident that is closed twice the first one counts, whether one commit has both or each its own.
func closingRows(cs []correlate.Close) ([][]any, error) {
	var out [][]any
	for _, c := range cs {
		id, err := parseID(c.Incident)
		if err != nil {
			return nil, fmt.Errorf("closing: %w", err)
		}
		out = append(out, []any{id, c.At, clean(string(c.Verdict)), clean(c.By)})
	}
	return out, nil
}

var alertColumns = []Column{
	{"incident", Bytes}, {"revision", Int}, {"receiver", Text}, {"detection", Text}, {"kind", Text}, {"body", Bytes}, {"not_before", Int},
	{"wait", Int}, {"terms", Text},
}

// outboxRows has a commit's alerts, those about incidents that may be repeats apart.
func outboxRows(c store.Commit) (out, again [][]any, err error) {
	repeat := make(map[string]bool)
	for _, in := range c.Changes.Incidents {
		repeat[in.ID] = in.Again
	}
	for _, o := range c.Outbox {
		id, err := parseID(o.Incident)
		if err != nil {
			return nil, nil, fmt.Errorf("outbox: %w", err)
		}
		row := []any{id, o.Revision, clean(o.Receiver), clean(o.Detection), clean(o.Kind), notNil(o.Body), o.NotBefore, int64(o.Wait), clean(o.Terms)}
		if repeat[o.Incident] {
			again = append(again, row)
		} else {
			out = append(out, row)
		}
	}
	return out, again, nil
}

func statsRows(c store.Commit) [][]any {
	last := lastOf(c.Changes.Stats, func(s correlate.Stats) string { return clean(s.Rule) })
	var out [][]any
	for i, s := range c.Changes.Stats {
		if rule := clean(s.Rule); last[rule] == i {
			out = append(out, []any{
				int64(c.Partition), rule, s.Matched, s.Unkeyed, s.Excepted, s.Late, s.Capped, s.Retracted,
				s.Dropped, s.Duplicates, s.Detections, s.Incidents, s.Negative, s.Future,
			})
		}
	}
	return out
}

// notNil returns b as a value that is not NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// entityLabel is the label that an entity of a type is found by.
func entityLabel(kind string) string { return label("entity:" + kind) }

// names returns the names of the incident's grouping key and of its windows' keys.
func names(in incident.Incident) (group, window []string) {
	window = append([]string{}, in.Rule.By...)
	group = []string{}
	for _, i := range in.Rule.GroupBy {
		if i < len(window) {
			group = append(group, window[i])
		}
	}
	return group, window
}
