// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"maps"
	"slices"
	"strings"

	"tocsin/incident"
)

// labelNames are the labels that an incident can have: its own, and one for each type of entity.
func labelNames() []string {
	return []string{"incident", "rule", "severity", "tactic", "technique", "source", "cluster", "namespace", "user", "host", "pod", "ip"}
}

// LabelSet is what routes, silences and inhibitions match: the values of each label, which may be several.
type LabelSet map[string][]string

// LabelsOf returns the labels of an incident: incident, rule, severity, tactic, technique, source, cluster, namespace, and a label for each
// type of entity (user, host, pod, ip, …). docs/alerts.md lists them.
func LabelsOf(v incident.View) LabelSet {
	l := make(LabelSet)
	add := func(name string, values ...string) {
		for _, x := range values {
			if x != "" && !slices.Contains(l[name], x) {
				l[name] = append(l[name], x)
			}
		}
	}
	add("incident", v.ID)
	add("rule", v.Rule.ID)
	add("severity", v.Severity)
	add("tactic", v.Attack.Tactics...)
	add("technique", v.Attack.Techniques...)
	add("source", v.Sources...)
	for _, e := range v.Entities {
		add(e.Type, e.Name)
		if ns, _, ok := strings.Cut(e.Name, "/"); ok && e.Type == "pod" {
			add("namespace", ns)
		}
	}
	for name, field := range map[string]string{"cluster": "k8s.cluster.name", "namespace": "k8s.namespace.name"} {
		if s, ok := v.Key[field].(string); ok {
			add(name, s)
		}
	}
	return l
}

// Names returns the labels that are there, by name.
func (l LabelSet) Names() []string { return slices.Sorted(maps.Keys(l)) }
