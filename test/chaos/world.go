// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// world is all the processes of one run.
type world struct {
	dir      string
	programs programs
	alone    bool // one tocsin with its own NATS and SQLite
	lateness time.Duration

	nats   []*process
	natsAt []string
	pg     *process
	pgAt   string
	hook   *receiver

	mu       sync.Mutex
	replicas []*replica // those that are gone for good, too
	meaning  int        // what the rules mean

	ahead atomic.Int64 // by how many nanoseconds the clocks of all processes are

	writing sync.Mutex // held while rule files are written
	failing sync.Mutex // held while power has failed
}

// newWorld starts everything, with a tocsin for each set of roles.
func newWorld(dir string, programs programs, alone bool, roles [][]string, lateness time.Duration) (*world, error) {
	w := &world{dir: dir, programs: programs, alone: alone, lateness: lateness, hook: newReceiver()}
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
	for _, does := range roles {
		r, err := w.newReplica(does)
		if err == nil {
			err = r.start()
		}
		if err != nil {
			return w, err
		}
	}
	return w, until(60*time.Second, w.ready)
}

func (w *world) storeURL(at string) string {
	if w.alone {
		return "sqlite:" + filepath.Join(w.dir, "tocsin-0", "tocsin.db")
	}
	return "postgres://tocsin@" + at + "/postgres?sslmode=disable"
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
	for _, r := range w.with("") {
		r.signal(syscall.SIGCONT)
		if err := w.revive(r.process); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether all replicas are.
func (w *world) ready() error {
	for _, r := range w.with("") {
		if err := ready(r.admin); err != nil {
			return fmt.Errorf("%s is not ready: %w", r.name, err)
		}
	}
	return nil
}

// revive starts a process until it stays, unless it is gone for good: PostgreSQL waits for the children of the one that was killed.
func (w *world) revive(p *process) error {
	return until(60*time.Second, func() error {
		if p.running() || p.isOver() {
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
