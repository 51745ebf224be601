// SPDX-License-Identifier: Apache-2.0

// Package natstest starts real NATS servers on loopback, alone or as a cluster, for tests.
package natstest

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster is a few servers that know each other.
type Cluster struct {
	Servers []*server.Server
	options []*server.Options
}

// Start starts n servers with JetStream and fsync always, in directories of the test's. change, if it is not nil, may alter
// the options of each. They are stopped at the end of the test.
func Start(t testing.TB, n int, change func(*server.Options)) *Cluster {
	t.Helper()
	c := &Cluster{}
	ports := freePorts(t, n)
	var routes []*url.URL
	for _, p := range ports {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", p)})
	}
	for i := range n {
		o := options(fmt.Sprintf("n%d", i), t.TempDir())
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}
			o.Routes = routes
		}
		if change != nil {
			change(o)
		}
		c.options = append(c.options, o)
		c.Servers = append(c.Servers, nil)
	}
	t.Cleanup(func() {
		for i := range c.Servers {
			c.Stop(i)
		}
	})
	for i := range n {
		c.Run(t, i)
	}
	c.WaitReady(t)
	return c
}

// options are those of each server.
func options(name, dir string) *server.Options {
	return &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir,
		SyncAlways: true, MaxPayload: 8 << 20, MaxPending: 256 << 20, NoSigs: true, NoLog: true, JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 64 << 20,
	}
}

// Run starts one server, for the first time or again.
func (c *Cluster) Run(t testing.TB, i int) {
	t.Helper()
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatalf("server %d is not ready", i)
	}
	if c.options[i].Port == server.RANDOM_PORT {
		c.options[i].Port = s.Addr().(*net.TCPAddr).Port
	}
	c.Servers[i] = s
}

// Stop stops one server.
func (c *Cluster) Stop(i int) {
	if s := c.Servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
		c.Servers[i] = nil
	}
}

// StopLeader stops the server that leads a stream, and starts it again.
func (c *Cluster) StopLeader(t testing.TB, stream string) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for {
		for i, s := range c.Servers {
			if s != nil && s.JetStreamIsStreamLeader("$G", stream) {
				c.Stop(i)
				c.Run(t, i)
				c.WaitReady(t)
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody leads %s", stream)
		}
		time.Sleep(20 * time.Millisecond) // the servers have to choose one
	}
}

// WaitReady waits until JetStream of the cluster has a leader that all know.
func (c *Cluster) WaitReady(t testing.TB) {
	t.Helper()
	if len(c.Servers) == 1 {
		return
	}
	end := time.Now().Add(30 * time.Second)
	for time.Now().Before(end) {
		leaders, current := 0, 0
		for _, s := range c.Servers {
			if s == nil {
				current++
				continue
			}
			if s.JetStreamIsLeader() {
				leaders++
			}
			if s.JetStreamIsCurrent() {
				current++
			}
		}
		if leaders == 1 && current == len(c.Servers) {
			return
		}
		time.Sleep(20 * time.Millisecond) // the servers have to find each other
	}
	t.Fatal("the cluster has no leader")
}

// URL lists the servers for clients.
func (c *Cluster) URL() string {
	var out []string
	for _, o := range c.options {
		out = append(out, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(out, ",")
}

// freePorts returns ports that were free a moment ago.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}
