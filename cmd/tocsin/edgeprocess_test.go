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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// edgeProcess is a process at the edge, of a hub that may not be there.
type edgeProcess struct {
	*process
	t             *testing.T
	ingest, admin string
}

func newEdgeProcess(t *testing.T, hub *natstest.Processes, bytes int) *edgeProcess {
	t.Helper()
	e := &edgeProcess{t: t, ingest: freePort(t), admin: freePort(t)}
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "roles: [ingest]\nedge: {bytes: %d}\nnats: {url: %q}\n", bytes, hub.URL()), 0o600); err != nil {
		t.Fatal(err)
	}
	e.process = &process{env: []string{
		"TOCSIN_TEST_CONFIG=" + config, "TOCSIN_DATA=" + t.TempDir(), "TOCSIN_INGEST_LISTEN=" + e.ingest, "TOCSIN_ADMIN_LISTEN=" + e.admin,
	}}
	return e
}

// stands waits until /readyz has a status, and says of the hub whether it is well.
func (e *edgeProcess) stands(status int, hub bool) {
	e.t.Helper()
	waitFor(e.t, 60*time.Second, e.running, func() error {
		resp, err := http.Get("http://" + e.admin + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var body struct{ Checks map[string]string }
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			return err
		}
		if resp.StatusCode != status || (body.Checks["hub"] == "ok") != hub {
			return fmt.Errorf("/readyz: %d, %v; want %d, and a hub that is well: %t\n%s", resp.StatusCode, body.Checks, status, hub, e.log)
		}
		return nil
	})
}

// number returns one of /metrics.
func (e *edgeProcess) number(name string) (v float64, err error) {
	b, err := get("http://" + e.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(text, &v)
			return v, err
		}
	}
	return 0, fmt.Errorf("there is no %s in\n%s", name, b)
}

// drained waits until nothing is kept for the hub.
func (e *edgeProcess) drained() {
	e.t.Helper()
	waitFor(e.t, 60*time.Second, e.running, func() error {
		n, err := e.number("tocsin_edge_waiting_messages")
		if err == nil && n != 0 {
			err = fmt.Errorf("%v messages wait\n%s", n, e.log)
		}
		return err
	})
}

// falco posts alerts as Falco does, each once and alone, from eight nodes at a time. Any other answer than 200 is a loss.
func (e *edgeProcess) falco(alerts []map[string]any) {
	e.t.Helper()
	var nodes sync.WaitGroup
	next := make(chan map[string]any)
	for range 8 {
		nodes.Go(func() {
			for a := range next {
				body, err := json.Marshal(a)
				if err != nil {
					e.t.Error(err)
					continue
				}
				resp, err := http.Post("http://"+e.ingest+"/ingest/falco", "application/json", bytes.NewReader(body))
				if err != nil {
					e.t.Errorf("an alert is lost: %v", err)
					continue
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					e.t.Errorf("an alert is lost: %s", resp.Status)
				}
			}
		})
	}
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for _, a := range alerts {
		<-pace.C
		next <- a
	}
	close(next)
	nodes.Wait()
}

// falcoAlerts are n alerts of intruders in many pods.
func falcoAlerts(n int, start time.Time) []map[string]any {
	rules := [...]string{"Terminal shell in container", "Read sensitive file untrusted", "Contact K8S API Server From Container"}
	var out []map[string]any
	for i := range n {
		pod := i % 61
		at := start.Add(time.Duration(i) * 200 * time.Microsecond)
		out = append(out, map[string]any{
			"hostname": "node-a", "rule": rules[(i/61)%len(rules)], "priority": "Notice", "source": "syscall", "output": fmt.Sprint("alert ", i),
			"time": at.UTC().Format("2006-01-02T15:04:05.000000000Z"),
			"output_fields": map[string]any{
				"evt.time": at.UnixNano(), "k8s.ns.name": fmt.Sprint("shop-", pod%7), "k8s.pod.name": fmt.Sprint("web-", pod),
			},
		})
	}
	return out
}

// hubRecords are the records that a hub has in EVENTS.
func hubRecords(t *testing.T, hub *natstest.Processes) []event.Record {
	t.Helper()
	ctx := context.Background()
	nc, err := stream.Connect(stream.ServerConfig{URL: hub.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	var out []event.Record
	for seq := events.CachedInfo().State.FirstSeq; seq <= events.CachedInfo().State.LastSeq; seq++ {
		msg, err := events.GetMsg(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		b, err := stream.DecodeBatch(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Records...)
	}
	return out
}
