// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

// BenchmarkCommit measures commits of 100 incidents, 30 of them new, with 1000 pieces of evidence of 600 bytes.
func BenchmarkCommit(b *testing.B, k Kind) {
	s := own(b, k)
	r := aRule("r")
	const incidents, fresh, evidence = 100, 30, 10
	raw := make([]byte, 0, 600)
	for i := range 60 {
		raw = append(raw, "{\"k\":\"v\"}0"[i%2:]...)
	}
	number, piece := incidents, 0
	open := make([]incident.Incident, incidents)
	for i := range open {
		open[i] = anOpen(r, i)
	}
	var rows int64
	for b.Loop() {
		b.StopTimer()
		for i := range fresh {
			number++
			open[i] = anOpen(r, number)
		}
		c := s.next(correlate.Changes{})
		for i := range open {
			in := &open[i]
			in.Revision++
			in.LastEvent++
			c.Changes.Incidents = append(c.Changes.Incidents, *in)
			var mine []incident.Evidence
			for range evidence {
				piece++
				mine = append(mine, evidenceOf(i, piece, "step"))
			}
			c.Changes.Detections = append(c.Changes.Detections, aDetectionOf(*in, i, mine...))
			frozen := freeze(in.ID, mine...)
			for j := range frozen {
				frozen[j].Item.Raw = raw
			}
			c.Evidence = append(c.Evidence, frozen...)
		}
		c.Changes.Stats = []correlate.Stats{{Rule: "r", Matched: int64(piece)}}
		c.Outbox = []store.OutboxItem{alert(number, 1, "hook")}
		b.StartTimer()
		s.commit(c)
		rows += int64(len(c.Evidence))
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "evidence/s")
}
