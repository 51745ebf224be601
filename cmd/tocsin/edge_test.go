// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// TestEdgeOutlivesItsHub: a process at the edge starts without its hub and answers Falco, which sends nothing again, with 200. As the hub
// comes the edge is killed between the hub's answer and its own note of it; under load the hub is killed, NATS and Tocsin. Each
// alert is in EVENTS once, the incidents are those of replay, and each is told of.
func TestEdgeOutlivesItsHub(t *testing.T) {
	t.Parallel()
	nats := natstest.StartProcesses(t, 1)
	nats.Kill(0)
	hook := newHook(t)
	data, where := t.TempDir(), freshDatabase(t)
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(data, "tocsin.yaml")
	text := natsYAML(nats, 1) + fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", hook.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hub := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=127.0.0.1:0",
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=127.0.0.1:0", "TOCSIN_TEST_CONFIG=" + config,
	}}
	const part = 1_500
	alerts := falcoAlerts(4*part, time.Now().Add(-10*time.Second))
	want := wantedOf(t, "falco", alerts)
	if len(want) < 50 {
		t.Fatalf("the load makes only %d incidents", len(want))
	}

	e := newEdgeProcess(t, nats, 64<<20)
	e.start(t, "forwarded:2")
	e.stands(http.StatusOK, false)
	e.falco(alerts[:part])
	nats.Run(t, 0)
	hub.start(t, "")
	select {
	case <-e.done:
	case <-time.After(60 * time.Second):
		t.Fatalf("the edge hands nothing over:\n%s", e.log)
	}

	e.start(t, "")
	e.stands(http.StatusOK, true)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		e.falco(alerts[part : 3*part])
	}()
	waitFor(t, 30*time.Second, e.running, func() error {
		if n, err := e.number("tocsin_edge_forwarded_records_total"); err != nil || n < part/2 {
			return fmt.Errorf("%v records are forwarded, %w", n, err)
		}
		return nil
	})
	nats.Kill(0)
	_ = hub.cmd.Process.Kill()
	<-hub.done
	select {
	case <-sent:
		t.Error("all was sent before the hub was killed: it was under no load")
	default:
	}
	<-sent
	e.stands(http.StatusOK, false)
	e.falco(alerts[3*part:])
	e.stop(t) // what the hub does not have stays
	nats.Run(t, 0)
	hub.start(t, "")
	e.start(t, "")
	e.drained()

	var ids []string
	times := make(map[string]int)
	for _, r := range hubRecords(t, nats) {
		times[string(r.Raw)]++
		ids = append(ids, string(r.Raw))
	}
	if len(ids) != len(alerts) || len(times) != len(alerts) {
		t.Errorf("EVENTS has %d records of %d alerts, want %d", len(ids), len(times), len(alerts))
	}
	waitFor(t, 120*time.Second, func() bool { return hub.running() && e.running() }, func() error {
		if d := cmp.Diff(want, stored(t, where)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s\n%s", d, hub.log)
		}
		return nil
	})
	waitFor(t, 120*time.Second, func() bool { return true }, func() error { return hook.complete(len(want), 1) })
	e.stop(t)
	hub.stop(t)
}

// TestEdgeBound: without its hub the edge takes records up to its bound, bad ones too, and then refuses, with 503 and a time to come again.
// All that it took the hub has at the end, and then there is room again.
func TestEdgeBound(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	nats := natstest.StartProcesses(t, 1)
	nc, err := stream.Connect(stream.ServerConfig{URL: nats.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cfg := stream.DefaultConfig
	cfg.Events.Bytes, cfg.Matches.Bytes, cfg.Quarantine.Bytes = 200_000_000, 100_000_000, 100_000_000
	streams, err := stream.Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := streams.NameSet(ctx, "some set"); err != nil {
		t.Fatal(err)
	}
	nats.Kill(0)
	e := newEdgeProcess(t, nats, leastEdge)
	e.start(t, "")
	e.stands(http.StatusOK, false)
	post := func(body string) *http.Response {
		t.Helper()
		resp, err := http.Post("http://"+e.ingest+"/ingest/falco", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	if resp := post(`{"rule":`); resp.StatusCode != http.StatusOK {
		t.Errorf("a bad record: %s", resp.Status)
	}
	noise := make([]byte, 400_000)
	random := rand.NewChaCha8([32]byte{1})
	taken := 0
	for {
		_, _ = random.Read(noise)
		resp := post(fmt.Sprintf(`{"time":"2026-11-27T07:00:00Z","rule":"r","priority":"Notice","output":%q}`, base64.StdEncoding.EncodeToString(noise)))
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "" {
			break
		}
		if resp.StatusCode != http.StatusOK || taken > 100 {
			t.Fatalf("after %d: %s", taken, resp.Status)
		}
		taken++
	}
	e.stands(http.StatusServiceUnavailable, false)
	if used, err := e.number("tocsin_edge_waiting_bytes"); err != nil || used < leastEdge/2 || used > leastEdge {
		t.Errorf("%v bytes wait (%v), of %d", used, err, leastEdge)
	}
	e.stop(t) // a restart frees nothing
	e.start(t, "")
	e.stands(http.StatusOK, false)
	nats.Run(t, 0)
	e.drained()
	e.stands(http.StatusOK, true)
	if resp := post(`{"rule":"r"}`); resp.StatusCode != http.StatusOK {
		t.Errorf("there is no room after all has left: %s", resp.Status)
	}
	e.drained()
	if n := len(hubRecords(t, nats)); n != taken+1 {
		t.Errorf("the hub has %d records, want %d", n, taken+1)
	}
	waitFor(t, 20*time.Second, e.running, func() error {
		q, err := streams.QuarantineList(ctx, 10)
		if err == nil && len(q) != 1 {
			err = errors.New("the bad record is not in quarantine")
		}
		return err
	})
	e.stop(t)
}
