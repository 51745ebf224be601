// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/store"
)

// watch looks at every commit that the store accepts: what the store has of the partition afterwards must be what an engine
// says that has read the partition's log up to there, once and one message after the other.
type watch struct {
	w     *world
	parts []*undisturbed
}

// undisturbed has read a partition's log up to a sequence.
type undisturbed struct {
	partition int
	engine    *correlate.Engine
	book      *book
	upTo      uint64
	epoch     int64 // of the last commit
	told      map[string][5]int
	fresh     map[string]bool
}

func newWatch(w *world) *watch {
	v := &watch{w: w}
	for p := range w.streams.partitions {
		e := correlate.New(int64(w.scenario.lateness), correlate.Limits{})
		if err := e.Use(w.scenario.set); err != nil {
			w.fail("use: %v", err)
		}
		v.parts = append(v.parts, &undisturbed{
			partition: p, engine: e, book: newBook(), upTo: firstSeq - 1, told: make(map[string][5]int), fresh: make(map[string]bool),
		})
	}
	return v
}

// tell puts in the outbox what owners want told: each change of an incident but its growth, and each new detection.
func tell(v incident.View, changed incident.Change, fresh []string) ([]store.OutboxItem, error) {
	var out []store.OutboxItem
	if changed &^= incident.Grown; changed != 0 {
		out = append(out, store.OutboxItem{Incident: v.ID, Revision: v.Revision, Receiver: "incidents", Kind: strconv.Itoa(int(changed))})
	}
	for _, id := range fresh {
		out = append(out, store.OutboxItem{Incident: v.ID, Revision: v.Revision, Receiver: "detections", Detection: id})
	}
	return out, nil
}

// committed is told of a commit that was accepted.
func (v *watch) committed(c store.Commit, now store.Lease) {
	r := v.parts[c.Partition]
	if c.Epoch != now.Epoch || c.Epoch < r.epoch {
		v.w.fail("a commit of epoch %d is accepted, the partition's is %d and was %d", c.Epoch, now.Epoch, r.epoch)
	}
	r.epoch = c.Epoch
	if c.Applied < r.upTo {
		v.w.fail("a commit up to %d follows one up to %d", c.Applied, r.upTo)
		return
	}
	if err := r.read(v.w.streams, c.Applied); err != nil {
		v.w.fail("read the log up to %d: %v", c.Applied, err)
		return
	}
	if err := r.compare(v.w); err != nil {
		v.w.fail("partition %d after the commit up to %d in epoch %d: %v", c.Partition, c.Applied, c.Epoch, err)
	}
}

// read reads the log on.
func (r *undisturbed) read(s *streamServer, upTo uint64) error {
	for ; r.upTo < upTo && r.upTo < s.last(); r.upTo++ {
		m := s.matches[r.upTo+1-firstSeq]
		if m.partition != r.partition {
			continue
		}
		entries, err := correlate.DecodeEntries(bytes.Clone(m.data), m.at)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := r.engine.Step(e); err != nil {
				return err
			}
		}
		r.take(r.engine.Changes())
	}
	return nil
}

// take notes what one message changed.
func (r *undisturbed) take(changes correlate.Changes) {
	c := store.Commit{Partition: r.partition, Changes: changes}
	for _, d := range changes.Detections {
		for _, e := range d.Added {
			c.Evidence = append(c.Evidence, store.Evidence{Detection: d.Detection.ID, Step: e.Step, Ref: e.Event})
		}
		if d.New {
			r.fresh[d.Detection.ID] = true
		}
	}
	for _, in := range changes.Incidents {
		told := r.told[in.ID]
		count(&told, in.Changed)
		r.told[in.ID] = told
	}
	r.book.write(c)
}

func count(told *[5]int, changed incident.Change) {
	for i := range told {
		if c := incident.Change(1) << i; c != incident.Grown && changed&c != 0 {
			told[i]++
		}
	}
}

// compare says how the store's rows of the partition differ from what they should be.
func (r *undisturbed) compare(w *world) error {
	got := w.store.book
	if err := sameRows("incident", got.incidents, r.book.incidents, func(x incidentRow) bool { return x.partition == r.partition }); err != nil {
		return err
	}
	if err := sameRows("detection", got.detections, r.book.detections, func(x detectionRow) bool { return x.partition == r.partition }); err != nil {
		return err
	}
	mine := func(k statsKey) bool { return k.partition == r.partition }
	for k, want := range r.book.stats {
		if have := got.stats[k]; mine(k) && have != want {
			return fmt.Errorf("numbers %+v, want %+v", have, want)
		}
	}
	for k, e := range got.evidence {
		if got.detections[k.detection].partition != r.partition {
			continue
		}
		if _, ok := r.book.evidence[k]; !ok {
			return fmt.Errorf("evidence %v is too much", k)
		}
		rec, _ := w.streams.record(e.Ref.Seq, e.Ref.Index)
		if e.Item.Note != "" || !bytes.Equal(e.Item.Raw, rec.Raw) {
			return fmt.Errorf("evidence %v has the bytes %q and the note %q, of %q", k, e.Item.Raw, e.Item.Note, rec.Raw)
		}
	}
	for k := range r.book.evidence {
		if _, ok := got.evidence[k]; !ok {
			return fmt.Errorf("evidence %v is missing", k)
		}
	}
	return r.compareTold(got)
}

func sameRows[V any](what string, got, want map[string]V, mine func(V) bool) error {
	for id, x := range got {
		if y, ok := want[id]; mine(x) && (!ok || !reflect.DeepEqual(x, y)) {
			return fmt.Errorf("%s %+v\nwant %+v", what, x, y)
		}
	}
	for id, y := range want {
		if _, ok := got[id]; !ok {
			return fmt.Errorf("%s %+v is missing", what, y)
		}
	}
	return nil
}

// compareTold looks at the outbox: each thing that became of an incident is told once (or not every time, if it came more than
// once in one commit), each detection once.
func (r *undisturbed) compareTold(b *book) error {
	told := make(map[string][5]int)
	fresh := make(map[string]bool)
	for _, row := range b.outbox {
		if row.partition != r.partition {
			continue
		}
		if id := row.item.Detection; id != "" {
			if fresh[id] || !r.fresh[id] {
				return fmt.Errorf("detection %s is told of, told before: %t", id, fresh[id])
			}
			fresh[id] = true
			continue
		}
		changed, _ := strconv.Atoi(row.item.Kind)
		n := told[row.item.Incident]
		count(&n, incident.Change(changed))
		told[row.item.Incident] = n
	}
	for id, want := range r.told {
		got := told[id]
		for i := range want {
			if got[i] > want[i] || got[i] == 0 && want[i] > 0 {
				return fmt.Errorf("incident %s: told %v of opened, grown, closed, retracted, merged; it was %v", id, got, want)
			}
		}
	}
	for id := range r.fresh {
		if _, there := r.book.detections[id]; there && !fresh[id] {
			return fmt.Errorf("detection %s is not told of", id)
		}
	}
	return nil
}

// end compares what is there when all is decided with what replay finds.
func (v *watch) end() {
	got, want := printed(pipeline.Result{Incidents: v.w.store.book.views()}), v.w.scenario.want
	if v.w.scenario.closes { // when decides about incidents, not about what they are made of
		v.w.closedOnce()
		got, want = detectionsIn(got), detectionsIn(want)
	}
	if got != want {
		v.w.fail("the incidents are\n%s\nand replay finds\n%s", got, want)
	}
}

// detectionsIn leaves of what is printed the detections, whatever incidents they are in.
func detectionsIn(printed string) string {
	lines := strings.Split(printed, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "  ") })
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
