// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"
)

// BenchmarkListOfAMillion is first pages over HTTP, of the store that TOCSIN_MILLION names and that the benchmark of store/postgres has
// filled.
func BenchmarkListOfAMillion(b *testing.B) {
	url := os.Getenv("TOCSIN_MILLION")
	if url == "" {
		b.Skip("TOCSIN_MILLION names no store")
	}
	s := serveHere(b, url, b.TempDir())
	base := "http://" + s.node.api.Addr().String() + "/api/v1/incidents"
	for _, of := range []struct{ name, query string }{
		{"all", ""},
		{"open", "?status=new,in_progress,on_hold"},
		{"rule of another severity", "?rule=rule-00&severity=critical"},
		{"technique, until", "?technique=T1611&severity=critical&until=" + time.Now().Add(-60*24*time.Hour).UTC().Format(time.RFC3339)},
		{"text of few", "?q=user-4711"},
	} {
		b.Run(of.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, base+of.query, http.NoBody)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatalf("%s %.200s: %v", resp.Status, body, err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
