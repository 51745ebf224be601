// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/stream/natstest"
)

// TestReplicas runs two processes on a NATS of three servers and one PostgreSQL, with clients that send to both. One process is killed with
// SIGKILL, then a server of NATS goes away and comes back, then the other process: the incidents are those of replay, and
// each is told of under one key.
func TestReplicas(t *testing.T) {
	t.Parallel()
	cluster := natstest.Start(t, 3, nil)
	where := freshDatabase(t)
	hook := newHook(t)
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	var ps [2]*process
	var at, admin [2]string
	for i := range ps {
		data := t.TempDir()
		config := filepath.Join(data, "tocsin.yaml")
		text := clusterYAML(cluster) + fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", hook.URL)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at[i], admin[i] = freePort(t), freePort(t)
		ps[i] = &process{env: []string{
			"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where,
			"TOCSIN_INGEST_LISTEN=" + at[i], "TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin[i], "TOCSIN_TEST_CONFIG=" + config,
		}}
	}
	ready := func(i int) {
		t.Helper()
		waitFor(t, 60*time.Second, ps[i].running, func() error {
			status, _, err := readiness(admin[i])
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("/readyz says %d", status)
			}
			if err != nil {
				err = fmt.Errorf("process %d: %w\n%s", i, err, ps[i].log)
			}
			return err
		})
	}
	for i, p := range ps {
		p.start(t, "")
		ready(i)
	}
	events := attackEvents(12_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	sent := make(chan struct{}, 2)
	for i := range ps {
		go func() {
			sendAsVector(t, "http://"+at[i]+"/ingest/vector", events[i*6_000:(i+1)*6_000])
			sent <- struct{}{}
		}()
	}
	kill := func(i int) {
		_ = ps[i].cmd.Process.Kill()
		<-ps[i].done
		ps[i].start(t, "")
		ready(i)
	}
	kill(0)
	cluster.StopLeader(t, "MATCHES")
	kill(1)
	<-sent
	<-sent
	waitFor(t, 90*time.Second, func() bool { return ps[0].running() && ps[1].running() }, func() error {
		if d := cmp.Diff(want, stored(t, where)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		return nil
	})
	waitFor(t, 120*time.Second, func() bool { return true }, func() error { return hook.complete(len(want), 2) })
	for _, p := range ps {
		p.stop(t)
	}
}
