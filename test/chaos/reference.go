// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/test/judge"
)

// reference is what should be found, by what the streams say: the detections of each rule are those of replay in the events
// that are matched by it, the incidents what these detections and the closings come to.
type reference struct {
	lines   []string // sorted
	leftOut map[string]bool
}

// waits is the rule that waits for what does not come: nothing of it is decided within a run.
const waits = "no-second-factor"

// reference works out what should be found. The store says only which incident an id is.
func (rec *record) reference(lateness time.Duration, stored *stored) (*reference, error) {
	out := &reference{leftOut: rec.comeBack()}
	sets := rec.generations()
	done := make(map[string]bool)
	for _, set := range sets {
		for _, r := range set.Rules {
			gone := r.ID == waits && sets[len(sets)-1].ByRevision(r.Revision) == nil // it is dropped undecided
			if done[r.Revision] || out.leftOut[r.ID] || gone {
				continue
			}
			done[r.Revision] = true
			ds, err := rec.detections(set.Only(r), lateness)
			if err != nil {
				return nil, err
			}
			for key, ds := range ds {
				for _, c := range chains(ds, int64(r.Quiet), rec.closed(r, key, stored)) {
					out.lines = append(out.lines, c.line(r, key))
				}
			}
		}
	}
	sort.Strings(out.lines)
	return out, nil
}

// replayed is the reference where one Set was in force and nobody closed anything: it knows which late events met.
func (rec *record) replayed(lateness time.Duration) (*reference, error) {
	res, err := replay(rec.generations()[0], rec.events, lateness)
	if err != nil {
		return nil, err
	}
	out := &reference{}
	for _, v := range res.Incidents {
		out.lines = append(out.lines, lineOf(v))
	}
	sort.Strings(out.lines)
	return out, nil
}

// replay replays records with the arrivals of the log.
func replay(set *rules.Set, records []arrived, lateness time.Duration) (pipeline.Result, error) {
	parser := ingest.NewParser(ingest.ParserConfig{})
	play := pipeline.NewReplay(set, parser, lateness)
	for _, x := range records {
		e, err := parser.Parse(x.Record, x.at)
		if err != nil {
			return pipeline.Result{}, err
		}
		play.AddEvent(e)
	}
	return play.Run(0, 0)
}

// comeBack returns the rules that meant one thing, then another, then the first again, as when a process that was frozen puts
// in force what it had read before: where they start anew is not worked out here.
func (rec *record) comeBack() map[string]bool {
	out := make(map[string]bool)
	seen := make(map[string]int) // by revision: in which generation it was in force last
	for i, set := range rec.generations() {
		for _, r := range set.Rules {
			if last, ok := seen[r.Revision]; ok && last < i-1 {
				out[r.ID] = true
			}
			seen[r.Revision] = i
		}
	}
	return out
}

// detections replays the events that one rule matches, and returns what it finds by key.
func (rec *record) detections(only *rules.Set, lateness time.Duration) (map[rules.Key][]incident.Detection, error) {
	res, err := replay(only, rec.has(only.Rules[0].Revision), lateness)
	if err != nil {
		return nil, err
	}
	out := make(map[rules.Key][]incident.Detection)
	for _, d := range res.Detections {
		if d.Retracted == nil {
			out[d.Key] = append(out[d.Key], d)
		}
	}
	return out, nil
}

// closing is one of the incident that a detection is in.
type closing struct {
	at, first int64 // first is where the detection begins: two of one key do not begin together
}

// closed returns the closings of a rule's incidents of a key, by time.
func (rec *record) closed(r *rules.Rule, key rules.Key, stored *stored) []closing {
	var all []correlate.Close
	for _, c := range rec.closings {
		if c.Rule == r.Revision && c.Group == key {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b correlate.Close) int { return int(a.At - b.At) })
	var out []closing
	for _, c := range all { // one may be in vain, of an incident that had not fired by the stream's clock, and another follow
		if v := stored.final(c.Incident); len(v.Detections) > 0 {
			out = append(out, closing{c.At, first(v)})
		}
	}
	return out
}

func first(v incident.View) int64 {
	least := int64(v.Detections[0].FirstEvent)
	for _, d := range v.Detections {
		least = min(least, int64(d.FirstEvent))
	}
	return least
}

// chain is the detections of one incident; closed is when somebody closed it, 0 if nobody did.
type chain struct {
	ds     []incident.Detection
	closed int64
}

// chains groups the detections of one key: those that follow each other within the quiet time. A closing takes those that are
// there by then.
func chains(ds []incident.Detection, quiet int64, closings []closing) []chain {
	sort.Slice(ds, func(i, j int) bool { return ds[i].First < ds[j].First })
	group := func(ds []incident.Detection) [][]incident.Detection {
		var out [][]incident.Detection
		var end int64
		for i, d := range ds {
			if i == 0 || d.First-end > quiet {
				out = append(out, nil)
			}
			end = max(end, d.Last)
			out[len(out)-1] = append(out[len(out)-1], d)
		}
		return out
	}
	var out []chain
	for _, c := range closings {
		var by []incident.Detection
		for _, d := range ds {
			if min(d.FirstFiring, d.Born) <= c.at {
				by = append(by, d)
			}
		}
		for _, g := range group(by) {
			in := func(d incident.Detection) bool {
				return slices.ContainsFunc(g, func(x incident.Detection) bool { return x.ID == d.ID })
			}
			if slices.ContainsFunc(g, func(d incident.Detection) bool { return d.First == c.first }) {
				out = append(out, chain{g, c.at})
				ds = slices.DeleteFunc(slices.Clone(ds), in)
			}
		}
	}
	for _, g := range group(ds) {
		out = append(out, chain{g, 0})
	}
	return out
}

// line prints the incident that a chain is.
func (c chain) line(r *rules.Rule, key rules.Key) string {
	in := incident.Incident{Rule: r, Key: key, FirstEvent: c.ds[0].First, ClosedAt: c.closed}
	for _, d := range c.ds {
		in.FirstEvent, in.LastEvent = min(in.FirstEvent, d.First), max(in.LastEvent, d.Last)
		in.EventCount += d.EventCount
	}
	return lineOf(in.View(c.ds))
}

// lineOf prints an incident, and when it was closed.
func lineOf(v incident.View) string {
	if v.Status != incident.Closed {
		return judge.Line(v)
	}
	return fmt.Sprintf("%s\n  closed %s", judge.Line(v), v.ClosedAt)
}
