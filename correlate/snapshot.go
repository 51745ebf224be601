// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"tocsin/event"
	"tocsin/rules"
)

// SnapshotFormat is the version of a Cell's encoding. A version reads its own and the one before, and leaves newer ones alone:
// TestGoldenSnapshots says what to do when it is raised.
const SnapshotFormat = 6

// withLives is the first format that has the lives of detections.
const withLives = 6

// engineCell is the Cell that holds what is the whole partition's: clock, floor, numbers.
const engineCell = ""

// Snapshot returns the cells that changed since the last call. Together with those of
// earlier calls that no later one replaced they are the whole state.
func (e *Engine) Snapshot() []Cell {
	out := []Cell{{ID: engineCell, State: e.encode()}}
	for _, k := range e.forgot {
		if e.cells[k] == nil {
			out = append(out, Cell{ID: k.id()})
		}
	}
	e.forgot = nil
	for _, c := range e.sorted(func(c *cell) bool { return c.outdated }) {
		c.outdated = false
		out = append(out, Cell{ID: c.key().id(), State: c.encode(e.now.set)})
	}
	return out
}

// sorted returns the cells that are wanted, in order of their ids.
func (e *Engine) sorted(wanted func(*cell) bool) []*cell {
	var out []*cell
	for _, c := range e.cells {
		if wanted(c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *cell) int { return a.key().compare(b.key()) })
	return out
}

func sortedIDs[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// UnknownSetError says that a cell is in the words of a Set that the engine has not been given by [Engine.Use]: once it
// has, the cell can be restored.
type UnknownSetError struct{ Hash string }

func (e *UnknownSetError) Error() string { return fmt.Sprintf("correlate: no rule set %q", e.Hash) }

// Restore takes in one cell of a snapshot, that of the least id first. The error is an [UnknownSetError], or says that
// the cell cannot be read.
func (e *Engine) Restore(cell Cell) error {
	r := &event.Reader{B: cell.State}
	format := r.Uint()
	if format != SnapshotFormat && format != SnapshotFormat-1 {
		return fmt.Errorf("correlate: snapshot of format %d, this version reads %d and %d", format, SnapshotFormat, SnapshotFormat-1)
	}
	var err error
	if cell.ID == engineCell {
		err = e.decode(r)
	} else {
		err = e.decodeCell(r, format)
	}
	if _, unknown := errors.AsType[*UnknownSetError](err); unknown {
		return err
	}
	if err != nil {
		return fmt.Errorf("correlate: snapshot of cell %q: %w", cell.ID, err)
	}
	return nil
}

func (e *Engine) decodeCell(r *event.Reader, format uint64) error {
	set, revision, group := r.String(), r.String(), rules.Key(r.String())
	if r.Err != nil {
		return r.Err
	}
	for _, x := range []edition{e.next, e.now} {
		if e.sets[x.set][revision] != nil {
			set = x.set
		}
	}
	if e.sets[set][revision] == nil {
		return &UnknownSetError{set}
	}
	p := e.plans[revision]
	p.speak(e.sets, set)
	c := &cell{plan: p, group: group, outdated: format != SnapshotFormat}
	c.decode(r, format >= withLives)
	if r.Err != nil {
		c.removeAll()
		return r.Err
	}
	c.arm(c.windows)
	c.rest()
	e.cells[c.key()] = c
	e.perRule[revision]++
	e.schedule(c)
	return nil
}

func (e *Engine) encode() []byte {
	w := &event.Writer{}
	w.Uint(SnapshotFormat)
	w.Int(e.clock)
	w.Uint(e.floor)
	w.Int(e.horizon)
	for _, x := range []edition{e.now, e.next} {
		w.String(x.set)
		w.Uint(x.generation)
	}
	w.Uint(uint64(len(e.seen)))
	batches := make([]taken, 0, len(e.seen))
	for b := range e.seen {
		batches = append(batches, b)
	}
	sort.Slice(batches, func(i, j int) bool {
		a, b := batches[i], batches[j]
		return a.seq < b.seq || a.seq == b.seq && a.part < b.part
	})
	for _, b := range batches {
		w.Uint(b.seq)
		w.Uint(b.part)
	}
	w.Uint(uint64(len(e.stats)))
	for _, id := range sortedIDs(e.stats) {
		s := e.stats[id]
		w.String(s.Rule)
		for _, n := range s.numbers() {
			w.Int(*n)
		}
	}
	return w.B
}

func (s *Stats) numbers() []*int64 {
	return []*int64{
		&s.Matched, &s.Unkeyed, &s.Excepted, &s.Late, &s.Capped, &s.Retracted,
		&s.Dropped, &s.Duplicates, &s.Detections, &s.Incidents, &s.Negative, &s.Future,
	}
}

func (e *Engine) decode(r *event.Reader) error {
	clock, floor, horizon := r.Int(), r.Uint(), r.Int()
	now, next := edition{r.String(), r.Uint()}, edition{r.String(), r.Uint()}
	for _, x := range []edition{now, next} {
		if x.set != "" && r.Err == nil && e.sets[x.set] == nil {
			return &UnknownSetError{x.set}
		}
	}
	e.clock, e.floor, e.horizon, e.now, e.next = clock, floor, horizon, now, next
	e.reword()
	for range r.Len() {
		e.seen[taken{r.Uint(), r.Uint()}] = true
	}
	for range r.Len() {
		s := &Stats{Rule: r.String()}
		for _, n := range s.numbers() {
			*n = r.Int()
		}
		if r.Err != nil {
			return r.Err
		}
		e.stats[s.Rule] = s
	}
	return r.Err
}

// encode encodes a cell. It names the Set whose words it has, unless that is the one in force.
func (c *cell) encode(inForce string) []byte {
	w := &event.Writer{}
	w.Uint(SnapshotFormat)
	if c.plan.set == inForce {
		w.String("")
	} else {
		w.String(c.plan.set)
	}
	w.String(c.plan.rule.Revision)
	w.String(string(c.group))
	w.Uint(uint64(len(c.windows)))
	for _, win := range sorted(c.windows) {
		path := splitPath(win.plan.path)
		w.Uint(uint64(len(path)))
		for _, p := range path {
			w.Uint(uint64(p))
		}
		w.String(string(win.key))
		win.encode(w)
	}
	w.Bool(c.chain != nil)
	if c.chain != nil {
		c.chain.Encode(w)
	}
	return w.B
}

func (c *cell) decode(r *event.Reader, lives bool) {
	for range r.Len() {
		path := make([]int, r.Len())
		for i := range path {
			path[i] = int(r.Uint())
		}
		key := rules.Key(r.String())
		p := c.plan.planAt(path)
		if p == nil {
			r.Err = event.ErrValue
			return
		}
		if c.find(p, key) != nil {
			r.Err = event.ErrValue
			return
		}
		c.open(p, key).decode(r, lives)
		if r.Err != nil {
			return
		}
	}
	if r.Bool() {
		c.startChain().Decode(r, lives)
	}
}
