// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strconv"

	"tocsin/event"
	"tocsin/rules"
)

// Chain groups the detections of one rule and grouping key into incidents (I1-I3, I5).
//
// [Chain.Put] and [Chain.Close] take what happens, [Chain.Settle] works out the
// incidents again and says what changed. The grouping is a function of the
// detections and closings, whatever their order; identities go with the oldest part.
type Chain struct {
	rule  *rules.Rule
	key   rules.Key
	quiet int64
	// memory is how much longer than Q a detection waits for others to chain with:
	// T + L and what settling takes.
	memory int64
	// lag is how much longer the chain keeps it: a detection can turn up so much after its arrival.
	lag   int64
	late  int64
	limit int

	links     map[string]*link
	later     map[string]*link // those of a later life, by their origin
	incidents map[string]*state
	closings  []closing
	joined    []string
	moved     []string
	dirty     bool
}

// link is what the chain keeps of a detection.
type link struct {
	id                  string
	first, last, firing int64
	born, reached       int64
	count, late         int64
	life                Life
	capped, retracted   bool
	incident            string
}

type closing struct {
	at       int64
	incident string
}

// state is what the chain keeps of an incident.
type state struct {
	out      Incident // as last told
	sources  map[string]bool
	entities map[Entity]bool
	told     bool
	changed  Change
	capped   bool
	// heirs are the detections that those of it were joined into, until it is settled.
	heirs []string
}

// MaxListed bounds the entities, and the sources, that one incident lists.
const MaxListed = 100

// NewChain returns the empty chain of a rule and grouping key. Lateness is L, delay how much later than its
// event a detection can show, lag how much later again where it is over referenced rules, all in nanoseconds;
// limit bounds the detections that it keeps (B2).
func NewChain(r *rules.Rule, key rules.Key, lateness, delay, lag int64, limit int) *Chain {
	memory := int64(r.Within) + lateness + delay
	return &Chain{
		rule: r, key: key, quiet: int64(r.Quiet), late: lateness, memory: memory, lag: memory + lag, limit: limit,
		links: make(map[string]*link), later: make(map[string]*link), incidents: make(map[string]*state),
	}
}

// Memory is for how long after its first event a chain has a detection at the least, in nanoseconds; the arguments are those of [NewChain].
func Memory(r *rules.Rule, lateness, delay int64) int64 {
	return event.Plus(event.Plus(int64(r.Quiet), int64(r.Within)), event.Plus(lateness, delay))
}

// SetRule gives the chain its rule in other words: what is said of its incidents from now on has them. What the rule
// means is the same.
func (c *Chain) SetRule(r *rules.Rule) {
	c.rule = r
	for _, s := range c.incidents {
		s.out.Rule = r
	}
}

// Has reports whether the chain keeps the detection.
func (c *Chain) Has(detection string) bool { _, ok := c.links[detection]; return ok }

// Known is what a chain keeps of a detection; the fields are the [Detection]'s.
type Known struct {
	ID                string
	Life              Life
	First, Last, Born int64
	EventCount        int64
}

// Covers reports whether a detection that is made again is no more than what is known of it: no longer, of no more events, and of none that
// arrived before.
func (k Known) Covers(d Detection) bool {
	return k.First <= d.First && k.Last >= d.Last && k.EventCount >= d.EventCount && k.Born <= d.Born
}

// Known returns the detection of an origin that the chain keeps, in whichever life; ok is false if it keeps none.
func (c *Chain) Known(origin string) (k Known, ok bool) {
	l := c.links[origin]
	if l == nil {
		l = c.later[origin]
	}
	if l == nil {
		return Known{}, false
	}
	return Known{ID: l.id, Life: l.life, First: l.first, Last: l.last, Born: l.born, EventCount: l.count}, true
}

// IncidentOf returns the incident that a detection is in, "" if none.
func (c *Chain) IncidentOf(detection string) string {
	if l := c.links[detection]; l != nil {
		return l.incident
	}
	return ""
}

// Joined drains the detections that came into their first incident.
func (c *Chain) Joined() []string {
	out := c.joined
	c.joined = nil
	return out
}

// Moved drains the detections that went from one incident to another, sorted.
func (c *Chain) Moved() []string {
	out := c.moved
	c.moved = nil
	sort.Strings(out)
	return out
}

// Empty reports whether nothing is left to remember.
func (c *Chain) Empty() bool { return len(c.links) == 0 && len(c.incidents) == 0 }

