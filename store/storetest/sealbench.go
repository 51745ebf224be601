// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"
)

// BenchmarkSeal measures how 20,000 entries of the audit log enter its tree, as many at a time as package pipeline has do it: so a log begins
// that is older than its tree.
func BenchmarkSeal(b *testing.B, k Kind) {
	const entries, atOnce = 20_000, 200
	s := k.Open(b)
	for b.Loop() {
		b.StopTimer()
		k.Exec(b, s, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO audit (at, actor, via, operation, object, remote, request, outcome, status, finished)
SELECT i, 'ana', 'session', 'close-incident', '/api/v1/incidents/0123456789abcdef0123456789abcdef/close', '10.0.0.1', 'a-request', 'done', 200, i FROM n`)
		b.StartTimer()
		for left := entries; left > 0; {
			n, err := s.Seal(b.Context(), atOnce, time.Hour)
			if err != nil || n == 0 {
				b.Fatalf("%d are left: %v", left, err)
			}
			left -= n
		}
	}
	b.ReportMetric(float64(b.N*entries)/b.Elapsed().Seconds(), "entries/s")
}
