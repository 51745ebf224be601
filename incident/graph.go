// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"cmp"
	"slices"
	"sort"

	"tocsin/event"
	"tocsin/rules"
)

// MaxNodes bounds the entities of a graph.
const MaxNodes = 60

// Graph is who met whom in an incident: entities, joined where one event names both.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	// LeftOut counts the entities beyond the bound: those in the fewest events.
	LeftOut int `json:"left_out"`
	// Events counts the events that it was made of; More says that there are others, later ones.
	Events int  `json:"events"`
	More   bool `json:"more"`
}

// GraphNode is an entity with the number of events that name it.
type GraphNode struct {
	// ID is type:name.
	ID     string `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Events int    `json:"events"`
	// FirstEvent is the time of the first of them.
	FirstEvent event.Stamp `json:"first_event"`
}

// GraphEdge says that events name two entities, and at which steps.
type GraphEdge struct {
	From  string   `json:"from"`
	To    string   `json:"to"`
	Steps []string `json:"steps"`
	Count int      `json:"count"`
	// Tactics are those of ATT&CK that the tags of these events name; of events without, those of the incident.
	Tactics []string `json:"tactics"`
	// FirstEvent is the time of the first of them.
	FirstEvent event.Stamp `json:"first_event"`
}

// MakeGraph makes the graph of the evidence of an incident that has some tactics. Edges lead from what acts to what is acted on: an address, a user, a host, a namespace, a pod.
func MakeGraph(evidence []EvidenceItem, tactics []string) Graph {
	type pair struct{ from, to Entity }
	events := make(map[Entity]map[string]bool)
	joined := make(map[pair]map[string]bool)
	steps := make(map[pair]map[string]bool)
	meant := make(map[pair]map[string]bool)
	began := make(map[Entity]event.Stamp)
	met := make(map[pair]event.Stamp)
	all := make(map[string]bool)
	for _, e := range evidence {
		// What serves two steps or two detections is one event; two sources may have the same id.
		id := e.Time.String() + " " + e.Source + " " + e.EventID
		all[id] = true
		es := Entities(e.Fields)
		slices.SortFunc(es, func(a, b Entity) int { return cmp.Compare(layer(a.Type), layer(b.Type)) })
		means := tacticsOf(e.Fields, tactics)
		for i, x := range es {
			note(events, x, id)
			earliest(began, x, e.Time)
			for _, y := range es[i+1:] {
				note(joined, pair{x, y}, id)
				earliest(met, pair{x, y}, e.Time)
				note(steps, pair{x, y}, e.Step)
				for _, t := range means {
					note(meant, pair{x, y}, t)
				}
			}
		}
	}
	g := Graph{Nodes: []GraphNode{}, Edges: []GraphEdge{}, Events: len(all)}
	for x, in := range events {
		g.Nodes = append(g.Nodes, GraphNode{ID: x.Type + ":" + x.Name, Type: x.Type, Name: x.Name, Events: len(in), FirstEvent: began[x]})
	}
	slices.SortFunc(g.Nodes, func(a, b GraphNode) int { return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.ID, b.ID)) })
	if len(g.Nodes) > MaxNodes {
		g.LeftOut = len(g.Nodes) - MaxNodes
		g.Nodes = g.Nodes[:MaxNodes]
	}
	shown := make(map[string]bool)
	for _, n := range g.Nodes {
		shown[n.ID] = true
	}
	for p, in := range joined {
		from, to := p.from.Type+":"+p.from.Name, p.to.Type+":"+p.to.Name
		if shown[from] && shown[to] {
			g.Edges = append(g.Edges, GraphEdge{From: from, To: to, Steps: sorted(steps[p]), Count: len(in), Tactics: sorted(meant[p]), FirstEvent: met[p]})
		}
	}
	slices.SortFunc(g.Edges, func(a, b GraphEdge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return g
}

// tacticsOf returns the tactics that an event's tags name, else those of its incident.
func tacticsOf(fields map[string]any, otherwise []string) []string {
	list, _ := fields["tags"].([]any)
	var tags []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			tags = append(tags, s)
		}
	}
	if named := rules.TacticsOf(tags); len(named) > 0 {
		return named
	}
	return otherwise
}

// layer orders what acts before what is acted on.
func layer(kind string) int {
	return slices.Index([]string{"ip", "user", "host", "namespace", "pod"}, kind)
}

func note[K comparable](in map[K]map[string]bool, key K, what string) {
	if in[key] == nil {
		in[key] = make(map[string]bool)
	}
	in[key][what] = true
}

func earliest[K comparable](of map[K]event.Stamp, key K, at event.Stamp) {
	if t, ok := of[key]; !ok || at < t {
		of[key] = at
	}
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for x := range set {
		out = append(out, x)
	}
	sort.Strings(out)
	return out
}
