// SPDX-License-Identifier: Apache-2.0

package natstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// serveEnv makes a test binary a NATS server.
const serveEnv = "TOCSIN_TEST_NATS"

// Main is for the TestMain of a package that calls [StartProcesses]: in a child of theirs it serves, and does not return.
func Main() {
	text := os.Getenv(serveEnv)
	if text == "" {
		return
	}
	err := serve(text)
	fmt.Fprintln(os.Stderr, "nats:", err)
	os.Exit(1)
}

// processConfig is what a child is told.
type processConfig struct {
	Name, Dir   string
	Port, Route int
	Routes      []int
}

func serve(text string) error {
	var c processConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	o := options(c.Name, c.Dir)
	o.Port = c.Port
	if len(c.Routes) > 1 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.Route}
		for _, p := range c.Routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", p)})
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin) // it ends with the test, however that ends
	return errors.New("the test is over")
}

// Processes is a server or a cluster, each server a process of its own: it can be killed, and so leaves everything as it is.
type Processes struct {
	configs []processConfig
	running []*exec.Cmd
}

// StartProcesses starts n of them. They are killed at the end of the test.
func StartProcesses(t testing.TB, n int) *Processes {
	t.Helper()
	ports := freePorts(t, 2*n)
	p := &Processes{running: make([]*exec.Cmd, n)}
	t.Cleanup(func() {
		for i := range p.running {
			p.Kill(i)
		}
	})
	for i := range n {
		p.configs = append(p.configs, processConfig{fmt.Sprintf("n%d", i), t.TempDir(), ports[i], ports[n+i], ports[n:]})
		p.Run(t, i)
	}
	p.wait(t, "the cluster takes nothing", func(ctx context.Context, js jetstream.JetStream) error {
		kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "ready", Replicas: n})
		if err == nil {
			_, err = kv.Put(ctx, "a", nil)
		}
		return err
	})
	return p
}

// URL lists the servers for clients.
func (p *Processes) URL() string {
	var out []string
	for _, c := range p.configs {
		out = append(out, fmt.Sprintf("nats://127.0.0.1:%d", c.Port))
	}
	return strings.Join(out, ",")
}

// KillLeader kills the server that leads a stream with SIGKILL. What it returns waits until another leads, and starts it again.
func (p *Processes) KillLeader(t testing.TB, stream string) (restart func()) {
	t.Helper()
	var killed string
	leads := func(ctx context.Context, js jetstream.JetStream) (string, error) {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return "", err
		}
		if c := s.CachedInfo().Cluster; c != nil && c.Leader != "" && c.Leader != killed {
			return c.Leader, nil
		}
		return "", errors.New("no server leads " + stream)
	}
	p.wait(t, "nobody to kill", func(ctx context.Context, js jetstream.JetStream) error {
		name, err := leads(ctx, js)
		for i, c := range p.configs {
			if c.Name == name {
				killed = name
				p.Kill(i)
				return nil
			}
		}
		return err
	})
	return func() {
		t.Helper()
		p.wait(t, "nobody takes over", func(ctx context.Context, js jetstream.JetStream) error {
			_, err := leads(ctx, js)
			return err
		})
		for i, c := range p.configs {
			if c.Name == killed {
				p.Run(t, i)
			}
		}
	}
}

// Run starts a server that was killed. It does not wait until it takes something.
func (p *Processes) Run(t testing.TB, i int) {
	t.Helper()
	text, err := json.Marshal(p.configs[i])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // it stays open until the child is waited for, or we are gone
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.running[i] = cmd
}

// Kill kills a server with SIGKILL.
func (p *Processes) Kill(i int) {
	if cmd := p.running[i]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it says that it was killed
		p.running[i] = nil
	}
}

// wait asks until what returns nil.
func (p *Processes) wait(t testing.TB, otherwise string, what func(context.Context, jetstream.JetStream) error) {
	t.Helper()
	once := func() error {
		nc, err := nats.Connect(p.URL(), nats.Timeout(time.Second))
		if err != nil {
			return err
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		return what(ctx, js)
	}
	end := time.Now().Add(60 * time.Second)
	for {
		err := once()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", otherwise, err)
		}
		time.Sleep(20 * time.Millisecond) // the servers have to find each other
	}
}
