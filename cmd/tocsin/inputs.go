// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
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
	durations prometheus.ObserverVec
	inFlight  *ingest.Budget
}

func (n *node) newInputs(durations prometheus.ObserverVec) *inputs {
	in := &inputs{n: n, durations: durations, inFlight: ingest.NewBudget(ingest.MaxInFlight)}
	in.records = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_ingest_records_total", Help: "Records that came in, by source and outcome.",
	}, []string{"source", "outcome"})
	n.reg.MustRegister(in.records)
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
		Commit: in.commit, Quarantine: in.quarantine, Tokens: cfg.ingestTokens(), MaxBody: cfg.Ingest.MaxBody, InFlight: in.inFlight,
		Durations: in.durations, Records: in.records, Failed: in.n.seen.Failed, Log: in.n.log.With("part", "ingest"), Committed: in.n.points.committed,
	})
}

// serveVector answers Vector's native sink until ctx ends.
func (in *inputs) serveVector(ctx context.Context, ln net.Listener) error {
	cfg := in.n.cfg
	var opts []grpc.ServerOption
	own := vectorgrpc.Config{
		Commit: in.commit, Quarantine: in.quarantine, Tokens: cfg.ingestTokens(), MaxMessage: cfg.Ingest.MaxBody, InFlight: in.inFlight,
		Durations: in.durations, Records: in.records, Failed: in.n.seen.Failed, Log: in.n.log.With("part", "vector"), Committed: in.n.points.committed,
	}
	if cfg.Vector.Cert != "" {
		t, err := serverTLS(cfg.Vector.Cert, cfg.Vector.Key, cfg.Vector.ClientCA)
		if err != nil {
			return fmt.Errorf("vector.cert: %w", err)
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(t)))
		if cfg.Vector.ClientCA != "" {
			own.Certificate = func(c *x509.Certificate) (string, bool) { return c.Subject.CommonName, true }
		}
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

// serverTLS reads a certificate, and whose certificates clients may show.
func serverTLS(cert, key, clientCA string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, err
	}
	cfg.ClientCAs, cfg.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New(clientCA + " holds no certificate")
	}
	return cfg, nil
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
