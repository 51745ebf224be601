// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/console"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/store"
)

// serveAPI serves the API and the console, and finds the OIDC provider.
func (n *node) serveAPI(ctx context.Context, g *errgroup.Group, durations prometheus.ObserverVec) error {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_api_refused_total", Help: "Requests that were refused, by reason.",
	}, []string{"reason"})
	n.firstActs = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tocsin_incident_first_act_seconds", Help: "Time from the opening of an incident to the first thing that a person did about it.",
		Buckets: pipeline.IncidentBuckets(),
	})
	n.reg.MustRegister(refused, n.firstActs)
	proxies, err := n.cfg.API.proxies()
	if err != nil {
		return err
	}
	settings, err := n.cfg.sum()
	if err != nil {
		return err
	}
	ln := n.api
	if n.cfg.API.TLS.Cert != "" {
		files, err := newServerTLS(n.cfg.API.TLS.Cert, n.cfg.API.TLS.Key, "", "", n.log.With("part", "api"))
		if err != nil {
			return fmt.Errorf("api.tls: %w", err)
		}
		ln = tls.NewListener(ln, files.config())
	}
	if n.oidc != nil {
		g.Go(func() error {
			n.oidc.Run(ctx)
			return nil
		})
	}
	n.serveHTTP(ctx, g, "api", ln, api.New(api.Config{
		Backend: backend{n}, Hooks: alert.NewHooks(n.cfg.Alert), Version: version, Settings: settings, Token: n.cfg.API.Token, Store: access{n.store}, Proofs: n.auditor, OIDC: n.oidc, Console: console.Handler(), Durations: durations,
		PrincipalRate: n.cfg.API.Rate.Principal, AddressRate: n.cfg.API.Rate.Address, Proxies: proxies, Refused: refused,
		Log: n.log.With("part", "api"), Now: time.Now, Stop: ctx.Done(),
	}), 0) // a tail is read for as long as it lasts
	return nil
}

// access is the store as the API wants it for who asks and what they did.
type access struct{ store store.Access }

// known turns the store's errors into those of auth.
func known(err error) error {
	switch {
	case errors.Is(err, incident.ErrNotFound):
		return auth.ErrNotFound
	case errors.Is(err, store.ErrTaken):
		return auth.ErrTaken
	}
	return err
}

func (a access) AddToken(ctx context.Context, t auth.Token) (auth.Token, error) {
	out, err := a.store.AddToken(ctx, store.Token(t))
	return auth.Token(out), known(err)
}

func (a access) Token(ctx context.Context, hash []byte) (auth.Token, error) {
	t, err := a.store.Token(ctx, hash)
	return auth.Token(t), known(err)
}

func (a access) Tokens(ctx context.Context, limit int, cursor string) ([]auth.Token, string, error) {
	rows, next, err := a.store.Tokens(ctx, limit, cursor)
	out := make([]auth.Token, len(rows))
	for i, t := range rows {
		out[i] = auth.Token(t)
	}
	return out, next, known(err)
}

func (a access) RevokeToken(ctx context.Context, id string) error {
	return known(a.store.RevokeToken(ctx, id))
}

func (a access) TouchToken(ctx context.Context, id string, every time.Duration) error {
	return known(a.store.TouchToken(ctx, id, every))
}

func (a access) AddSession(ctx context.Context, s auth.Session) error {
	return known(a.store.AddSession(ctx, store.Session(s)))
}

func (a access) Session(ctx context.Context, hash []byte) (auth.Session, error) {
	s, err := a.store.Session(ctx, hash)
	return auth.Session(s), known(err)
}

func (a access) EndSession(ctx context.Context, hash []byte) error {
	return known(a.store.EndSession(ctx, hash))
}

func (a access) Record(ctx context.Context, e auth.Entry) (int64, error) {
	return a.store.Record(ctx, store.Entry(e))
}

func (a access) Settle(ctx context.Context, id int64, outcome string, status int) error {
	return a.store.Settle(ctx, id, outcome, status)
}

func (a access) Audit(ctx context.Context, f auth.EntryFilter) ([]auth.Entry, string, error) {
	rows, next, err := a.store.Audit(ctx, store.EntryFilter(f))
	out := make([]auth.Entry, len(rows))
	for i, e := range rows {
		out[i] = auth.Entry(e)
	}
	return out, next, err
}
