// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload is the largest message of the embedded server.
const maxPayload = 8 << 20

// maxPending is how much may be under way to one client before the server takes it for dead and ends its connection. A process that
// owns all partitions of a log with a backlog has asked for readAhead of each.
const maxPending = 256 << 20

// EmbeddedConfig is what the embedded server needs.
type EmbeddedConfig struct {
	// Dir is the data directory; the streams are in Dir/jetstream.
	Dir string
	// MaxStore bounds the streams' bytes on disk; 0 is 80 % of what is free at the start or theirs already.
	MaxStore int64
}

// Embedded is a NATS server in this process: JetStream on disk, every message fsynced before it is
// acknowledged, reachable from nowhere else.
type Embedded struct {
	dir  string
	opts *server.Options
	lock *os.File

	mu  sync.Mutex
	srv *server.Server
}

// StartEmbedded locks the data directory and starts the server. Two servers on one directory would destroy it
// (backbone.md 5): the second opener gets an error that names the holder.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	lock, err := LockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.MaxStore == 0 {
		if cfg.MaxStore, err = storeLimit(cfg.Dir); err != nil {
			_ = lock.Close() // the error that matters is the first
			return nil, err
		}
	}
	e := &Embedded{dir: cfg.Dir, lock: lock, opts: &server.Options{
		ServerName: "tocsin", DontListen: true, JetStream: true, StoreDir: cfg.Dir,
		SyncAlways: true, JetStreamMaxStore: cfg.MaxStore, JetStreamMaxMemory: 64 << 20,
		MaxPayload: maxPayload, MaxPending: maxPending, NoSigs: true, NoLog: true,
	}}
	if e.srv, err = e.serve(); err != nil {
		_ = lock.Close() // the error that matters is the first
		return nil, err
	}
	return e, nil
}

// storeLimit is 80 % of what the directory's disk has for streams: what is free, and what they have already.
func storeLimit(dir string) (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	bytes := int64(disk.Bavail) * disk.Bsize
	err := filepath.WalkDir(filepath.Join(dir, server.JetStreamStoreDir), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of the streams: %w", err)
	}
	return bytes / 10 * 8, nil
}

// serve starts a server on the directory.
func (e *Embedded) serve() (*server.Server, error) {
	srv, err := server.NewServer(e.opts.Clone())
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(30 * time.Second) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.New("embedded NATS server: not ready after 30 s")
	}
	return srv, nil
}

func (e *Embedded) server() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv
}

// InProcessConn connects within the process, to the server that runs now.
func (e *Embedded) InProcessConn() (net.Conn, error) { return e.server().InProcessConn() }

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
	nc, err := nats.Connect("", nats.InProcessServer(e), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.Name("tocsin"))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Healthy reports a server that cannot write: after a full disk JetStream hangs until it is restarted.
func (e *Embedded) Healthy() error {
	srv := e.server()
	if !srv.JetStreamEnabled() {
		return errors.New("JetStream is off")
	}
	var status *server.HealthStatus
	for range healthLooks { // the server gives itself a millisecond for each, which a busy processor may take
		if status = srv.Healthz(&server.HealthzOptions{}); status.Error == "" {
			return nil
		}
	}
	return fmt.Errorf("NATS: %s", status.Error)
}

// healthLooks is how often a server is asked before it is taken for unhealthy.
const healthLooks = 10

// Supervise restarts the server when it could not write and the disk takes something again, until ctx ends: by itself it
// would hang for ever. Nothing is lost by it, since what was not written was not acknowledged.
func (e *Embedded) Supervise(ctx context.Context, log *slog.Logger) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		sick := e.Healthy()
		if sick == nil || e.server().JetStreamEnabled() && !strings.Contains(sick.Error(), "write error") || e.probe() != nil {
			continue
		}
		log.Warn("the embedded NATS server is restarted: the disk takes data again", "was", sick)
		if err := e.restart(); err != nil {
			log.Error("restart of the embedded NATS server", "err", err)
		}
	}
}

// probe writes as much as a message may be, and takes it away.
func (e *Embedded) probe() error {
	f, err := os.CreateTemp(e.dir, "probe-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, maxPayload))
	return errors.Join(err, f.Sync(), f.Close())
}

func (e *Embedded) restart() error {
	old := e.server()
	old.Shutdown()
	old.WaitForShutdown()
	srv, err := e.serve()
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv = srv
	return nil
}

// Close stops the server and gives the directory free.
func (e *Embedded) Close() {
	srv := e.server()
	srv.Shutdown()
	srv.WaitForShutdown()
	_ = e.lock.Close() // the lock goes with the process at the latest
}
