// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/incident"
	"tocsin/store/open"
	"tocsin/stream/natstest"
)

func benchNode(b *testing.B) *serving {
	data := b.TempDir()
	return serveHere(b, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
}

func postBody(b *testing.B, client *http.Client, url string, body []byte) {
	resp, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Errorf("answered %s", resp.Status)
	}
}

// BenchmarkIngest is records from HTTP to fsynced, with 64 clients; what matches them runs beside.
func BenchmarkIngest(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s := benchNode(b)
			url := "http://" + s.node.ingest.Addr().String() + "/ingest/vector"
			var events []map[string]any
			for i := range n {
				events = append(events, map[string]any{"message": "GET /index.html 200", "host": "node-a", "n": i, "timestamp": time.Now().Format(time.RFC3339Nano)})
			}
			body, err := json.Marshal(events)
			if err != nil {
				b.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					postBody(b, client, url, body)
				}
			})
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
			b.StopTimer()
			s.settled()
		})
	}
}

// BenchmarkEndToEnd is events from HTTP to decided, a third of which match a rule.
func BenchmarkEndToEnd(b *testing.B) {
	s := benchNode(b)
	url := "http://" + s.node.ingest.Addr().String() + "/ingest/vector"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	const batch = 500
	start := time.Now()
	b.SetParallelism(4)
	b.ResetTimer()
	var events []map[string]any
	for i := range b.N * batch {
		e := map[string]any{"event.id": fmt.Sprint(i), "timestamp": start.Add(time.Duration(i) * time.Microsecond).Format(time.RFC3339Nano), "message": "GET /index.html 200", "host": "node-a"}
		if i%3 == 0 {
			e["event.category"], e["event.outcome"] = "authentication", "failure"
			e["user.name"], e["source.ip"] = fmt.Sprintf("user-%d", i%5000), fmt.Sprintf("198.51.%d.%d", i/250%250, i%250)
		}
		if events = append(events, e); len(events) == batch {
			body, err := json.Marshal(events)
			if err != nil {
				b.Fatal(err)
			}
			postBody(b, client, url, body)
			events = nil
		}
	}
	s.settled()
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-from-system")
}

// BenchmarkLatency is the time from the POST of the completing event to its incident in the store that the API reads.
func BenchmarkLatency(b *testing.B) {
	s := benchNode(b)
	url := "http://" + s.node.ingest.Addr().String() + "/ingest/falco"
	var took []time.Duration
	ctx := context.Background()
	for i := 0; b.Loop(); i++ {
		pod := fmt.Sprintf("pod-%d-%d", b.N, i)
		body := fmt.Appendf(nil, `{"rule":"Detect release_agent File Container Escapes","priority":"Critical","source":"syscall","time":%q,"output_fields":{"k8s.ns.name":"shop","k8s.pod.name":%q}}`,
			time.Now().UTC().Format(time.RFC3339Nano), pod)
		start := time.Now()
		postBody(b, http.DefaultClient, url, body)
		for {
			page, _, err := s.node.store.Incidents(ctx, incident.Filter{EntityType: "pod", EntityName: "shop/" + pod, Limit: 1})
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 1 {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkWarmStart is the time from the start of the process to /readyz, on a data directory of 20,000 events whose
// process was killed with SIGKILL.
func BenchmarkWarmStart(b *testing.B) {
	data := b.TempDir()
	ingestAt, admin := freePort(b), freePort(b)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + filepath.Join("..", "..", "rules.d"), "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin,
	}}
	start := func() {
		p.start(b, "")
		for {
			status, _, err := readiness(admin)
			if err == nil && status == http.StatusOK {
				return
			}
			if !p.running() {
				b.Fatal(p.log)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	kill := func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	start()
	sendAsVector(b, "http://"+ingestAt+"/ingest/vector", attackEvents(20_000, time.Now()))
	kill()
	var slowest time.Duration
	for b.Loop() {
		at := time.Now()
		start()
		slowest = max(slowest, time.Since(at))
		kill()
	}
	b.ReportMetric(slowest.Seconds(), "slowest-s")
}

// BenchmarkTakeOver is the time from the death of one of two processes until the other has found an attack in each partition: in
// those that the dead one owned too, and in what it had taken of EVENTS.
func BenchmarkTakeOver(b *testing.B) {
	ctx := context.Background()
	cluster := natstest.Start(b, 1, nil)
	where := freshDatabase(b)
	db, err := open.Store(ctx, where)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var ps [2]*process
	var at [2]string
	for i := range ps {
		data, admin := b.TempDir(), freePort(b)
		config := filepath.Join(data, "tocsin.yaml")
		if err := os.WriteFile(config, []byte(strings.Replace(clusterYAML(cluster), "replicas: 3", "replicas: 1", 1)), 0o600); err != nil {
			b.Fatal(err)
		}
		at[i] = freePort(b)
		ps[i] = &process{env: []string{
			"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + filepath.Join("..", "..", "rules.d"), "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=" + at[i],
			"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin, "TOCSIN_TEST_CONFIG=" + config,
		}}
		ps[i].start(b, "")
	}
	shared := func() error { // each has its half
		states, err := db.States(ctx)
		if err != nil {
			return err
		}
		owners := make(map[string]int)
		for _, s := range states {
			owners[s.Owner]++
		}
		if len(owners) != 2 || owners[""] > 0 {
			return fmt.Errorf("owners: %v", owners)
		}
		return nil
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		waitFor(b, 60*time.Second, ps[0].running, shared)
		dies := ps[i%2]
		_ = dies.cmd.Process.Kill()
		<-dies.done
		start := time.Now()
		ns := fmt.Sprintf("shop-%d-%d", b.N, i)
		var body strings.Builder
		for pod := range 64 {
			fmt.Fprintf(&body, `{"rule":"Detect release_agent File Container Escapes","priority":"Critical","source":"syscall","time":%q,"output_fields":{"k8s.ns.name":%q,"k8s.pod.name":"pod-%d"}}`+"\n",
				start.UTC().Format(time.RFC3339Nano), ns, pod)
		}
		postBody(b, http.DefaultClient, "http://"+at[1-i%2]+"/ingest/falco", []byte(body.String()))
		for found := 0; found < 64; {
			page, _, err := db.Incidents(ctx, incident.Filter{Query: ns, Limit: 100})
			if err != nil {
				b.Fatal(err)
			}
			found = len(page)
		}
		took = append(took, time.Since(start))
		dies.start(b, "")
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "p50-s")
	b.ReportMetric(took[len(took)-1].Seconds(), "slowest-s")
	for _, p := range ps {
		p.stop(b)
	}
}
