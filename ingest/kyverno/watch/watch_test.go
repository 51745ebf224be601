// SPDX-License-Identifier: Apache-2.0

package watch_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/kyverno/watch"
	"tocsin/stream"
)

// api is what an API server answers, by path; a path that it does not know is 404, and a watch says nothing. What needs
// a real one is in test/kube.
type api struct {
	mu      sync.Mutex
	answers map[string]string // a number is that status
	asked   map[string]chan struct{}
}

func newAPI(t *testing.T) (*api, *rest.Config) {
	t.Helper()
	a := &api{answers: make(map[string]string), asked: make(map[string]chan struct{})}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return a, &rest.Config{Host: srv.URL, QPS: 1000, Burst: 1000}
}

func (a *api) set(path, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = answer
}

// wait returns a channel that is told of requests of a path from now on.
func (a *api) wait(path string) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[path] = make(chan struct{}, 100)
	return a.asked[path]
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" {
		<-r.Context().Done()
		return
	}
	a.mu.Lock()
	answer, asked := a.answers[r.URL.Path], a.asked[r.URL.Path]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if answer == "" {
		answer = strconv.Itoa(http.StatusNotFound)
	}
	if status, err := strconv.Atoi(answer); err == nil {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"%s","code":%d}`, http.StatusText(status), status)
	} else {
		_, _ = w.Write([]byte(answer)) // the client went away
	}
	if asked != nil {
		select {
		case asked <- struct{}{}:
		default: // nobody counts that many
		}
	}
}

const (
	group   = "/apis/wgpolicyk8s.io"
	version = group + "/v1alpha2"
	list    = version + "/policyreports"
)

// serve makes the API server have policy reports: one for each list of results.
func (a *api) serve(results string) {
	a.set(group, `{"kind":"APIGroup","apiVersion":"v1","name":"wgpolicyk8s.io","versions":[{"groupVersion":"wgpolicyk8s.io/v1","version":"v1"},{"groupVersion":"wgpolicyk8s.io/v1alpha2","version":"v1alpha2"}]}`)
	a.set(version, `{"kind":"APIResourceList","groupVersion":"wgpolicyk8s.io/v1alpha2","resources":[{"name":"policyreports","namespaced":true,"kind":"PolicyReport","verbs":["list","watch"]}]}`)
	a.set(list, `{"apiVersion":"wgpolicyk8s.io/v1alpha2","kind":"PolicyReportList","metadata":{"resourceVersion":"7"},"items":[{"apiVersion":"wgpolicyk8s.io/v1alpha2","kind":"PolicyReport",
		"metadata":{"namespace":"shop","name":"u-1","uid":"r-1","resourceVersion":"7"},"scope":{"kind":"Pod","namespace":"shop","name":"web","uid":"u-1"},"results":`+results+`}]}`)
}

func results(verdict string) string {
	return `[{"source":"kyverno","policy":"a","result":"` + verdict + `","timestamp":{"seconds":1787307330,"nanos":0}}]`
}

// node is the streams of a node, and what was committed.
type node struct {
	t      *testing.T
	access *rest.Config
	kv     *stream.KV

	mu   sync.Mutex
	told []string
}

func newNode(t *testing.T, access *rest.Config) *node {
	t.Helper()
	e, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	nc, err := e.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	small := stream.Retention{Age: time.Hour, Bytes: 16 << 20}
	s, err := stream.Open(t.Context(), nc, stream.Config{Events: small, Matches: small, Quarantine: small, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	kv, err := s.KV(t.Context(), "tocsin-kyverno", "")
	if err != nil {
		t.Fatal(err)
	}
	return &node{t: t, access: access, kv: kv}
}

func (n *node) commit(_ context.Context, recs []event.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range recs {
		e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(r, 1)
		if err != nil {
			return err
		}
		n.told = append(n.told, e.Get(event.EventAction).(string))
	}
	return nil
}

// run watches until the channel is told n times, or a kind was settled.
func (n *node) run(until <-chan struct{}, times int, kind string) {
	n.t.Helper()
	settled := make(chan string)
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	w, err := watch.New(watch.Config{
		Access: n.access, Store: n.kv, Commit: n.commit, Cluster: "prod", Log: slog.New(slog.DiscardHandler),
		Relist: 20 * time.Millisecond, Discover: 10 * time.Millisecond,
		Settled: func(k string) {
			if k == kind {
				select {
				case settled <- k:
				case <-ctx.Done():
				}
			}
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for range times {
		select {
		case <-until:
		case <-settled:
		case <-ctx.Done():
			n.t.Fatal("the watcher does not come to it")
		}
	}
	cancel()
	if err := <-done; err != nil {
		n.t.Error(err)
	}
}

func (n *node) want(told ...string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := cmp.Diff(told, n.told); d != "" {
		n.t.Errorf("(-want +got):\n%s", d)
	}
}

// TestSilenceIsNoNews: an API server that cannot say what it has, and a report that cannot be read, end no violation; an
// API server that says that it has none does.
func TestSilenceIsNoNews(t *testing.T) {
	t.Parallel()
	a, access := newAPI(t)
	n := newNode(t, access)
	a.serve(results("fail"))
	n.run(nil, 2, "polr")
	n.want("violation")

	a.set(group, "503")
	n.run(a.wait(group), 3, "none")
	n.want("violation")

	a.serve(results("fail"))
	a.set(version, "503") // an aggregated API whose server is down
	n.run(a.wait(version), 3, "none")
	n.want("violation")

	a.serve(results("fail"))
	a.set(list, "503")
	n.run(a.wait(list), 2, "none")
	n.want("violation")

	a.serve(`"garbage"`)
	n.run(nil, 3, "polr")
	n.want("violation")

	a.serve(results("pass"))
	n.run(nil, 2, "polr")
	n.want("violation", "resolved")

	a.serve(results("fail"))
	n.run(nil, 2, "polr")
	a.set(group, "")
	n.run(nil, 1, "polr")
	n.want("violation", "resolved", "violation", "removed")
}

func TestConnect(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/kubeconfig"
	if _, err := watch.Connect(file, ""); err == nil {
		t.Error("a kubeconfig that is not there")
	}
	if _, err := watch.Connect("", "prod"); err == nil || !strings.Contains(err.Error(), "kubeconfig") {
		t.Errorf("a context of nothing: %v", err)
	}
	if _, err := watch.Connect("", ""); err == nil || !strings.Contains(err.Error(), "Kubernetes") {
		t.Errorf("outside of a cluster: %v", err)
	}
	if _, err := watch.New(watch.Config{}); err == nil {
		t.Error("a watcher of nothing")
	}
	w, err := watch.New(watch.Config{
		Access: &rest.Config{Host: "http://127.0.0.1:1"}, Store: &stream.KV{}, Lease: &watch.Lease{},
		Commit: func(context.Context, []event.Record) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "namespace of the Lease") {
		t.Errorf("a Lease in no namespace: %v", err)
	}
}
