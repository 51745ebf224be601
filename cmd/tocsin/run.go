// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/pipeline"
)

// run serves until ctx ends, then stops upstream first: nothing that was accepted is left behind.
func (n *node) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	g, gctx := errgroup.WithContext(ctx)
	// What follows the data stops only after what feeds it.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	w, wctx := errgroup.WithContext(work)
	n.work(wctx, w)
	g.Go(func() error {
		n.heed(gctx, hup)
		return nil
	})
	telling, stopTelling := context.WithCancel(wctx)
	defer stopTelling()
	told := make(chan struct{})
	w.Go(func() error {
		defer close(told)
		if n.deliverer == nil {
			return nil
		}
		return n.withStore(telling, n.tell)
	})
	if err := n.serve(gctx, g); err != nil {
		return err
	}
	// A part that cannot go on ends the process: a node that takes records in and does nothing with them
	// would look well.
	g.Go(func() error {
		select {
		case <-gctx.Done():
			return nil
		case <-wctx.Done():
			return context.Cause(wctx)
		}
	})
	err := g.Wait()
	if n.commit != nil {
		n.commit.Close()
	}
	if n.forwarder != nil {
		n.flush()
	}
	// The owners leave last: what a member that left had claimed is another's to tell.
	stopTelling()
	<-told
	stopWork()
	if broken := w.Wait(); broken != nil {
		return broken
	}
	return err
}

// work starts what goes on behind the listeners.
func (n *node) work(ctx context.Context, w *errgroup.Group) {
	if n.embedded != nil {
		w.Go(func() error { return n.embedded.Supervise(ctx, n.log.With("part", "nats")) })
	}
	if n.refused != nil {
		w.Go(func() error { return n.watchRefusals(ctx) })
	}
	if n.forwarder != nil {
		w.Go(func() error { return n.forwarder.Run(ctx) })
	}
	if n.sets != nil {
		w.Go(func() error { return n.sets.Follow(ctx) })
	}
	if n.matcher != nil {
		w.Go(func() error { return n.matcher.Run(ctx) })
		w.Go(func() error { return n.matcher.RunMarkers(ctx) })
		w.Go(func() error { return n.matcher.RunTicks(ctx) })
	}
	if n.backtests != nil {
		w.Go(func() error { return n.backtests.Run(ctx) })
	}
	if n.auditor != nil {
		w.Go(func() error { return n.withStore(ctx, n.auditor.Run) })
	}
	if n.anchors != nil {
		w.Go(func() error { return n.anchors.Run(ctx) })
	}
	if n.closer != nil {
		finisher := &pipeline.Finisher{Store: n.store, Streams: n.streams, Log: n.log.With("part", "closing")}
		w.Go(func() error { return n.withStore(ctx, finisher.Run) })
	}
	if n.owners != nil {
		// What may be trimmed is in the store, as the owners' snapshots are.
		trimmer := &pipeline.Trimmer{Streams: n.streams, Store: n.store, Log: n.log.With("part", "retention")}
		w.Go(func() error { return n.withStore(ctx, trimmer.Run) })
		w.Go(func() error { return n.withStore(ctx, n.owners.Run) })
	}
}

// heed reads rule files again when they change and when it is told to, until ctx ends.
func (n *node) heed(ctx context.Context, hup <-chan os.Signal) {
	if n.rules != nil {
		n.rules.run(ctx, hup, func() bool {
			_, err := n.reloader.reload(ctx) // it says itself what went wrong
			return err != nil && mistakes(err) == nil
		})
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			n.log.Warn("this process reads no rule files: send SIGHUP to those with the role " + roleAPI)
		}
	}
}

// serve opens the ways in and the listeners; g ends when all are closed.
func (n *node) serve(ctx context.Context, g *errgroup.Group) error {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tocsin_http_request_duration_seconds", Help: "Time of HTTP requests, by handler and code.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
	}, []string{"handler", "code"})
	n.reg.MustRegister(durations)
	n.handshakes = n.newHandshakes()
	if n.cfg.runs(roleIngest) {
		if err := n.takeIn(ctx, g, n.newInputs(durations)); err != nil {
			return err
		}
	}
	if n.api != nil {
		if err := n.serveAPI(ctx, g, durations); err != nil {
			return err
		}
	}
	n.serveHTTP(ctx, g, "admin", n.admin, n.adminHandler(), 0)
	return nil
}

// takeIn opens every way in.
func (n *node) takeIn(ctx context.Context, g *errgroup.Group, in *inputs) error {
	ln, err := in.listener()
	if err != nil {
		return err
	}
	if n.vector != nil {
		g.Go(func() error { return in.serveVector(ctx, n.vector) })
	}
	if n.falcos, err = in.falcos(); err != nil {
		return err
	}
	for _, f := range n.falcos {
		g.Go(func() error { return f.Run(ctx) })
	}
	if n.cfg.Kyverno.Enabled {
		g.Go(func() error { return in.watchKyverno(ctx) })
	}
	n.serveHTTP(ctx, g, "ingest", ln, in.handler(), time.Minute)
	return nil
}

// serveHTTP serves on a listener until ctx ends; read bounds how long a request may take to come.
func (n *node) serveHTTP(ctx context.Context, g *errgroup.Group, name string, ln net.Listener, h http.Handler, read time.Duration) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: read, ErrorLog: log.New(n.handshakes.of(name), "", 0)}
	g.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(end); err != nil {
			return srv.Close()
		}
		return nil
	})
}
