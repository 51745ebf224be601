// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc"
	"tocsin/ingest/kyverno"
	"tocsin/ingest/kyverno/watch"
	"tocsin/ingest/vectorgrpc"
	"tocsin/stream"
)

// off is the address of a listener that nobody wants.
const off = "off"

// inputs is what all ways in share: where records go, and the numbers about them.
type inputs struct {
	n         *node
	records   *prometheus.CounterVec
	refused   *prometheus.CounterVec
	durations prometheus.ObserverVec
	inFlight  *ingest.Budget
}

func (n *node) newInputs(durations prometheus.ObserverVec) *inputs {
	in := &inputs{n: n, durations: durations, inFlight: ingest.NewBudget(ingest.MaxInFlight)}
	in.records = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_ingest_records_total", Help: "Records that came in, by source and outcome.",
	}, []string{"source", "outcome"})
	in.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_ingest_refused_total", Help: "Requests that were refused for who sent them or what they claimed, by reason.",
	}, []string{"reason"})
	n.reg.MustRegister(in.records, in.refused)
	return in
}

// commit returns when the records are on disk.
func (in *inputs) commit(ctx context.Context, recs []event.Record) error {
	if err := in.n.commit.Commit(ctx, recs); err != nil {
		return fmt.Errorf("%w: %w", ingest.ErrUnavailable, err)
	}
	return nil
}

// quarantine returns when what could not be taken is on disk.
func (in *inputs) quarantine(ctx context.Context, qs []ingest.Quarantined) error {
	out := make([]stream.Quarantined, len(qs))
	for i, q := range qs {
		out[i] = stream.Quarantined{Record: q.Record, Reason: q.Reason, Detail: q.Detail}
	}
	if err := in.n.intake.Quarantine(ctx, out); err != nil {
		return err
	}
	now := time.Now().UnixNano()
	for _, q := range qs {
		in.n.seen.Rejected(q.Record, now, fmt.Errorf("%s: %s", q.Reason, q.Detail))
	}
	return nil
}

// handler is the ingest endpoint over HTTP.
func (in *inputs) handler() http.Handler {
	cfg := in.n.cfg
	return ingest.NewHandler(ingest.HandlerConfig{
		Commit: in.commit, Quarantine: in.quarantine, Access: cfg.access(cfg.Ingest.TLS.ClientCA), Parser: ingest.NewParser(cfg.parserConfig()),
		MaxBody: cfg.Ingest.MaxBody, InFlight: in.inFlight, Durations: in.durations, Records: in.records, Refused: in.refused, Failed: in.n.seen.Failed, Log: in.n.log.With("part", "ingest"), Committed: in.n.points.committed,
	})
}

// listener is where the ingest endpoint listens, with TLS if there is any.
func (in *inputs) listener() (net.Listener, error) {
	own := in.n.cfg.Ingest.TLS
	if own.Cert == "" {
		return in.n.ingest, nil
	}
	files, err := newServerTLS(own.Cert, own.Key, own.ClientCA, own.ClientAuth, in.n.log.With("part", "ingest"))
	if err != nil {
		return nil, fmt.Errorf("ingest.tls: %w", err)
	}
	return tls.NewListener(in.n.ingest, files.config()), nil
}

// serveVector answers Vector's native sink until ctx ends.
func (in *inputs) serveVector(ctx context.Context, ln net.Listener) error {
	cfg := in.n.cfg
	var opts []grpc.ServerOption
	own := vectorgrpc.Config{
		Commit: in.commit, Quarantine: in.quarantine, Access: cfg.access(cfg.Vector.ClientCA), Parser: ingest.NewParser(cfg.parserConfig()),
		MaxMessage: cfg.Ingest.MaxBody, InFlight: in.inFlight, Durations: in.durations, Records: in.records, Refused: in.refused, Failed: in.n.seen.Failed, Log: in.n.log.With("part", "vector"), Committed: in.n.points.committed,
	}
	if cfg.Vector.Cert != "" {
		files, err := newServerTLS(cfg.Vector.Cert, cfg.Vector.Key, cfg.Vector.ClientCA, cfg.Vector.ClientAuth, in.n.log.With("part", "vector"))
		if err != nil {
			return fmt.Errorf("vector.cert: %w", err)
		}
		opts = append(opts, grpc.Creds(counted{credentials.NewTLS(files.config()), in.n.handshakes.failed.WithLabelValues("vector")}))
	}
	srv := vectorgrpc.NewServer(own, opts...)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		hard := time.AfterFunc(10*time.Second, srv.Stop)
		defer hard.Stop()
		srv.GracefulStop()
	}()
	err := srv.Serve(ln)
	if ctx.Err() != nil {
		<-stopped
		err = nil // it was told to stop
	}
	return err
}

// falcos returns a Source for each Falco with gRPC output.
func (in *inputs) falcos() ([]*falcogrpc.Source, error) {
	connected := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tocsin_falco_connected", Help: "1 while a Falco's gRPC output is connected, by address.",
	}, []string{"address"})
	in.n.reg.MustRegister(connected)
	var out []*falcogrpc.Source
	for _, c := range in.n.cfg.Falco.GRPC {
		s, err := falcogrpc.New(falcogrpc.Config{
			Name: c.Name, Address: c.Address, CA: c.CA, Cert: c.Cert, Key: c.Key, Commit: in.commit, Quarantine: in.quarantine,
			Records: in.records, Connected: connected, Log: in.n.log.With("part", "falco"),
		})
		if err != nil {
			return nil, fmt.Errorf("falco.grpc: %w", err)
		}
		out = append(out, s)
	}
	return out, nil
}

// watchKyverno follows the cluster's policy reports until ctx ends.
func (in *inputs) watchKyverno(ctx context.Context) error {
	cfg := in.n.cfg.Kyverno
	access, err := watch.Connect(cfg.Kubeconfig, cfg.Context)
	if err != nil {
		return fmt.Errorf("kyverno: %w", err)
	}
	connected := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tocsin_kyverno_connected", Help: "1 while a resource of the cluster is listed and watched, or known not to exist.",
	}, []string{"resource"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_kyverno_errors_total", Help: "Errors of the Kubernetes watch, by what went wrong.",
	}, []string{"what"})
	in.n.reg.MustRegister(connected, failures)
	var state *stream.KV
	err = in.n.patiently(ctx, func() (err error) {
		state, err = in.n.streams.KV(ctx, "tocsin-kyverno", "what was told of policy reports")
		return err
	})
	select {
	case <-ctx.Done():
		return nil // it was told to stop
	default:
	}
	if err != nil {
		return fmt.Errorf("kyverno: %w", err)
	}
	c := watch.Config{
		Access: access, Store: state, Commit: in.commit, Cluster: cfg.Cluster, Records: in.records,
		Connected: connected, Errors: failures, Log: in.n.log.With("part", "kyverno"),
		Failed: func(err error) { in.n.seen.Failed(kyverno.Source, kyverno.Source, err) },
	}
	if in.n.embedded == nil {
		c.Lease = &watch.Lease{Namespace: cfg.Namespace}
	}
	w, err := watch.New(c)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
