// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin/test/chaos/disk"
)

//go:embed rules.yml
var rulesText []byte

// world is all the processes of one run.
type world struct {
	dir      string
	programs programs
	alone    bool // one tocsin with its own NATS and SQLite
	lateness time.Duration

	nats     []*process
	natsAt   []string
	pg       *process
	pgAt     string
	replicas []*replica

	failing sync.Mutex // held while power has failed

	hook *httptest.Server
	mu   sync.Mutex
	told map[string]int // incidents that somebody was told of
}

// replica is one tocsin, and its ways to the others.
type replica struct {
	*process
	ingest, admin string
	rules         string
	proxies       []*proxy // to each NATS server, then PostgreSQL
	off           bool     // taken away
}

func newWorld(dir string, programs programs, alone bool, replicas int, lateness time.Duration) (*world, error) {
	w := &world{dir: dir, programs: programs, alone: alone, lateness: lateness, told: make(map[string]int)}
	w.hook = httptest.NewServer(http.HandlerFunc(w.hear))
	if !alone {
		if err := w.startNATS(); err != nil {
			return w, err
		}
		if err := w.startPostgres(); err != nil {
			return w, err
		}
		if err := until(60*time.Second, w.natsReady); err != nil {
			return w, err
		}
	}
	for i := range replicas {
		if err := w.addReplica(i); err != nil {
			return w, err
		}
	}
	return w, nil
}

// hear is the receiver of alerts.
func (w *world) hear(_ http.ResponseWriter, r *http.Request) {
	var body struct{ Subject, Type string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || !strings.Contains(body.Type, "opened") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told[body.Subject]++
}

func (w *world) storeURL(at string) string {
	if w.alone {
		return "sqlite:" + filepath.Join(w.dir, "tocsin-0", "tocsin.db")
	}
	return "postgres://tocsin@" + at + "/postgres?sslmode=disable"
}

func (w *world) addReplica(i int) error {
	name := fmt.Sprintf("tocsin-%d", i)
	data := filepath.Join(w.dir, name)
	r := &replica{rules: filepath.Join(w.dir, name+".conf", "rules.d")}
	if err := os.MkdirAll(r.rules, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.rules, "rules.yml"), rulesText, 0o600); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	r.ingest, r.admin = at(0), at(1)
	config := fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", w.hook.URL)
	store := w.storeURL("")
	if !w.alone {
		var urls []string
		for _, to := range append(append([]string{}, w.natsAt...), w.pgAt) {
			p, err := newProxy(to)
			if err != nil {
				return err
			}
			r.proxies = append(r.proxies, p)
			urls = append(urls, "nats://"+p.addr())
		}
		store = w.storeURL(r.proxies[3].addr())
		config += fmt.Sprintf("nats: {url: %q, replicas: 3}\nretention:\n  events: {bytes: 200000000}\n  matches: {bytes: 200000000}\n  quarantine: {bytes: 100000000}\n",
			strings.Join(urls[:3], ","))
	}
	file := filepath.Join(w.dir, name+".conf", "tocsin.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	r.process = &process{name: name, dir: w.dir, disk: data, args: []string{w.programs.tocsin, "serve", "--config", file}, env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + r.rules, "TOCSIN_STORE_URL=" + store, "TOCSIN_LATENESS=" + w.lateness.String(),
		"TOCSIN_INGEST_LISTEN=" + r.ingest, "TOCSIN_ADMIN_LISTEN=" + r.admin, "TOCSIN_API_LISTEN=" + at(2), "TOCSIN_VECTOR_LISTEN=off",
	}}
	w.replicas = append(w.replicas, r)
	if err := disk.Settle(data, r.shadow()); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	return until(60*time.Second, func() error { return ready(r.admin) })
}

// ingest returns where events can be sent to.
func (w *world) ingest() []string {
	var out []string
	for _, r := range w.replicas {
		out = append(out, r.ingest)
	}
	return out
}

func (w *world) jetstream() (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect("nats://"+strings.Join(w.natsAt, ",nats://"), nats.Timeout(time.Second))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	return nc, js, err
}

func (w *world) natsReady() error {
	nc, js, err := w.jetstream()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := timeout(2 * time.Second)
	defer cancel()
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "ready", Replicas: 3})
	if err == nil {
		_, err = kv.Put(ctx, "a", nil)
	}
	return err
}

// heal has everything run and reach everything again.
func (w *world) heal() error {
	for _, p := range append(append([]*process{}, w.nats...), w.pg) {
		if p == nil {
			continue
		}
		p.signalTree(syscall.SIGCONT)
		if err := w.revive(p); err != nil {
			return err
		}
	}
	for _, r := range w.replicas {
		r.signal(syscall.SIGCONT)
		r.off = false
		if err := w.revive(r.process); err != nil {
			return err
		}
	}
	return nil
}

// revive starts a process until it stays: PostgreSQL waits for the children of the one that was killed.
func (w *world) revive(p *process) error {
	return until(60*time.Second, func() error {
		if p.running() {
			return nil
		}
		if err := p.start(); err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond)
		if !p.running() {
			return fmt.Errorf("%s does not start", p.name)
		}
		return nil
	})
}

func (w *world) close() {
	for _, r := range w.replicas {
		r.signal(syscall.SIGCONT)
		r.stop(syscall.SIGKILL)
		for _, p := range r.proxies {
			p.close()
		}
	}
	for _, p := range w.nats {
		p.signal(syscall.SIGCONT)
		p.stop(syscall.SIGKILL)
	}
	if w.pg != nil {
		w.pg.signalTree(syscall.SIGCONT)
		w.pg.stop(syscall.SIGQUIT)
	}
	w.hook.Close()
}

func ready(admin string) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + admin + "/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// until tries until it goes well.
func until(d time.Duration, try func() error) error {
	end := time.Now().Add(d)
	for {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// freePorts returns ports that were free a moment ago.
func freePorts(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}
