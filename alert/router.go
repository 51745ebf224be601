// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tocsin/incident"
)

// Alert is what one receiver is told about one revision of an incident.
type Alert struct {
	Incident string
	Revision int64
	Receiver string
	Kind     Kind
	// Detection is the one that it is about, "" if it is about the incident.
	Detection string
	// Body is what is sent, byte for byte, however often.
	Body []byte
	// Wait is after what time it is sent at the earliest.
	Wait  time.Duration
	Terms Terms
}

// Key is the idempotency key of an alert: equal keys are the same alert.
func Key(incidentID, receiver string, revision int64) string {
	return incidentID + ":" + receiver + ":" + strconv.FormatInt(revision, 10)
}

// detectionKey is the idempotency key of an alert about a detection of an incident, or "" for the incident itself.
func detectionKey(incidentID, receiver string, revision int64, detection string) string {
	if detection == "" {
		return Key(incidentID, receiver, revision)
	}
	return Key(incidentID, receiver, revision) + ":" + detection
}

// Kind says what became of an incident.
type Kind string

// The kinds of alerts.
const (
	Opened    Kind = "opened"
	Closed    Kind = "closed"
	Retracted Kind = "retracted"
	Merged    Kind = "merged"
	// Reminded is that it is still open.
	Reminded Kind = "reminded"
	// Acknowledged is that somebody works on it; only receivers that have a word for it are told.
	Acknowledged Kind = "acknowledged"
	// Detected is of a detection: its incident may have opened with it or be an older one.
	Detected Kind = "detected"
)

// KindOf returns what a change is told as. Of several things that became of an incident at once
// the most final one is told, so that a receiver never keeps open what is over. Growth alone tells
// nobody: ok is false.
func KindOf(c incident.Change) (kind Kind, ok bool) {
	switch {
	case c&incident.WasMerged != 0:
		return Merged, true
	case c&incident.WasRetracted != 0:
		return Retracted, true
	case c&incident.ClosedByPerson != 0:
		return Closed, true
	case c&incident.Opened != 0:
		return Opened, true
	}
	return "", false
}

// defaultSource is the CloudEvents source of an installation that has no other name.
const defaultSource = "/tocsin"

// Router decides who is told what. It is immutable.
type Router struct {
	routes []Route
	// tree is instead of routes if it is not nil.
	tree   *node
	source string
	// detections are the receivers that want every detection.
	detections map[string]bool
}

// NewRouter returns the router of a valid configuration. source is the CloudEvents source of every
// alert, a URI reference that names this installation: "" is "/tocsin".
func NewRouter(c Config, source string) (*Router, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if source == "" {
		source = defaultSource
	}
	r := &Router{routes: c.complete().Routes, source: source, detections: make(map[string]bool)}
	if c.hasTree() {
		root, err := c.Route.read("route", Way{}, 0)
		if err != nil {
			return nil, err
		}
		r.tree = &root
	}
	for _, x := range c.Receivers {
		if x.Detections {
			r.detections[x.Name] = true
		}
	}
	return r, nil
}

// Ways returns how those who hear of an incident do, in the order of the routes, each receiver once: the first way to it counts. Nobody hears
// of a rule that is in shadow.
func (r *Router) Ways(v incident.View) []Way {
	if v.Shadow {
		return nil
	}
	if r.tree != nil {
		return r.Along(LabelsOf(v))
	}
	var out []Way
	for i, route := range r.routes {
		if !route.matches(v) {
			continue
		}
		out = append(out, Way{Receiver: route.Receiver, Path: fmt.Sprintf("routes[%d]", i)})
		if !route.Continue {
			break
		}
	}
	return eachOnce(out)
}

// Along returns the ways of an incident with these labels. A router without a tree asks for severity and rule alone.
func (r *Router) Along(l LabelSet) []Way {
	if r.tree != nil {
		return eachOnce(r.tree.ways(l))
	}
	first := func(name string) string {
		if len(l[name]) == 0 {
			return ""
		}
		return l[name][0]
	}
	return r.Ways(incident.View{Severity: first("severity"), Rule: incident.RuleView{ID: first("rule")}})
}

// eachOnce keeps the first way to each receiver.
func eachOnce(ways []Way) []Way {
	var out []Way
	for _, w := range ways {
		if !slices.ContainsFunc(out, func(o Way) bool { return o.Receiver == w.Receiver }) {
			out = append(out, w)
		}
	}
	return out
}

// Receivers returns the names of those who hear of an incident, in the order of the routes, each once.
func (r *Router) Receivers(v incident.View) []string {
	var out []string
	for _, w := range r.Ways(v) {
		out = append(out, w.Receiver)
	}
	return out
}

// Alerts returns the alerts that a change of an incident makes: what became of it, and to receivers that want
// every detection also those of its detections that are new, by id. Growth alone tells the others nothing.
func (r *Router) Alerts(v incident.View, changed incident.Change, fresh ...string) ([]Alert, error) {
	kind, ok := KindOf(changed)
	if !ok && (len(fresh) == 0 || len(r.detections) == 0) {
		return nil, nil
	}
	var out []Alert
	for _, way := range r.Ways(v) {
		name := way.Receiver
		if ok {
			a, err := r.alert(name, kind, v, "")
			if err != nil {
				return nil, err
			}
			a.Terms.Repeat, a.Terms.Mutes = way.Repeat, way.Mutes
			if kind == Opened && way.Wait > 0 {
				// It is told with what comes until then.
				a.Wait, a.Terms.Anew = way.Wait, true
			}
			out = append(out, a)
		}
		if !r.detections[name] {
			continue
		}
		for i, d := range v.Detections {
			if !slices.Contains(fresh, d.ID) {
				continue
			}
			one := v
			one.Detections = v.Detections[i : i+1]
			a, err := r.alert(name, Detected, one, d.ID)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
	}
	return out, nil
}

func (r *Router) alert(receiver string, kind Kind, v incident.View, detection string) (Alert, error) {
	body, err := Body(Message{Kind: kind, Receiver: receiver, Source: r.source, Incident: v, Detection: detection})
	if err != nil {
		return Alert{}, fmt.Errorf("alert %s: %w", receiver, err)
	}
	return Alert{Incident: v.ID, Revision: v.Revision, Receiver: receiver, Kind: kind, Detection: detection, Body: body}, nil
}

func (r Route) matches(v incident.View) bool {
	if r.Severity != "" && rank(v.Severity) < rank(r.Severity) {
		return false
	}
	return len(r.Rules) == 0 || slices.ContainsFunc(r.Rules, func(g string) bool { return glob(g, v.Rule.ID) })
}

// glob reports whether all of s matches a pattern of literal bytes, ? and *. It takes time in
// proportion to the product of the lengths, whatever the pattern.
func glob(pattern, s string) bool {
	p, i, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p, i = p+1, i+1
		case star >= 0:
			// The last star takes one byte more.
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
