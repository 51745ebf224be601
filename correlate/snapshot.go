// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"errors"
	"fmt"
	"sort"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// SnapshotFormat is the version of a Cell's encoding.
const SnapshotFormat = 4

// engineCell is the Cell that holds what is the whole partition's: clock, floor, numbers.
const engineCell = ""

// Snapshot returns the cells that changed since the last call. Together with those of
// earlier calls that no later one replaced they are the whole state.
func (e *Engine) Snapshot() []Cell {
	out := []Cell{{ID: engineCell, State: e.encode()}}
	for _, id := range e.forgot {
		if e.cells[id] == nil {
			out = append(out, Cell{ID: id})
		}
	}
	e.forgot = nil
	for _, id := range sortedIDs(e.cells) {
		if c := e.cells[id]; c.outdated {
			c.outdated = false
			out = append(out, Cell{ID: id, State: c.encode(e.now.set)})
		}
	}
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
	if v := r.Uint(); v != SnapshotFormat {
		return fmt.Errorf("correlate: snapshot of format %d, this version reads %d", v, SnapshotFormat)
	}
	var err error
	if cell.ID == engineCell {
		err = e.decode(r)
	} else {
		err = e.decodeCell(r)
	}
	if _, unknown := errors.AsType[*UnknownSetError](err); unknown {
		return err
	}
	if err != nil {
		return fmt.Errorf("correlate: snapshot of cell %q: %w", cell.ID, err)
	}
	return nil
}

func (e *Engine) decodeCell(r *event.Reader) error {
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
	c := newCell(p, group, e.limits)
	c.decode(r)
	if r.Err == nil {
		e.cells[c.id] = c
		e.perRule[revision]++
		e.schedule(c)
	}
	return r.Err
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
		&s.Dropped, &s.Duplicates, &s.Detections, &s.Incidents, &s.Negative,
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
	for _, win := range c.sorted() {
		path := splitPath(win.path)
		w.Uint(uint64(len(path)))
		for _, p := range path {
			w.Uint(uint64(p))
		}
		w.String(string(win.key))
		win.encode(w)
	}
	c.chain.Encode(w)
	return w.B
}

func (c *cell) decode(r *event.Reader) {
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
		c.window(p, pathString(path), key).decode(r)
		if r.Err != nil {
			return
		}
	}
	c.chain.Decode(r)
}

func (w *window) encode(out *event.Writer) {
	place := make(map[*run]uint64, len(w.runs))
	out.Bool(w.capped)
	out.Int(w.due)
	out.Int(w.unevenTo)
	out.Uint(uint64(len(w.runs)))
	for i, r := range w.runs {
		place[r] = uint64(i + 1)
		r.encode(out)
	}
	out.Uint(uint64(len(w.ms)))
	for _, m := range w.ms {
		encodeRef(out, &m.ref)
		out.Uint(m.bits)
		encodeStrings(out, m.vals)
		out.Bool(m.holds)
		out.Bool(m.fp)
		out.Int(m.start)
		out.Int(m.due)
		out.Int(m.horizon)
		out.Uint(place[m.run])
		out.Uint(uint64(len(m.counted)))
		for _, r := range m.counted {
			out.Uint(place[r])
		}
	}
	for _, x := range w.memories {
		x.encode(out)
	}
}

func (w *window) decode(r *event.Reader) {
	w.capped, w.due, w.unevenTo = r.Bool(), r.Int(), r.Int()
	for range r.Len() {
		x := &run{}
		x.decode(r, w)
		w.runs = append(w.runs, x)
		if r.Err != nil {
			return
		}
	}
	at := func(i uint64) *run {
		if i == 0 || i > uint64(len(w.runs)) {
			return nil
		}
		return w.runs[i-1]
	}
	for range r.Len() {
		var ref rules.EventRef
		decodeRef(r, &ref)
		m := w.newMatch(ref, r.Uint(), decodeStrings(r))
		m.holds, m.fp = r.Bool(), r.Bool()
		m.start, m.due, m.horizon = r.Int(), r.Int(), r.Int()
		m.run = at(r.Uint())
		for range r.Len() {
			if x := at(r.Uint()); x != nil {
				m.counted = append(m.counted, x)
			}
		}
		if r.Err != nil {
			return
		}
		w.note(m, 1)
		w.ms = append(w.ms, m)
		w.byID[m.ref.ID] = m
	}
	for _, x := range w.memories {
		x.decode(r)
	}
}

