// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/stream"
	"tocsin/stream/natstest"
)

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

	records, distinct := hubRecords(t, nats), make(map[string]bool)
	for _, r := range records {
		distinct[string(r.Raw)] = true
	}
	if len(records) != len(alerts) || len(distinct) != len(alerts) {
		t.Errorf("EVENTS has %d records of %d alerts, want %d", len(records), len(distinct), len(alerts))
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
