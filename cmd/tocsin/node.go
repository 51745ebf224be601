// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
	"tocsin/api/auth"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/store"
	"tocsin/stream"
)

// points are the places where a test stops the process; all nil in production.
type points struct {
	committed, published, told, forwarded func()
	owner                                 pipeline.Points
	snapshotEvery                         time.Duration
	// started is given the node once it serves.
	started func(*node)
}

// node is one running tocsin: the parts of the roles that it runs, in the order of the data. Those of other roles are nil.
type node struct {
	cfg Config
	// preset is true if the admin token was configured, and not made by us.
	preset bool
	log    *slog.Logger
	reg    *prometheus.Registry
	points points
	out    io.Writer

	// name is this process's among those that share a store.
	name string
	// embedded is nil with a NATS of one's own.
	embedded *stream.Embedded
	// refused has the first subject that a NATS of one's own does not permit.
	refused chan *stream.RefusedError
	streams *stream.Streams
	// edge and its forwarder are instead of streams in a process whose hub may be away.
	edge      *stream.Edge
	forwarder *stream.Forwarder
	// intake is where records go: streams, or edge.
	intake   stream.Intake
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
	auditor   *pipeline.Auditor
	// anchors is nil if none is configured.
	anchors   *pipeline.Anchors
	firstActs prometheus.Histogram
	searcher  *pipeline.Searcher
	releaser  *pipeline.Releaser
	// handshakes are of all listeners with TLS.
	handshakes *handshakes
	backtests  *pipeline.Backtests
	// checking is held by who checks a rule file.
	checking chan struct{}
	// oidc is nil if no provider is configured.
	oidc *auth.OIDC

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
	if err := n.listen(); err != nil {
		return err
	}
	var set *rules.Set
	if n.cfg.readsRules() {
		n.rules = watchRules(n.cfg.Rules, n.log.With("part", "rules")) // from before they are read
		n.onClose("rule watch", n.rules.close)
		var err error
		if set, err = loadRules(ctx, n.cfg.Rules); err != nil {
			return err
		}
	}
	n.name = processName(n.cfg)
	if n.cfg.atEdge() {
		if err := n.startEdge(ctx); err != nil {
			return err
		}
	} else if n.cfg.usesStreams() {
		if err := n.startStream(ctx); err != nil {
			return err
		}
	}
	if n.cfg.usesStore() {
		if err := n.startStore(ctx); err != nil {
			return err
		}
	}
	if n.streams != nil {
		if err := n.startSets(ctx, set); err != nil {
			return err
		}
	}
	n.parser = ingest.NewParser(n.cfg.parserConfig())
	n.seen = pipeline.NewSources()
	if n.cfg.runs(roleIngest) {
		n.commit = stream.NewCommitter(n.intake, 2, n.stamp)
	}
	if n.cfg.runs(roleMatch) {
		if err := n.startMatcher(ctx); err != nil {
			return err
		}
	}
	if n.cfg.runs(roleCorrelate) {
		if err := n.startOwners(); err != nil {
			return err
		}
	}
	if n.cfg.runs(roleAlert) {
		if err := n.startAlerts(); err != nil {
			return err
		}
	}
	if n.cfg.runs(roleAPI) {
		if err := n.startAuditor(); err != nil {
			return err
		}
		n.closer = &pipeline.Closer{Store: n.store, Streams: n.streams, Wait: 5 * time.Second}
		n.searcher = pipeline.NewSearcher(n.streams, n.parser)
		n.checking = make(chan struct{}, 1)
		n.backtests = pipeline.NewBacktests(n.streams, n.parser, n.cfg.Lateness)
		n.releaser = &pipeline.Releaser{Streams: n.streams, Parser: ingest.NewParser(n.cfg.releaseConfig()), Stamp: n.stamp}
		n.oidc = n.cfg.API.OIDC.provider(n.log.With("part", "oidc"))
	}
	return nil
}

// listen binds the addresses of the roles that run, and of the admin listener, which every process has.
func (n *node) listen() error {
	for _, l := range []struct {
		key, addr string
		wanted    bool
		to        *net.Listener
	}{
		{"ingest.listen", n.cfg.Ingest.Listen, n.cfg.runs(roleIngest), &n.ingest},
		{"vector.listen", n.cfg.Vector.Listen, n.cfg.runs(roleIngest) && n.cfg.Vector.Listen != off, &n.vector},
		{"api.listen", n.cfg.API.Listen, n.cfg.runs(roleAPI), &n.api},
		{"admin.listen", n.cfg.Admin.Listen, true, &n.admin},
	} {
		if !l.wanted {
			continue
		}
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		*l.to = ln
		n.onClose(l.key, func() { _ = ln.Close() }) // the server has closed it already
	}
	return nil
}

// startSets puts in force what was read of rule files, or waits for what another process has.
func (n *node) startSets(ctx context.Context, set *rules.Set) error {
	log := n.log.With("part", "rules")
	err := n.patiently(ctx, func() (err error) {
		if n.cfg.readsRules() {
			n.sets, err = pipeline.NewSets(ctx, n.streams, set, log)
		} else {
			n.sets, err = pipeline.JoinSets(ctx, n.streams, log)
		}
		return err
	})
	if err == nil && n.cfg.readsRules() {
		n.reloader = newReloader(n.cfg.Rules, n.sets, n.reg, log)
	}
	return err
}

func (n *node) startMatcher(ctx context.Context) error {
	err := n.patiently(ctx, func() (err error) {
		n.consumer, err = n.streams.Events(ctx)
		return err
	})
	if err != nil {
		return err
	}
	n.onClose("events consumer", n.consumer.Close)
	n.matcher = pipeline.NewMatcher(pipeline.MatcherConfig{
		Streams: n.streams, Consumer: n.consumer, Parser: n.parser, Sets: n.sets, Metrics: pipeline.NewMatchMetrics(n.reg),
		Seen: n.seen, Log: n.log.With("part", "match"), Published: n.points.published,
	})
	return nil
}

func (n *node) startOwners() error {
	var err error
	if n.router, err = alert.NewRouter(n.cfg.Alert, ""); err != nil {
		return &usageError{err}
	}
	n.owners = &pipeline.Owners{
		Name: n.name,
		OwnerConfig: pipeline.OwnerConfig{
			Store: n.store, Streams: n.streams, Sets: n.sets, Parser: n.parser, Lateness: n.cfg.Lateness,
			Alerts: n.alerts, Metrics: pipeline.NewCorrelateMetrics(n.reg), Log: n.log.With("part", "correlate"), Points: n.points.owner,
			SnapshotEvery: n.points.snapshotEvery, OffsetEvery: n.offsetEvery(),
		},
	}
	return nil
}
