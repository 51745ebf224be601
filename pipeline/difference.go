// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"

	"tocsin/incident"
)

// Difference is what other rules make of the same events: one incident that is there or not, or is another.
type Difference struct {
	// Change is added, removed or changed.
	Change string `json:"change"`
	// Fields are those of the incident that changed, by their names in JSON, sorted.
	Fields []string `json:"fields,omitempty"`
	// Before is nil of one that was added, After of one that was removed.
	Before *incident.View `json:"before,omitempty"`
	After  *incident.View `json:"after,omitempty"`
}

// Differences compares the incidents of two replays. Incidents of one rule (by its id) and key whose intervals overlap
// are one; what (I6) leaves out of an incident's identity is left out here. same counts those that did not change.
func Differences(before, after []incident.View) (out []Difference, same int, err error) {
	type group struct{ before, after []*incident.View }
	groups := make(map[string]*group)
	of := func(v *incident.View) (*group, error) {
		key, err := json.Marshal(v.Key) // its keys are sorted
		if err != nil {
			return nil, fmt.Errorf("incident %s: %w", v.ID, err)
		}
		id := v.Rule.ID + "\x00" + string(key)
		if groups[id] == nil {
			groups[id] = &group{}
		}
		return groups[id], nil
	}
	for i := range before {
		g, err := of(&before[i])
		if err != nil {
			return nil, 0, err
		}
		g.before = append(g.before, &before[i])
	}
	for i := range after {
		g, err := of(&after[i])
		if err != nil {
			return nil, 0, err
		}
		g.after = append(g.after, &after[i])
	}
	for _, g := range groups {
		for _, p := range pairs(g.before, g.after) {
			d := Difference{Before: p[0], After: p[1]}
			switch {
			case p[0] == nil:
				d.Change = "added"
			case p[1] == nil:
				d.Change = "removed"
			default:
				if d.Fields, err = changedFields(p[0], p[1]); err != nil {
					return nil, 0, err
				}
				if len(d.Fields) == 0 {
					same++
					continue
				}
				d.Change = "changed"
			}
			out = append(out, d)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].either(), out[j].either()
		if a.FirstEvent != b.FirstEvent {
			return a.FirstEvent < b.FirstEvent
		}
		return a.Rule.ID+a.ID+out[i].Change < b.Rule.ID+b.ID+out[j].Change
	})
	return out, same, nil
}

func (d Difference) either() *incident.View {
	if d.After != nil {
		return d.After
	}
	return d.Before
}

// pairs matches incidents of one rule and key, both in order of time, by their overlap.
func pairs(before, after []*incident.View) [][2]*incident.View {
	var out [][2]*incident.View
	for len(before) > 0 && len(after) > 0 {
		b, a := before[0], after[0]
		switch {
		case b.LastEvent < a.FirstEvent:
			out, before = append(out, [2]*incident.View{b, nil}), before[1:]
		case a.LastEvent < b.FirstEvent:
			out, after = append(out, [2]*incident.View{nil, a}), after[1:]
		default:
			out, before, after = append(out, [2]*incident.View{b, a}), before[1:], after[1:]
		}
	}
	for _, b := range before {
		out = append(out, [2]*incident.View{b, nil})
	}
	for _, a := range after {
		out = append(out, [2]*incident.View{nil, a})
	}
	return out
}

// changedFields names the fields in which two incidents differ.
func changedFields(before, after *incident.View) ([]string, error) {
	b, err := essence(before)
	if err != nil {
		return nil, err
	}
	a, err := essence(after)
	if err != nil {
		return nil, err
	}
	var out []string
	for name, v := range a {
		if !reflect.DeepEqual(v, b[name]) {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out, nil
}

// essence returns what an incident is, without ids and what says how it came to be (I6).
func essence(v *incident.View) (map[string]any, error) {
	c := *v
	c.ID, c.Revision, c.OpenedAt, c.UpdatedAt, c.Rule.Revision = "", 0, 0, 0, ""
	c.Detections = append([]incident.DetectionView(nil), v.Detections...)
	for i := range c.Detections {
		c.Detections[i].ID, c.Detections[i].Rule.Revision = "", ""
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", v.ID, err)
	}
	var out map[string]any
	return out, json.Unmarshal(b, &out)
}
