// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload is the largest message of the embedded server.
const maxPayload = 8 << 20

// EmbeddedConfig is what the embedded server needs.
type EmbeddedConfig struct {
	// Dir is the data directory; the streams are in Dir/jetstream.
	Dir string
	// MaxStore bounds the streams' bytes on disk; 0 is 80 % of what is free at the start.
	MaxStore int64
}

// Embedded is a NATS server in this process: JetStream on disk, every message fsynced before it is
// acknowledged, reachable from nowhere else.
type Embedded struct {
	srv  *server.Server
	lock *os.File
}

// StartEmbedded locks the data directory and starts the server. Two servers on one directory would destroy it
// (backbone.md 5): the second opener gets an error that names the holder.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	lock, err := LockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.MaxStore == 0 {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(cfg.Dir, &fs); err != nil {
			_ = lock.Close() // the error that matters is the first
			return nil, fmt.Errorf("free space of %s: %w", cfg.Dir, err)
		}
		cfg.MaxStore = int64(fs.Bavail) * fs.Bsize / 10 * 8
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "tocsin", DontListen: true, JetStream: true, StoreDir: cfg.Dir,
		SyncAlways: true, JetStreamMaxStore: cfg.MaxStore, JetStreamMaxMemory: 64 << 20,
		MaxPayload: maxPayload, NoSigs: true, NoLog: true,
	})
	if err == nil {
		srv.Start()
		if !srv.ReadyForConnections(30 * time.Second) {
			srv.Shutdown()
			err = errors.New("not ready after 30 s")
		}
	}
	if err != nil {
		_ = lock.Close() // the error that matters is the first
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return &Embedded{srv: srv, lock: lock}, nil
}

// LockDir makes a data directory if it is not there and takes its exclusive lock, held until the file is closed or the
// process dies.
func LockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		by := ""
		if b, readErr := os.ReadFile(f.Name()); readErr == nil && len(b) > 0 {
			by = " (process " + strings.TrimSpace(string(b)) + ")"
		}
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("the data directory %s is in use by another tocsin%s: give this one its own with --data", dir, by)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid()) // only a hint for the other's message
	}
	return f, nil
}

// Conn connects within the process.
func (e *Embedded) Conn() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(e.srv), nats.MaxReconnects(-1), nats.Name("tocsin"))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Healthy reports a server that cannot write: after a full disk JetStream hangs until it is restarted.
func (e *Embedded) Healthy() error {
	if !e.srv.JetStreamEnabled() {
		return errors.New("JetStream is off")
	}
	var status *server.HealthStatus
	for range healthLooks { // the server gives itself a millisecond for each, which a busy processor may take
		if status = e.srv.Healthz(&server.HealthzOptions{}); status.Error == "" {
			return nil
		}
	}
	return fmt.Errorf("NATS: %s", status.Error)
}

// healthLooks is how often a server is asked before it is taken for unhealthy.
const healthLooks = 10

// Close stops the server and gives the directory free.
func (e *Embedded) Close() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
	_ = e.lock.Close() // the lock goes with the process at the latest
}
