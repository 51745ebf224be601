// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"
)

// changedDetections are the detections of which there is something new to tell, the one that began first first.
func (x *tracer) changedDetections() []TracedDetection {
	var out []TracedDetection
	for id, d := range x.book.detections {
		now := TracedDetection{
			Detection: d, First: time.Duration(d.First - testStart), Last: time.Duration(d.Last - testStart),
			Settled: d.Retracted == nil && x.clock >= x.engine.Settled(x.rule, d.Last),
		}
		for _, e := range d.Evidence {
			if place := x.places[e.Event.ID]; !slices.Contains(now.Events, place) {
				now.Events = append(now.Events, place)
			}
		}
		slices.Sort(now.Events)
		if was, told := x.detections[id]; !told || !reflect.DeepEqual(was, now) {
			x.detections[id] = now
			out = append(out, now)
		}
	}
	for id := range maps.Clone(x.detections) {
		if _, there := x.book.detections[id]; !there {
			gone := x.detections[id]
			gone.Gone = true
			delete(x.detections, id)
			out = append(out, gone)
		}
	}
	slices.SortFunc(out, func(a, b TracedDetection) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return out
}
