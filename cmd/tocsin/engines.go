// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"tocsin/store"
	"tocsin/store/open"
	"tocsin/stream"
)

// processName returns what tells a process from the others that share a store with it. One with a NATS of its own is alone.
func processName(c Config) string {
	if c.usesStreams() && c.NATS.URL == "" {
		return "local"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "tocsin"
	}
	return host + "-" + nuid.Next()
}

// startStream starts the embedded NATS, or connects to the one that is configured, and opens the streams.
func (n *node) startStream(ctx context.Context) error {
	if n.cfg.NATS.URL != "" {
		return n.joinStream(ctx)
	}
	return n.embed(ctx, func(nc *nats.Conn) (err error) {
		if n.streams, err = stream.Open(ctx, nc, n.cfg.streamConfig()); err != nil {
			return err
		}
		n.intake = n.streams
		return n.streams.Reclaim(ctx)
	})
}

// embed starts the embedded NATS and opens what is kept in it.
func (n *node) embed(ctx context.Context, open func(*nats.Conn) error) error {
	var err error
	if n.embedded, err = stream.StartEmbedded(stream.EmbeddedConfig{Dir: n.cfg.Data}); err != nil {
		return err
	}
	n.onClose("nats", n.embedded.Close)
	nc, err := n.embedded.Conn()
	if err != nil {
		return err
	}
	n.onClose("nats connection", nc.Close)
	return n.patiently(ctx, func() error { // whoever was frozen meanwhile, or is slow, gets no answer in time
		if err := n.embedded.Healthy(); err != nil {
			return err
		}
		return open(nc)
	})
}

// joinStream shares a NATS of one's own with other processes.
func (n *node) joinStream(ctx context.Context) error {
	if n.cfg.usesStore() && strings.HasPrefix(n.cfg.storeURL(), "sqlite:") {
		lock, err := stream.LockDir(n.cfg.Data)
		if err != nil {
			return err
		}
		n.onClose("data directory", func() { _ = lock.Close() }) // the lock goes with the process at the latest
	}
	n.refused = make(chan *stream.RefusedError, 1)
	server := n.server()
	server.Refused = func(r *stream.RefusedError) {
		select {
		case n.refused <- r:
		default: // the first says enough
		}
	}
	var nc *nats.Conn
	err := n.patiently(ctx, func() (err error) {
		nc, err = stream.Connect(server)
		return err
	})
	if err != nil {
		return fmt.Errorf("nats.url: %w", err)
	}
	n.onClose("nats connection", nc.Close)
	err = n.patiently(ctx, func() (err error) {
		n.streams, err = stream.Open(ctx, nc, n.cfg.streamConfig())
		return err
	})
	if err != nil {
		return fmt.Errorf("nats.url: %w", err)
	}
	n.intake = n.streams
	return nil
}

// server is the NATS that is configured.
func (n *node) server() stream.ServerConfig {
	c := n.cfg.NATS
	return stream.ServerConfig{
		URL: c.URL, Creds: c.Creds, CA: c.CA, Cert: c.Cert, Key: c.Key,
		Trouble: func(err error) { n.log.Warn("NATS", "err", err) },
	}
}

// watchRefusals ends with the first subject that NATS does not permit. What is refused once always is, and whoever asked
// would wait for ever: a node that takes records in and can do nothing with them would look well.
func (n *node) watchRefusals(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case r := <-n.refused:
		return fmt.Errorf("nats.url: %w", r)
	}
}

// patiently tries until it goes well, or goes wrong for another reason than that NATS is away.
func (n *node) patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || !stream.Away(err) || ctx.Err() != nil {
			return err
		}
		select {
		case r := <-n.refused:
			return r // it looks like a NATS that is away
		default:
		}
		n.log.Warn("NATS is away: the start waits for it", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// offsetEvery is how often a partition that found nothing says how far it is: with other processes at each tick.
func (n *node) offsetEvery() time.Duration {
	if n.embedded != nil {
		return 0
	}
	return 900 * time.Millisecond
}

// streamHealth reports a NATS that does not take messages in, or does not say what is to be matched.
func (n *node) streamHealth(ctx context.Context) error {
	var err error
	if n.embedded != nil {
		err = n.embedded.Healthy()
	} else {
		err = n.streams.Ping(ctx)
	}
	if err == nil && n.matcher != nil {
		_, err = n.streams.MatchLag(ctx)
	}
	return err
}

// startStore opens the store. One that is away may come later.
func (n *node) startStore(ctx context.Context) error {
	var err error
	if n.store, err = open.Store(ctx, n.cfg.storeURL()); err != nil {
		return fmt.Errorf("store.url: %w", err)
	}
	n.onClose("store", func() {
		if err := n.store.Close(); err != nil {
			n.log.Warn("close store", "err", err)
		}
	})
	err = n.prepareStore(ctx)
	if errors.Is(err, store.ErrUnavailable) {
		n.log.Warn("the store is away: records are taken in, what needs it waits for it", "err", err)
		return nil
	}
	return err
}

// prepareStore brings the tables up to date, frees the partitions and notes the start, once.
func (n *node) prepareStore(ctx context.Context) error {
	n.preparing.Lock()
	defer n.preparing.Unlock()
	if n.prepared {
		return nil
	}
	if err := n.store.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if n.embedded != nil {
		// The lock on the data directory is the lease: whoever held partitions before is gone.
		if err := n.store.ClearLeases(ctx); err != nil {
			return fmt.Errorf("leases: %w", err)
		}
	}
	if n.cfg.runs(roleAPI) {
		if err := n.noteStart(ctx); err != nil {
			return fmt.Errorf("note the start: %w", err)
		}
	}
	n.prepared = true
	return nil
}

// withStore runs what needs the store, as soon as there is one.
func (n *node) withStore(ctx context.Context, run func(context.Context) error) error {
	for {
		err := n.prepareStore(ctx)
		if err == nil {
			return run(ctx)
		}
		if ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
