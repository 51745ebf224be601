// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/pipeline"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// lines is a log whose lines are handed on.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default: // nobody reads that many
	}
	return len(p), nil
}

// TestKyvernoWaitsForNATS: a NATS that is away when Kyverno's bucket is opened ends nothing: the watch begins when it is
// back, and a stop meanwhile is no error.
func TestKyvernoWaitsForNATS(t *testing.T) {
	t.Parallel()
	cluster := natstest.Start(t, 1, nil)
	nc, err := stream.Connect(stream.ServerConfig{URL: cluster.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	small := stream.Retention{Age: time.Hour, Bytes: 16 << 20}
	streams, err := stream.Open(t.Context(), nc, stream.Config{Events: small, Matches: small, Quarantine: small, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	nobody := "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}"
	if err := os.WriteFile(kubeconfig, []byte(nobody), 0o600); err != nil {
		t.Fatal(err)
	}
	said := make(lines, 1000)
	n := &node{streams: streams, seen: pipeline.NewSources(), log: slog.New(slog.NewTextHandler(said, nil))}
	n.cfg.Kyverno.Enabled, n.cfg.Kyverno.Kubeconfig, n.cfg.Kyverno.Namespace = true, kubeconfig, "tocsin"
	start := func() (done chan error, stop context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		done = make(chan error, 1)
		n.reg = prometheus.NewRegistry()
		go func() { done <- (&inputs{n: n}).watchKyverno(ctx) }()
		for {
			select {
			case line := <-said:
				if strings.Contains(line, "NATS is away") {
					return done, cancel
				}
			case err := <-done:
				t.Fatalf("the watch ends without NATS: %v", err)
			case <-time.After(30 * time.Second):
				t.Fatal("nothing is said of a NATS that is away")
			}
		}
	}
	cluster.Stop(0)
	done, stop := start()
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped while it waits: %v", err)
	}
	done, stop = start()
	cluster.Run(t, 0)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 30*time.Second, func() bool { return len(done) == 0 }, func() error {
		_, err := js.KeyValue(t.Context(), "tocsin-kyverno")
		return err
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped while it watches: %v", err)
	}
}
