// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestKilledAtNamedPoints kills the process where it hurts, while a client that retries as Vector does sends
// 5,000 events a second: the incidents are those of replay, no more and no fewer, and an alert is repeated at most
// with the same key.
func TestKilledAtNamedPoints(t *testing.T) {
	for kind, start := range engines() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			where, cluster := start(t, data)
			hook := newHook(t)
			config := filepath.Join(data, "tocsin.yaml")
			text := fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", hook.URL)
			if cluster != nil {
				text += clusterYAML(cluster)
			}
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			rulesDir, err := filepath.Abs("../../rules.d")
			if err != nil {
				t.Fatal(err)
			}
			ingestAt := freePort(t)
			p := &process{env: []string{
				"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=" + ingestAt,
				"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + freePort(t), "TOCSIN_TEST_CONFIG=" + config,
			}}
			kills := []string{
				"committed:20", "published:10", "before-commit:15", "after-commit:15", "in-snapshot:3", "told:5", "committed:1", "in-snapshot:1", "",
			}
			events := attackEvents(30_000, time.Now().Add(-10*time.Second))
			want := wanted(t, events)
			if len(want) < 50 {
				t.Fatalf("the load makes only %d incidents", len(want))
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events)
			}()
			deaths := 0
			for i, kill := range kills {
				p.start(t, kill)
				if cluster != nil && i == 3 {
					cluster.StopLeader(t, "EVENTS")
				}
				if kill == "" {
					break
				}
				select {
				case <-p.done:
					deaths++
				case <-time.After(20 * time.Second):
					p.stop(t) // the point was not reached any more
				}
			}
			<-sent
			waitFor(t, 180*time.Second, func() bool { return p.running() }, func() error {
				got := stored(t, where)
				if d := cmp.Diff(want, got); d != "" {
					return fmt.Errorf("%d deaths; the incidents are not those of replay (-want +got):\n%s", deaths, d)
				}
				return nil
			})
			if deaths < 5 {
				t.Errorf("only %d kills happened", deaths)
			}
			waitFor(t, 120*time.Second, func() bool { return true }, func() error { return hook.complete(len(want), deaths) })
			p.stop(t)
			if got := stored(t, where); cmp.Diff(want, got) != "" {
				t.Error("after the graceful end the incidents are others")
			}
		})
	}
}

// TestGracefulStopUnderLoad stops the process with SIGTERM while it is busy: nothing is lost.
func TestGracefulStopUnderLoad(t *testing.T) {
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			rulesDir, err := filepath.Abs("../../rules.d")
			if err != nil {
				t.Fatal(err)
			}
			ingestAt, where := freePort(t), url(t, data)
			p := &process{env: []string{
				"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=" + ingestAt,
				"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=127.0.0.1:0",
			}}
			events := attackEvents(15_000, time.Now().Add(-10*time.Second))
			want := wanted(t, events)
			p.start(t, "")
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events)
			}()
			for range 2 {
				waitFor(t, 20*time.Second, func() bool { return true }, func() error {
					conn, err := net.Dial("tcp", ingestAt)
					if err == nil {
						_ = conn.Close()
					}
					return err
				})
				p.stop(t)
				p.start(t, "")
			}
			<-sent
			waitFor(t, 180*time.Second, p.running, func() error {
				if d := cmp.Diff(want, stored(t, where)); d != "" {
					return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
				}
				return nil
			})
			p.stop(t)
		})
	}
}