// Put takes a detection that is new or changed; added is the evidence that came to it. It reports false
// if the limit left it out.
func (c *Chain) Put(d Detection, added []Evidence) bool {
	l := c.links[d.ID]
	if l == nil {
		if len(c.links) >= c.limit {
			for _, s := range c.incidents {
				if s.out.MergedInto == "" && s.out.ClosedAt == 0 && !s.capped {
					s.capped, c.dirty = true, true
				}
			}
			return false
		}
		l = &link{id: d.ID, life: d.Life}
		c.keep(l)
	}
	l.first, l.last, l.firing = d.First, d.Last, d.FirstFiring
	l.born, l.reached = d.Born, d.Reached
	l.count, l.late, l.capped = d.EventCount, d.Late, d.Capped
	l.retracted = d.Retracted != nil
	c.dirty = true
	if s := c.incidents[l.incident]; s != nil {
		s.learn(added)
	}
	return true
}

// Gone takes out a detection that was joined into another.
func (c *Chain) Gone(detection, into string) {
	if l := c.links[detection]; l != nil {
		if s := c.incidents[l.incident]; s != nil {
			s.heirs = append(s.heirs, into)
		}
		c.drop(l)
	}
	c.dirty = true
}

func (c *Chain) keep(l *link) {
	c.links[l.id] = l
	if l.life != (Life{}) {
		c.later[l.life.Origin] = l
	}
}

func (c *Chain) drop(l *link) {
	delete(c.links, l.id)
	if c.later[l.life.Origin] == l {
		delete(c.later, l.life.Origin)
	}
}

// Knows reports whether the chain remembers an incident.
func (c *Chain) Knows(id string) bool { return c.incidents[id] != nil }

// Close closes an incident at the stream's time of the message (I2). Of an incident that was joined into
// another, that one is closed. It reports whether there was one to close.
func (c *Chain) Close(id string, at int64, verdict Verdict, by string) bool {
	s := c.incidents[id]
	for s != nil && s.out.MergedInto != "" {
		s = c.incidents[s.out.MergedInto]
	}
	if s == nil || s.out.ClosedAt != 0 {
		return false
	}
	s.out.ClosedAt, s.out.Verdict, s.out.ClosedBy = at, verdict, by
	s.changed |= ClosedByPerson
	c.closings = append(c.closings, closing{at, s.out.ID})
	sort.SliceStable(c.closings, func(i, j int) bool { return c.closings[i].at < c.closings[j].at })
	c.dirty = true
	return true
}

func (s *state) learn(added []Evidence) {
	for _, e := range added {
		if source := e.Event.About.Source(); len(s.sources) < MaxListed && source != "" {
			s.sources[source] = true
		}
		for _, x := range Entities(e.Event.About.Fields()) {
			if len(s.entities) < MaxListed {
				s.entities[x] = true
			}
		}
	}
}

// Entities returns what an event with these canonical fields is about.
func Entities(fields map[string]any) []Entity {
	var out []Entity
	text := func(name string) string { s, _ := fields[name].(string); return s }
	if pod := text("k8s.pod.name"); pod != "" {
		if ns := text("k8s.namespace.name"); ns != "" {
			pod = ns + "/" + pod
		}
		out = append(out, Entity{"pod", pod})
	} else if ns := text("k8s.namespace.name"); ns != "" {
		out = append(out, Entity{"namespace", ns})
	}
	for _, x := range [...][2]string{{"host", "host.name"}, {"user", "user.name"}, {"ip", "source.ip"}} {
		if v := text(x[1]); v != "" {
			out = append(out, Entity{x[0], v})
		}
	}
	return out
}

// chained reports whether two detections follow each other within Q, and met: each was made while the
// other was still remembered.
func (c *Chain) chained(a, b *link) bool {
	if a.first > b.first {
		a, b = b, a
	}
	return event.Minus(b.first, a.last) <= c.quiet &&
		a.born <= c.remembered(b) && b.born <= c.remembered(a)
}

func (c *Chain) remembered(l *link) int64 {
	return event.Plus(event.Plus(l.reached, c.quiet), c.memory)
}

// newID names an incident by its rule, its key and the detection that opened it.
func (c *Chain) newID(first string) string {
	for salt := 0; ; salt++ {
		if id := Name("incident", c.rule.Revision, string(c.key), first, strconv.Itoa(salt)); c.incidents[id] == nil {
			return id
		}
	}
}

// Name makes an id of what tells a thing from all others: 32 hexadecimal digits of a SHA-256, in which the parts cannot run together.
func Name(parts ...string) string {
	h := sha256.New()
	for _, s := range parts {
		h.Write([]byte(strconv.Itoa(len(s))))
		h.Write([]byte{0})
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
