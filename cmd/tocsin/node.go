// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc"
	"tocsin/pipeline"
	"tocsin/store"
	"tocsin/store/open"
	"tocsin/stream"
)

// points are the places where a test stops the process; all nil in production.
type points struct {
	committed, published, told func()
	owner                      pipeline.Points
	snapshotEvery              time.Duration
	// started is given the node once it serves.
	started func(*node)
}

// node is one running tocsin: every part, in the order of the data.
type node struct {
	cfg    Config
	log    *slog.Logger
	reg    *prometheus.Registry
	points points
	out    io.Writer

	// name is this process's among those that share a store.
	name string
	// embedded is nil with a NATS of one's own.
	embedded *stream.Embedded
	streams  *stream.Streams
	consumer *stream.EventsConsumer
	store    store.Store
	// preparing guards prepared: the store may come after the start.
	preparing sync.Mutex
	prepared  bool
	parser    *ingest.Parser
	sets      *pipeline.Sets
	rules     *ruleWatcher
	reloader  *reloader
	commit    *stream.Committer
	matcher   *pipeline.Matcher
	seen      *pipeline.Sources
	falcos    []*falcogrpc.Source
	owners    *pipeline.Owners
	closer    *pipeline.Closer

	router    *alert.Router
	deliverer *alert.Deliverer

	ingest, vector, api, admin net.Listener
	cleanups                   []cleanup
}

// cleanup undoes one step of the start; they run backwards.
type cleanup struct {
	name string
	do   func()
}

func (n *node) onClose(name string, do func()) {
	n.cleanups = append(n.cleanups, cleanup{name, do})
}

func (n *node) close() {
	for _, v := range slices.Backward(n.cleanups) {
		n.log.Debug("stopping", "part", v.name)
		v.do()
	}
}

// start builds the node, upstream first: what each part needs exists before it.
func (n *node) start(ctx context.Context) error {
	for _, l := range []struct {
		key, addr string
		to        *net.Listener
	}{
		{"ingest.listen", n.cfg.Ingest.Listen, &n.ingest},
		{"vector.listen", n.cfg.Vector.Listen, &n.vector},
		{"api.listen", n.cfg.API.Listen, &n.api},
		{"admin.listen", n.cfg.Admin.Listen, &n.admin},
	} {
		if l.addr == off {
			continue
		}
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		*l.to = ln
		n.onClose(l.key, func() { _ = ln.Close() }) // the server has closed it already
	}
	n.rules = watchRules(n.cfg.Rules, n.log.With("part", "rules")) // from before they are read
	n.onClose("rule watch", n.rules.close)
	set, err := loadRules(n.cfg.Rules)
	if err != nil {
		return err
	}
	if err := n.startStream(ctx); err != nil {
		return err
	}
	if n.store, err = open.Store(ctx, n.cfg.storeURL()); err != nil {
		return fmt.Errorf("store.url: %w", err)
	}
	n.onClose("store", func() {
		if err := n.store.Close(); err != nil {
			n.log.Warn("close store", "err", err)
		}
	})
	if err := n.prepareStore(ctx); errors.Is(err, store.ErrUnavailable) {
		n.log.Warn("the store is away: records are taken in, correlation waits for it", "err", err)
	} else if err != nil {
		return err
	}
	err = n.patiently(ctx, func() (err error) {
		n.sets, err = pipeline.NewSets(ctx, n.streams, set, n.log.With("part", "rules"))
		return err
	})
	if err != nil {
		return err
	}
	n.reloader = newReloader(n.cfg.Rules, n.sets, n.reg, n.log.With("part", "rules"))
	n.parser = ingest.NewParser(n.cfg.parserConfig())
	n.commit = stream.NewCommitter(n.streams, 2, n.sets.Stamp)
	err = n.patiently(ctx, func() (err error) {
		n.consumer, err = n.streams.Events(ctx)
		return err
	})
	if err != nil {
		return err
	}
	n.onClose("events consumer", n.consumer.Close)
	if err := n.startAlerts(); err != nil {
		return err
	}
	n.seen = pipeline.NewSources()
	n.matcher = pipeline.NewMatcher(pipeline.MatcherConfig{
		Streams: n.streams, Consumer: n.consumer, Parser: n.parser, Sets: n.sets, Metrics: pipeline.NewMatchMetrics(n.reg),
		Seen: n.seen, Log: n.log.With("part", "match"), Published: n.points.published,
	})
	n.owners = &pipeline.Owners{
		Name: n.name,
		OwnerConfig: pipeline.OwnerConfig{
			Store: n.store, Streams: n.streams, Sets: n.sets, Parser: n.parser, Lateness: n.cfg.Lateness,
			Alerts: n.alerts, Metrics: pipeline.NewCorrelateMetrics(n.reg), Log: n.log.With("part", "correlate"), Points: n.points.owner,
			SnapshotEvery: n.points.snapshotEvery, OffsetEvery: n.offsetEvery(),
		},
	}
	n.closer = &pipeline.Closer{Store: n.store, Streams: n.streams, Wait: 5 * time.Second}
	return nil
}

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
	if n.embedded != nil {
		w.Go(func() error { return n.embedded.Supervise(wctx, n.log.With("part", "nats")) })
	}
	w.Go(func() error { return n.sets.Follow(wctx) })
	w.Go(func() error { return n.matcher.Run(wctx) })
	w.Go(func() error { return n.matcher.RunMarkers(wctx) })
	w.Go(func() error { return n.matcher.RunTicks(wctx) })
	trimmer := &pipeline.Trimmer{Streams: n.streams, Store: n.store, Log: n.log.With("part", "retention")}
	w.Go(func() error { return n.withStore(wctx, trimmer.Run) })
	g.Go(func() error {
		n.rules.run(gctx, hup, func() bool {
			_, err := n.reloader.reload(gctx) // it says itself what went wrong
			return err != nil && mistakes(err) == nil
		})
		return nil
	})
	w.Go(func() error { return n.withStore(wctx, n.owners.Run) })
	telling, stopTelling := context.WithCancel(wctx)
	defer stopTelling()
	told := make(chan struct{})
	w.Go(func() error {
		defer close(told)
		return n.withStore(telling, n.deliverer.Run)
	})

	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tocsin_http_request_duration_seconds", Help: "Time of HTTP requests, by handler and code.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
	}, []string{"handler", "code"})
	n.reg.MustRegister(durations)
	in := n.newInputs(durations)
	if n.vector != nil {
		g.Go(func() error { return in.serveVector(gctx, n.vector) })
	}
	var err error
	if n.falcos, err = in.falcos(); err != nil {
		return err
	}
	for _, f := range n.falcos {
		g.Go(func() error { return f.Run(gctx) })
	}
	if n.cfg.Kyverno.Enabled {
		g.Go(func() error { return in.watchKyverno(gctx) })
	}
	for _, s := range []struct {
		ln      net.Listener
		handler http.Handler
		// read bounds how long a request may take to come; a tail of the API is read for as long as it lasts.
		read time.Duration
	}{{n.ingest, in.handler(), time.Minute}, {n.api, n.apiHandler(durations), 0}, {n.admin, n.adminHandler(), 0}} {
		srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: s.read, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)}
		g.Go(func() error {
			if err := srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		g.Go(func() error {
			<-gctx.Done()
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if err := srv.Shutdown(end); err != nil {
				return srv.Close()
			}
			return nil
		})
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
	err = g.Wait()
	n.commit.Close()
	// The owners leave last: what a member that left had claimed is another's to tell.
	stopTelling()
	<-told
	stopWork()
	if broken := w.Wait(); broken != nil {
		return broken
	}
	return err
}
