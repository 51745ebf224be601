// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tocsin/test/chaos/disk"
)

// replica is one tocsin, and its ways to the others.
type replica struct {
	*process
	roles              []string
	ingest, admin, api string // addresses
	rules              string
	proxies            []*proxy // to each NATS server, then PostgreSQL
}

// newReplica makes what one more tocsin needs, and counts it among the others; it does not start it.
func (w *world) newReplica(roles []string) (*replica, error) {
	w.mu.Lock()
	name, text := fmt.Sprintf("tocsin-%d", len(w.replicas)), rulesOf(w.meaning)
	w.mu.Unlock()
	data := filepath.Join(w.dir, name)
	r := &replica{roles: roles, rules: filepath.Join(w.dir, name+".conf", "rules.d")}
	if err := os.MkdirAll(r.rules, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(r.rules, "rules.yml"), text, 0o600); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	r.ingest, r.admin, r.api = at(0), at(1), at(2)
	config := fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", w.hook.URL)
	store := w.storeURL("")
	if !w.alone {
		var urls []string
		for _, to := range append(append([]string{}, w.natsAt...), w.pgAt) {
			p, err := newProxy(to)
			if err != nil {
				return nil, err
			}
			r.proxies = append(r.proxies, p)
			urls = append(urls, "nats://"+p.addr())
		}
		store = w.storeURL(r.proxies[3].addr())
		config += fmt.Sprintf("nats: {url: %q, replicas: 3}\nretention:\n  events: {bytes: 200000000}\n  matches: {bytes: 200000000}\n  quarantine: {bytes: 100000000}\n",
			strings.Join(urls[:3], ","))
	}
	does := strings.Join(roles, ",")
	if r.atEdge() {
		does = "ingest"
		config += "edge: {bytes: 100000000}\n"
	}
	file := filepath.Join(w.dir, name+".conf", "tocsin.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	r.process = &process{name: name, dir: w.dir, disk: data, args: []string{w.programs.tocsin, "serve", "--config", file}, env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + r.rules, "TOCSIN_STORE_URL=" + store, "TOCSIN_LATENESS=" + w.lateness.String(),
		"TOCSIN_INGEST_LISTEN=" + r.ingest, "TOCSIN_ADMIN_LISTEN=" + r.admin, "TOCSIN_API_LISTEN=" + r.api, "TOCSIN_VECTOR_LISTEN=off",
		"TOCSIN_ROLES=" + does, "TOCSIN_API_TOKEN=" + token,
	}}
	w.mu.Lock()
	w.replicas = append(w.replicas, r)
	w.mu.Unlock()
	return r, disk.Settle(data, r.shadow())
}

// with returns the replicas that have a role and are not gone for good; all of these for "".
func (w *world) with(role string) []*replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*replica
	for _, r := range w.replicas {
		if !r.isOver() && (role == "" || r.does(role)) {
			out = append(out, r)
		}
	}
	return out
}

// ingest returns where events can be sent to.
func (w *world) ingest() []string {
	var out []string
	for _, r := range w.with("ingest") {
		out = append(out, r.ingest)
	}
	return out
}

// api returns where people can look at incidents and close them.
func (w *world) api() []string {
	var out []string
	for _, r := range w.with("api") {
		out = append(out, r.api)
	}
	return out
}

// join draws one more replica.
func join(r *rand.Rand, w *world) fault {
	does := []string{"all"}
	if r.IntN(2) == 0 {
		does = nil
		for _, i := range r.Perm(len(roles))[:1+r.IntN(3)] {
			does = append(does, roles[i])
		}
	}
	x, err := w.newReplica(does)
	if err != nil {
		return fault{"add a replica", func(*world) error { return err }}
	}
	return fault{fmt.Sprintf("add %s for %s", x.name, strings.Join(does, ", ")), func(w *world) error { return w.revive(x.process) }}
}

// leave draws the end of a replica that is one too many; there may be none.
func leave(r *rand.Rand, w *world) fault {
	all := w.with("")
	x := all[r.IntN(len(all))]
	how, s := "stop", syscall.SIGTERM
	if r.IntN(2) == 0 {
		how, s = "kill", syscall.SIGKILL
	}
	if !w.spare(x) {
		return fault{}
	}
	x.setOver()
	return fault{fmt.Sprintf("%s %s for good", how, x.name), func(*world) error {
		x.stop(s)
		return nil
	}}
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
