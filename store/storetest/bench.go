// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"fmt"
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

// BenchmarkSnapshot measures snapshots of 20,000 cells of 500 bytes that changed, of 100,000 that there are; a hundred of them went and
// others came.
func BenchmarkSnapshot(b *testing.B, k Kind) {
	s := own(b, k)
	const cells, changed, gone = 100_000, 20_000, 100
	state := bytes.Repeat([]byte("what a window has: "), 26)
	cell := func(i, version int) correlate.Cell {
		return correlate.Cell{ID: fmt.Sprint("rule/key-", i), State: append(fmt.Append(nil, version, " "), state...)}
	}
	save := func(before uint64, cells []correlate.Cell) {
		c := s.next(correlate.Changes{})
		c.Snapshot = &store.Snapshot{Seq: before + 1, Before: before, Full: before == 0, Cells: cells}
		s.commit(c)
	}
	all := []correlate.Cell{{ID: "", State: []byte("engine")}}
	for i := range cells {
		all = append(all, cell(i, 0))
	}
	save(0, all)
	first := 0
	for seq := uint64(1); b.Loop(); seq++ {
		some := all[:1:1]
		for range gone {
			some = append(some, correlate.Cell{ID: cell(first, 0).ID}, cell(first+cells, 0))
			first++
		}
		for i := range changed {
			some = append(some, cell(first+i, int(seq)))
		}
		save(seq, some)
	}
	b.ReportMetric(float64(b.N*changed)/b.Elapsed().Seconds(), "cells/s")
}
