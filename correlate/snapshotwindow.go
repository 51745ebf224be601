// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

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
		out.Uint(uint64(m.barred))
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

func (w *window) decode(r *event.Reader, lives bool) {
	w.capped, w.due, w.unevenTo = r.Bool(), r.Int(), r.Int()
	for range r.Len() {
		x := &run{}
		x.decode(r, w, lives)
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
		m := w.newMatch(ref, r.Uint(), int8(r.Uint()), decodeStrings(r))
		m.holds, m.fp = r.Bool(), r.Bool()
		m.start, m.due, m.horizon = r.Int(), r.Int(), r.Int()
		m.run = at(r.Uint())
		for range r.Len() {
			if x := at(r.Uint()); x != nil {
				m.countIn(append(m.counted, x))
			}
		}
		if r.Err != nil {
			return
		}
		w.note(m, 1)
		w.ms = append(w.ms, m)
		w.enter(m)
	}
	for _, x := range w.memories {
		x.decode(r)
	}
}

func (r *run) encode(w *event.Writer) {
	w.String(r.id)
	w.String(r.life.Origin)
	w.Int(r.life.Number)
	w.Bool(r.again != nil)
	if r.again != nil {
		for _, v := range []int64{r.again.First, r.again.Last, r.again.Born, r.again.EventCount} {
			w.Int(v)
		}
	}
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

func (r *run) decode(d *event.Reader, w *window, lives bool) {
	r.id = d.String()
	if lives {
		r.life = incident.Life{Origin: d.String(), Number: d.Int()}
		if d.Bool() {
			r.again = &incident.Known{ID: r.id, Life: r.life, First: d.Int(), Last: d.Int(), Born: d.Int(), EventCount: d.Int()}
		}
	}
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
		r.out.Key, r.out.Life = w.key, r.life
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
