// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tocsin/test/chaos/disk"
)

// natsEnv makes this program a NATS server.
const natsEnv = "CHAOS_NATS"

// natsConfig is what a server is told.
type natsConfig struct {
	Name, Dir   string
	Port, Route int
	Routes      []int
	LogFile     string
}

// serveNATS is a NATS server with JetStream, a process of its own.
func serveNATS(text string) error {
	var c natsConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: c.Name, Host: "127.0.0.1", Port: c.Port, JetStream: true, StoreDir: c.Dir, SyncAlways: true,
		MaxPayload: 8 << 20, JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 64 << 20, NoSigs: true, LogFile: c.LogFile,
		Cluster: server.ClusterOpts{Name: "chaos", Host: "127.0.0.1", Port: c.Route, NoAdvertise: true}, // a client stays with the proxies
	}
	for _, p := range c.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", p)})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// startNATS starts a cluster of three.
func (w *world) startNATS() error {
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	for i := range 3 {
		name := fmt.Sprintf("nats-%d", i)
		c, err := json.Marshal(natsConfig{
			Name: name, Dir: filepath.Join(w.dir, name), Port: ports[i], Route: ports[3+i], Routes: ports[3:],
			LogFile: filepath.Join(w.dir, name+".log"),
		})
		if err != nil {
			return err
		}
		p := &process{name: name, args: []string{w.programs.nats}, env: []string{natsEnv + "=" + string(c)}, dir: w.dir, disk: filepath.Join(w.dir, name)}
		if err := disk.Settle(p.disk, p.shadow()); err != nil {
			return err
		}
		if err := p.start(); err != nil {
			return err
		}
		w.nats = append(w.nats, p)
		w.natsAt = append(w.natsAt, fmt.Sprintf("127.0.0.1:%d", ports[i]))
	}
	return nil
}

// natsLeader returns which server leads a stream, as the cluster says; -1 if it does not say.
func (w *world) natsLeader(stream string) int {
	nc, js, err := w.jetstream()
	if err != nil {
		return -1
	}
	defer nc.Close()
	ctx, cancel := timeout(2 * time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return -1
	}
	for i, p := range w.nats {
		if strings.EqualFold(p.name, s.CachedInfo().Cluster.Leader) {
			return i
		}
	}
	return -1
}
