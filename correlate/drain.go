// SPDX-License-Identifier: Apache-2.0

package correlate

import "tocsin/incident"

// drain returns what became of the cell's detections, one change for each, and which incident
// each is in now.
func (c *cell) drain() []DetectionChange {
	if c.news == nil {
		return nil
	}
	place := make(map[string]int, len(c.news.detections))
	var out []DetectionChange
	for _, d := range c.news.detections {
		id := d.Detection.ID
		i, ok := place[id]
		if !ok {
			place[id] = len(out)
			out = append(out, d)
			continue
		}
		if d.Moved {
			out[i].Incident = d.Incident
			continue
		}
		d.Added, d.Removed = compose(out[i].Added, out[i].Removed, d.Added, d.Removed)
		d.New = !d.Gone && (d.New || out[i].New)
		out[i] = d
	}
	c.news.detections = nil
	return out
}

type evidenceID struct {
	event [16]byte
	step  string
}

func idOf(e incident.Evidence) evidenceID { return evidenceID{e.Event.ID, e.Step} }

// compose makes one change of two that follow each other.
func compose(added, removed, more, less []incident.Evidence) (a, r []incident.Evidence) {
	gone := make(map[evidenceID]bool, len(less))
	for _, e := range less {
		gone[idOf(e)] = true
	}
	back := make(map[evidenceID]bool, len(more))
	for _, e := range more {
		back[idOf(e)] = true
	}
	was := make(map[evidenceID]bool, len(removed))
	for _, e := range removed {
		was[idOf(e)] = true
		if !back[idOf(e)] {
			r = append(r, e)
		}
	}
	had := make(map[evidenceID]bool, len(added))
	for _, e := range added {
		had[idOf(e)] = true
		if !gone[idOf(e)] {
			a = append(a, e)
		}
	}
	for _, e := range more {
		if !was[idOf(e)] {
			a = append(a, e)
		}
	}
	for _, e := range less {
		if !had[idOf(e)] {
			r = append(r, e)
		}
	}
	return a, r
}