func (r *run) encode(w *event.Writer) {
	w.String(r.id)
	w.Int(r.firstTime)
	w.ID(r.firstID)
	w.Bool(r.folded)
	for _, v := range []int64{r.start, r.last, r.firing, r.born, r.reached, r.count, r.late, r.from, r.to} {
		w.Int(v)
	}
	w.ID(r.firingID)
	w.Uint(uint64(len(r.steps)))
	for _, n := range r.steps {
		w.Int(n)
	}
	w.Uint(uint64(len(r.evidence)))
	for i := range r.evidence {
		encodeRef(w, &r.evidence[i].ref)
		w.Uint(uint64(r.evidence[i].step))
	}
	w.Bool(r.retracted != nil)
	w.Bool(r.capped)
	w.String(r.cause)
	w.Bool(r.told)
	if r.told {
		encodeDetection(w, &r.out)
	}
}

func (r *run) decode(d *event.Reader, w *window) {
	r.id = d.String()
	r.firstTime, r.firstID = d.Int(), d.ID()
	r.folded = d.Bool()
	for _, v := range []*int64{&r.start, &r.last, &r.firing, &r.born, &r.reached, &r.count, &r.late, &r.from, &r.to} {
		*v = d.Int()
	}
	r.firingID = d.ID()
	r.steps = make([]int64, d.Len())
	for i := range r.steps {
		r.steps[i] = d.Int()
	}
	r.evidence = make([]evidence, d.Len())
	for i := range r.evidence {
		decodeRef(d, &r.evidence[i].ref)
		r.evidence[i].step = int(d.Uint())
		if d.Err != nil || r.evidence[i].step >= len(r.steps) {
			d.Err = event.ErrValue
			return
		}
	}
	retracted := d.Bool()
	r.capped, r.cause, r.told = d.Bool(), d.String(), d.Bool()
	if r.told {
		decodeDetection(d, &r.out)
		r.out.Key = w.key
		for i := range r.out.Evidence {
			r.out.Evidence[i].Detection = r.id
		}
	}
	if retracted {
		r.retracted = r.out.Retracted
	}
}

func encodeDetection(w *event.Writer, d *incident.Detection) {
	w.String(d.ID)
	for _, v := range []int64{d.First, d.Last, d.FirstFiring, d.EventCount, d.Late, d.Born, d.Reached} {
		w.Int(v)
	}
	w.Bool(d.Capped)
	w.Bool(d.Retracted != nil)
	if d.Retracted != nil {
		w.String(d.Retracted.EventID)
	}
	w.Uint(uint64(len(d.Steps)))
	for _, s := range sortedIDs(d.Steps) {
		w.String(s)
		w.Int(d.Steps[s])
	}
	w.Uint(uint64(len(d.Evidence)))
	for i := range d.Evidence {
		w.String(d.Evidence[i].Step)
		encodeRef(w, &d.Evidence[i].Event)
	}
}

func decodeDetection(r *event.Reader, d *incident.Detection) {
	d.ID = r.String()
	for _, v := range []*int64{&d.First, &d.Last, &d.FirstFiring, &d.EventCount, &d.Late, &d.Born, &d.Reached} {
		*v = r.Int()
	}
	d.Capped = r.Bool()
	if r.Bool() {
		d.Retracted = &incident.Retraction{EventID: r.String()}
	}
	n := r.Len()
	d.Steps = make(map[string]int64, n)
	for range n {
		s := r.String()
		d.Steps[s] = r.Int()
	}
	d.Evidence = make([]incident.Evidence, r.Len())
	for i := range d.Evidence {
		d.Evidence[i].Step = r.String()
		decodeRef(r, &d.Evidence[i].Event)
		if r.Err != nil {
			return
		}
	}
}
