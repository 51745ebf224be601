// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// view is what the changes of an engine add up to, as a store would keep them.
type view struct {
	incidents  map[string]incident.Incident
	detections map[string]incident.Detection
	in         map[string]string
	evidence   map[string]map[string]bool
	closed     map[string]bool // after the engine had forgotten it
	// wrong is what receivers of every detection would not be told, or not once.
	wrong []string
}

func newView() *view {
	return &view{
		incidents: map[string]incident.Incident{}, detections: map[string]incident.Detection{},
		in: map[string]string{}, evidence: map[string]map[string]bool{}, closed: map[string]bool{},
	}
}

func (v *view) apply(c correlate.Changes) {
	for _, in := range c.Incidents {
		v.incidents[in.ID] = in
	}
	for _, c := range c.Closed {
		v.closed[c.Incident] = true
	}
	v.wrong = append(v.wrong, v.fresh(c)...)
	for _, d := range c.Detections {
		id := d.Detection.ID
		switch {
		case d.Gone:
			delete(v.detections, id)
			delete(v.in, id)
			delete(v.evidence, id)
			continue
		case !d.Moved:
			v.detections[id] = d.Detection
		}
		v.in[id] = d.Incident
		if v.evidence[id] == nil {
			v.evidence[id] = make(map[string]bool)
		}
		for _, e := range d.Removed {
			delete(v.evidence[id], e.Step+":"+e.Event.ID.String())
		}
		for _, e := range d.Added {
			v.evidence[id][e.Step+":"+e.Event.ID.String()] = true
		}
	}
}

// fresh checks which detections a change says are new: those that are in an incident for the first time, of which the
// change tells.
func (v *view) fresh(c correlate.Changes) []string {
	var wrong []string
	for _, d := range c.Detections {
		id := d.Detection.ID
		if want := !d.Gone && !d.Moved && d.Incident != "" && v.in[id] == ""; d.New != want {
			wrong = append(wrong, fmt.Sprintf("detection %s: new is %t", id, d.New))
		}
		if d.New && !slices.ContainsFunc(c.Incidents, func(in incident.Incident) bool { return in.ID == d.Incident }) {
			wrong = append(wrong, fmt.Sprintf("detection %s is new, and its incident %s did not change", id, d.Incident))
		}
	}
	return wrong
}

// units turns nanoseconds into the oracle's seconds. What is no whole second stays visible.
func units(ns int64) int64 {
	s := ns/int64(time.Second) - zero
	if rest := ns % int64(time.Second); rest != 0 {
		return -rest
	}
	return s
}

func printed(k rules.Key) string {
	var out []string
	for _, v := range k.Values() {
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, "/")
}

// finding prints a detection as the oracle does.
func (v *view) finding(id string) finding {
	d := v.detections[id]
	f := finding{
		key: printed(d.Key), first: units(d.First), last: units(d.Last), firing: units(d.FirstFiring),
		count: d.EventCount, late: d.Late, steps: d.Steps,
	}
	for e := range v.evidence[id] {
		f.evidence = append(f.evidence, e)
	}
	sort.Strings(f.evidence)
	return f
}

func (v *view) lines() []string {
	out := slices.Clone(v.wrong)
	for _, in := range v.incidents {
		if in.Retracted || in.MergedInto != "" {
			continue
		}
		var ls []string
		for id, d := range v.detections {
			if v.in[id] != in.ID || d.Retracted != nil {
				continue
			}
			ls = append(ls, "  "+v.finding(id).String())
		}
		sort.Strings(ls)
		state := "open"
		if in.ClosedAt != 0 || v.closed[in.ID] {
			state = "closed"
		}
		out = append(out, fmt.Sprintf("%s: %s incident [%d..%d] %d events\n%s",
			in.Rule.ID, state, units(in.FirstEvent), units(in.LastEvent), in.EventCount, strings.Join(ls, "\n")))
	}
	sort.Strings(out)
	return out
}

// incidentOf returns the incident of a rule that has a firing point of a key, as far as the view knows.
func (v *view) incidentOf(rule, key string, firing int64, point event.ID) string {
	for id, d := range v.detections {
		in := v.incidents[v.in[id]]
		if d.Retracted != nil || in.Rule == nil || in.Rule.ID != rule || printed(d.Key) != key ||
			firing < units(d.FirstFiring) || firing > units(d.Last) {
			continue
		}
		for e := range v.evidence[id] {
			if strings.HasSuffix(e, ":"+point.String()) {
				return in.ID
			}
		}
	}
	return ""
}
