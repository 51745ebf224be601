// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestFrozenWhileItStarts: a process that is frozen while it makes its streams, for longer than NATS takes for an answer,
// starts all the same.
func TestFrozenWhileItStarts(t *testing.T) {
	t.Parallel()
	data, admin := t.TempDir(), freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=../../rules.d", "TOCSIN_INGEST_LISTEN=127.0.0.1:0", "TOCSIN_API_LISTEN=127.0.0.1:0",
		"TOCSIN_ADMIN_LISTEN=" + admin,
	}}
	p.start(t, "")
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(data, "jetstream", "$G", "streams", "EVENTS")); err == nil {
			break // the answer that it is made is yet to come
		} else if time.Now().After(end) {
			t.Fatalf("%v\n%s", err, p.log)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(6 * time.Second)
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 60*time.Second, p.running, func() error {
		resp, err := http.Get("http://" + admin + "/readyz")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, p.log)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s\n%s", resp.Status, p.log)
		}
		return nil
	})
	p.stop(t)
}
