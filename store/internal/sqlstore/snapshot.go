// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"tocsin/correlate"
	"tocsin/store"
)

// Two snapshots are kept, the last one and the one before it. A cell's row has its state in the last one and the sequence of the
// snapshot that wrote it; if that is the last one, also the state before. The cells that went in the last one are in a table of
// their own. Only what changed is written, whichever of the two is read later.
const (
	forgetCells = "DELETE FROM snapshot_cells WHERE partition_id IN ({rows})"
	forgetGone  = "DELETE FROM snapshot_gone WHERE partition_id IN ({rows})"

	// What a snapshot did that cannot be read is undone: every cell is as it was in the one before.
	undoNew     = of + "DELETE FROM snapshot_cells WHERE partition_id = (SELECT part FROM v) AND seq > (SELECT seq FROM v) AND prev_state IS NULL"
	undoChanged = of + `UPDATE snapshot_cells SET state = prev_state, checksum = prev_checksum, seq = v.seq
FROM v WHERE partition_id = v.part AND snapshot_cells.seq > v.seq`
	undoGone = of + `INSERT INTO snapshot_cells (partition_id, cell_hash, cell, state, checksum, seq)
SELECT g.partition_id, g.cell_hash, g.cell, g.state, g.checksum, v.seq FROM snapshot_gone g JOIN v ON g.partition_id = v.part
WHERE g.seq > v.seq ON CONFLICT (partition_id, cell_hash) DO NOTHING`

	// Of what went, only the last snapshot's is kept. A commit that is done again has moved it already.
	outlive = of + "DELETE FROM snapshot_gone WHERE partition_id = (SELECT part FROM v) AND seq <> (SELECT seq FROM v)"
	leave   = `INSERT INTO snapshot_gone (partition_id, cell_hash, cell, state, checksum, seq)
SELECT c.partition_id, c.cell_hash, c.cell, c.state, c.checksum, v.seq FROM (
  WITH r(part, hash, seq) AS ({rows}) SELECT * FROM r
) AS v JOIN snapshot_cells c ON c.partition_id = v.part AND c.cell_hash = v.hash WHERE true
ON CONFLICT (partition_id, cell_hash) DO NOTHING`
	drop = "DELETE FROM snapshot_cells WHERE (partition_id, cell_hash) IN ({rows})"
	of   = "WITH v(part, seq) AS ({rows}) "

	// A snapshot that is written again does not take its own state for the one before.
	saveCells = `INSERT INTO snapshot_cells (partition_id, cell_hash, cell, state, checksum, seq) {rows}
ON CONFLICT (partition_id, cell_hash) DO UPDATE SET
  prev_state = CASE WHEN snapshot_cells.seq < excluded.seq THEN snapshot_cells.state ELSE snapshot_cells.prev_state END,
  prev_checksum = CASE WHEN snapshot_cells.seq < excluded.seq THEN snapshot_cells.checksum ELSE snapshot_cells.prev_checksum END,
  cell = excluded.cell, state = excluded.state, checksum = excluded.checksum, seq = excluded.seq`

	// What the snapshot of a sequence has: the last one, or the one before it.
	readCells = `SELECT cell, CASE WHEN seq <= ? THEN state ELSE prev_state END, CASE WHEN seq <= ? THEN checksum ELSE prev_checksum END
FROM snapshot_cells WHERE partition_id = ? AND (seq <= ? OR prev_state IS NOT NULL) AND %s
UNION ALL SELECT cell, state, checksum FROM snapshot_gone WHERE partition_id = ? AND seq > ? AND %s`
)

func (p *Plan) snapshot(c store.Commit) error {
	s := c.Snapshot
	if s == nil {
		return nil
	}
	part, seq := int64(c.Partition), int64(s.Seq)
	id, place := Column{"partition_id", Int}, []Column{{"part", Int}, {"seq", Int}}
	if s.Full {
		p.add(forgetCells, []Column{id}, [][]any{{part}})
	}
	if s.Undo {
		for _, undo := range []string{undoNew, undoChanged, undoGone} {
			p.add(undo, place, [][]any{{part, int64(s.Before)}})
		}
		p.add(forgetGone, []Column{id}, [][]any{{part}})
	}
	last := lastOf(s.Cells, func(x correlate.Cell) string { return x.ID })
	var left, dropped, kept [][]any
	for i, x := range s.Cells {
		hash := cellHash(x.ID)
		switch {
		case last[x.ID] != i:
		case len(x.State) > maxPacked:
			return fmt.Errorf("store: cell %q has %d bytes, above %d", cut(x.ID, 64), len(x.State), maxPacked)
		case x.State == nil:
			left, dropped = append(left, []any{part, hash, seq}), append(dropped, []any{part, hash})
		default:
			kept = append(kept, []any{part, hash, []byte(x.ID), pack(x.State), checksum(x.ID, x.State), seq})
		}
	}
	hash := Column{"hash", Bytes}
	p.add(outlive, place, [][]any{{part, seq}})
	p.add(leave, []Column{place[0], hash, place[1]}, left)
	p.add(drop, []Column{place[0], hash}, dropped)
	p.add(saveCells, []Column{place[0], hash, {"cell", Bytes}, {"state", Bytes}, {"checksum", Bytes}, place[1]}, kept)
	return nil
}

// Cells passes the cells of one of the partition's two snapshots to fn: that of the empty id, which says how to read the others,
// first.
func (c *Core) Cells(ctx context.Context, partition int, seq uint64, fn func(correlate.Cell) error) error {
	part, at, engine := int64(partition), int64(seq), cellHash("")
	for _, which := range []string{"cell_hash = ?", "cell_hash <> ?"} {
		err := c.db.Query(ctx, fmt.Sprintf(readCells, which, which), []any{at, at, part, at, engine, part, at, engine}, func(scan Scan) error {
			var id, state, sum []byte
			if err := scan(&id, &state, &sum); err != nil {
				return err
			}
			state, err := openCell(string(id), state, sum)
			if err != nil {
				return err
			}
			return fn(correlate.Cell{ID: string(id), State: state})
		})
		if err != nil {
			return fmt.Errorf("store: read the snapshot of partition %d up to %d: %w", partition, seq, err)
		}
	}
	return nil
}
