// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/stream/natstest"
	"tocsin/test/judge"

	"go.uber.org/goleak"

	"tocsin/pipeline"
)

// The child process of the kill tests is this test binary: it serves, and kills itself at a named point.
const (
	serveEnv = "TOCSIN_TEST_SERVE"
	killEnv  = "TOCSIN_TEST_KILL" // point:n, the nth time that the point is reached
)

func TestMain(m *testing.M) {
	natstest.Main()
	if os.Getenv(serveEnv) != "" {
		c := &cli{stdin: os.Stdin, stdout: io.Discard, stderr: os.Stderr, points: killPoints(os.Getenv(killEnv))}
		os.Exit(runCLI(signalled(context.Background()), c, []string{"serve", "--config", os.Getenv("TOCSIN_TEST_CONFIG")}))
	}
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// killPoints returns points of which one kills the process with SIGKILL: no deferred call, no flush.
func killPoints(spec string) points {
	name, count, _ := strings.Cut(spec, ":")
	n, _ := strconv.ParseInt(count, 10, 64)
	var seen atomic.Int64
	at := func(point string) func() {
		if point != name {
			return nil
		}
		return func() {
			if seen.Add(1) == n {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	return points{
		committed: at("committed"), published: at("published"), told: at("told"), forwarded: at("forwarded"),
		owner:         pipeline.Points{BeforeCommit: at("before-commit"), AfterCommit: at("after-commit"), InSnapshot: at("in-snapshot")},
		snapshotEvery: 200 * time.Millisecond,
	}
}

// stores returns the URL of a fresh store of each kind.
func stores() map[string]func(t *testing.T, data string) string {
	return map[string]func(t *testing.T, data string) string{
		"sqlite":   func(_ *testing.T, data string) string { return "sqlite:" + filepath.Join(data, "tocsin.db") },
		"postgres": func(t *testing.T, _ string) string { return freshDatabase(t) },
	}
}

// engines are the stores beside the process's own NATS, and a PostgreSQL with a NATS of three servers.
func engines() map[string]func(t *testing.T, data string) (storeURL string, cluster *natstest.Cluster) {
	all := make(map[string]func(t *testing.T, data string) (string, *natstest.Cluster))
	for kind, url := range stores() {
		all[kind] = func(t *testing.T, data string) (string, *natstest.Cluster) { return url(t, data), nil }
	}
	all["postgres and three NATS servers"] = func(t *testing.T, _ string) (string, *natstest.Cluster) {
		return freshDatabase(t), natstest.Start(t, 3, nil)
	}
	return all
}

// clusterYAML is the part of a configuration that names a cluster of three, with limits that fit a test's servers.
func clusterYAML(c interface{ URL() string }) string { return natsYAML(c, 3) }

// natsYAML is the same for so many servers.
func natsYAML(c interface{ URL() string }, replicas int) string {
	return fmt.Sprintf("nats: {url: %q, replicas: %d}\nretention:\n  events: {bytes: 200000000}\n  matches: {bytes: 200000000}\n  quarantine: {bytes: 100000000}\n", c.URL(), replicas)
}

// onCluster is the same for a tocsin in this process; without a cluster it changes nothing.
func onCluster(cluster *natstest.Cluster) func(*Config) {
	return func(c *Config) {
		if cluster == nil {
			return
		}
		c.NATS.URL, c.NATS.Replicas = cluster.URL(), 3
		c.Retention.Events.Bytes, c.Retention.Matches.Bytes, c.Retention.Quarantine.Bytes = 200_000_000, 200_000_000, 100_000_000
	}
}

// freshDatabase creates a database of the test's own.
func freshDatabase(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TOCSIN_TEST_POSTGRES")
	if server == "" {
		t.Fatal("TOCSIN_TEST_POSTGRES names no server: run make test")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("e2e_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		_ = conn.Close(ctx)
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// process is a child that serves.
type process struct {
	env  []string
	cmd  *exec.Cmd
	done chan struct{}
	log  *output
}

// output is what a child has said so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (p *process) start(t testing.TB, kill string) {
	t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.log = &output{}
	p.cmd.Stderr = p.log
	p.cmd.Env = append(append(append(os.Environ(), "TOCSIN_VECTOR_LISTEN=127.0.0.1:0"), p.env...), serveEnv+"=1", killEnv+"="+kill)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // it was killed: that is the test
		close(done)
	}(p.cmd, p.done)
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks for a graceful end.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.done
		t.Fatalf("no graceful end in 30 s:\n%s", p.log)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// attackEvents makes the load: many accounts, some guessed, some not, some sprayed; n events.
func attackEvents(n int, start time.Time) []map[string]any {
	out := make([]map[string]any, 0, n)
	for i := range n {
		user, outcome := i%97, "failure"
		if (i/97)%7 == 6 {
			outcome = "success"
		}
		out = append(out, map[string]any{
			"event.id": strconv.Itoa(i), "timestamp": start.Add(time.Duration(i) * 200 * time.Microsecond).Format(time.RFC3339Nano),
			"event.category": "authentication", "event.outcome": outcome, "event.action": "login",
			"user.name": fmt.Sprintf("user-%d", user), "source.ip": fmt.Sprintf("203.0.113.%d", user%11),
		})
	}
	return out
}

// wanted asks replay what becomes of what Vector sends.
func wanted(t *testing.T, events []map[string]any) []string {
	t.Helper()
	return wantedOf(t, "vector", events)
}

// wantedOf asks replay what becomes of what a source sends.
func wantedOf(t *testing.T, source string, events []map[string]any) []string {
	t.Helper()
	set, err := loadRules(t.Context(), []string{"../../rules.d"})
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b)
	}
	out, err := judge.Replayed(set, source, records, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// stored reads all incidents of a store.
func stored(t *testing.T, where string) []string {
	t.Helper()
	views, _, err := judge.Stored(context.Background(), where)
	if err != nil {
		t.Fatal(err)
	}
	return judge.Lines(views)
}

// waitFor polls until what returns nil.
func waitFor(t testing.TB, limit time.Duration, alive func() bool, what func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(end) || !alive() {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // another process has to get there
	}
}

// sendAsVector posts batches of 100 until each was answered with 200.
func sendAsVector(t testing.TB, url string, events []map[string]any) {
	client := &http.Client{Timeout: 10 * time.Second}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for i := 0; i < len(events); i += 100 {
		body, err := json.Marshal(events[i:min(i+100, len(events))])
		if err != nil {
			t.Error(err)
			return
		}
		<-pace.C
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
				resp, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err == nil {
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						return
					}
					if resp.StatusCode < 500 && resp.StatusCode != 429 && resp.StatusCode != 408 {
						t.Errorf("Vector would have dropped a batch: %s", resp.Status)
						return
					}
				}
				time.Sleep(wait)
			}
		})
	}
	wg.Wait()
}

// hook is a webhook's receiver that notes the keys.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	opened map[string]map[string]int // by incident: keys, and how often each came
}

func newHook(t *testing.T) *hook {
	h := &hook{opened: make(map[string]map[string]int)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Subject, Type string
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if !strings.Contains(body.Type, "opened") {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.opened[body.Subject] == nil {
			h.opened[body.Subject] = make(map[string]int)
		}
		h.opened[body.Subject][r.Header.Get("webhook-id")]++
	}))
	t.Cleanup(h.Close)
	return h
}

// complete reports whether each of n incidents was told of, under one key and not more often than so many deaths explain.
func (h *hook) complete(n, deaths int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.opened) < n {
		return fmt.Errorf("%d incidents were told of, want %d", len(h.opened), n)
	}
	for id, keys := range h.opened {
		if len(keys) != 1 {
			return fmt.Errorf("incident %s was told of under %d keys", id, len(keys))
		}
		for key, times := range keys {
			if times > 1+deaths {
				return fmt.Errorf("the alert %s came %d times", key, times)
			}
		}
	}
	return nil
}
