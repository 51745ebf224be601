// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/stream/natstest"
)

// TestALeaderOfAStreamIsKilled: under load the server that leads a stream ends without a word, first that of EVENTS, then that of
// MATCHES. What was answered with 200 is on two disks at least, so the incidents are those of replay.
func TestALeaderOfAStreamIsKilled(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartProcesses(t, 3)
	data := t.TempDir()
	config := filepath.Join(data, "tocsin.yaml")
	if err := os.WriteFile(config, []byte(clusterYAML(cluster)), 0o600); err != nil {
		t.Fatal(err)
	}
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	where, ingestAt := "sqlite:"+filepath.Join(data, "tocsin.db"), freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=127.0.0.1:0", "TOCSIN_TEST_CONFIG=" + config,
	}}
	events := attackEvents(15_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	p.start(t, "")
	third := len(events) / 3
	send := func(from, to int) { sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events[from:to]) }
	send(0, third)
	for i, stream := range []string{"EVENTS", "MATCHES"} {
		killed, sent := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(sent)
			for { // the same again is the same events: there is load until the leader is killed, however long that takes
				send((i+1)*third, (i+2)*third)
				select {
				case <-killed:
					return
				default:
				}
			}
		}()
		restart := cluster.KillLeader(t, stream)
		close(killed)
		restart()
		<-sent
	}
	waitFor(t, 120*time.Second, p.running, func() error {
		if d := cmp.Diff(want, stored(t, where)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s\n%s", d, p.log)
		}
		return nil
	})
	p.stop(t)
}
