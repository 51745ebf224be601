// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"tocsin/event"
)

// Encode appends the chain's state.
func (c *Chain) Encode(w *event.Writer) {
	w.Uint(uint64(len(c.links)))
	for _, id := range sortedKeys(c.links) {
		l := c.links[id]
		w.String(l.id)
		w.String(l.life.Origin)
		w.Int(l.life.Number)
		for _, v := range l.numbers() {
			w.Int(*v)
		}
		w.Bool(l.capped)
		w.Bool(l.retracted)
		w.String(l.incident)
	}
	w.Uint(uint64(len(c.incidents)))
	for _, id := range sortedKeys(c.incidents) {
		s := c.incidents[id]
		w.String(id)
		for _, v := range s.out.numbers() {
			w.Int(*v)
		}
		w.String(s.out.Title)
		w.String(string(s.out.Verdict))
		w.String(s.out.ClosedBy)
		w.String(s.out.MergedInto)
		w.Bool(s.out.Capped)
		w.Bool(s.out.Retracted)
		w.Bool(s.out.Again)
		w.Bool(s.told)
		w.Bool(s.capped)
		sources, entities := s.lists()
		w.Uint(uint64(len(sources)))
		for _, x := range sources {
			w.String(x)
		}
		w.Uint(uint64(len(entities)))
		for _, x := range entities {
			w.String(x.Type)
			w.String(x.Name)
		}
	}
	w.Uint(uint64(len(c.closings)))
	for _, cl := range c.closings {
		w.Int(cl.at)
		w.String(cl.incident)
	}
}

// Decode reads what Encode wrote into an empty chain, lives is false for what an Encode wrote that knew of none; the reader's Err says
// whether it was whole.
func (c *Chain) Decode(r *event.Reader, lives bool) {
	for range r.Len() {
		l := &link{id: r.String()}
		if lives {
			l.life = Life{r.String(), r.Int()}
		}
		for _, v := range l.numbers() {
			*v = r.Int()
		}
		l.capped, l.retracted, l.incident = r.Bool(), r.Bool(), r.String()
		c.keep(l)
	}
	for range r.Len() {
		s := &state{sources: make(map[string]bool), entities: make(map[Entity]bool)}
		s.out = Incident{ID: r.String(), Rule: c.rule, Key: c.key}
		for _, v := range s.out.numbers() {
			*v = r.Int()
		}
		s.out.Title, s.out.Verdict, s.out.ClosedBy, s.out.MergedInto = r.String(), Verdict(r.String()), r.String(), r.String()
		s.out.Capped, s.out.Retracted, s.out.Again = r.Bool(), r.Bool(), lives && r.Bool()
		s.told, s.capped = r.Bool(), r.Bool()
		for range r.Len() {
			s.sources[r.String()] = true
		}
		for range r.Len() {
			s.entities[Entity{r.String(), r.String()}] = true
		}
		if r.Err != nil {
			return
		}
		s.out.Sources, s.out.Entities = s.lists()
		c.incidents[s.out.ID] = s
	}
	for range r.Len() {
		c.closings = append(c.closings, closing{r.Int(), r.String()})
	}
}

func (l *link) numbers() []*int64 {
	return []*int64{&l.first, &l.last, &l.firing, &l.born, &l.reached, &l.count, &l.late}
}

func (in *Incident) numbers() []*int64 {
	return []*int64{
		&in.FirstEvent, &in.LastEvent, &in.OpenedAt, &in.UpdatedAt, &in.ClosedAt,
		&in.EventCount, &in.Late, &in.DetectionCount, &in.Revision,
	}
}
