// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// unready names each dependency that does not answer, and why.
func (n *node) unready(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	bad := make(map[string]string)
	for name, check := range n.checks() {
		if err := check(ctx); err != nil {
			bad[name] = err.Error()
		}
	}
	return bad
}

// checks are what the roles of this process need, by name. Only who correlates answers for the partitions: the API is
// wanted most when nobody does.
func (n *node) checks() map[string]func(context.Context) error {
	checks := make(map[string]func(context.Context) error)
	if n.store != nil {
		checks["store"] = n.store.Ping
	}
	if n.streams != nil {
		checks["stream"] = n.streamHealth
	}
	if n.edge != nil {
		checks["edge"] = n.edgeHealth
	}
	if n.owners != nil {
		checks["partitions"] = func(ctx context.Context) error {
			at, err := n.standings(ctx)
			owned := 0
			for _, x := range at {
				if x.owned {
					owned++
				}
			}
			if want := n.streams.Partitions(); err == nil && owned < want {
				err = fmt.Errorf("%d of %d are owned", owned, want)
			}
			return err
		}
	}
	return checks
}

// adminHandler serves what operators and their tools look at.
func (n *node) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok") // a prober that went away has its answer
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		bad := n.unready(r.Context())
		checks := make(map[string]string)
		for name := range n.checks() {
			checks[name] = "ok"
		}
		maps.Copy(checks, bad)
		if n.reloader != nil {
			checks["rules"] = "ok"
			// Files that are wrong take nothing from what is in force: records are taken in as before.
			if why := n.reloader.problem(); why != "" {
				checks["rules"] = "the rules in force stay: " + why
			}
		}
		if n.oidc != nil {
			checks["oidc"] = "ok"
			// Tokens of our own are taken as before.
			if why := n.oidc.Problem(); why != "" {
				checks["oidc"] = "its tokens and logins are refused: " + why
			}
		}
		if n.forwarder != nil {
			checks["hub"] = n.hubStands(r.Context())
		}
		w.Header().Set("Content-Type", "application/json")
		if len(bad) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": len(bad) == 0, "checks": checks}) // as above
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	n.registerGauges()
	return mux
}

// registerGauges adds the numbers that are read when somebody asks. Of work that waits the API's processes tell, too: they tell
// of it also when nobody does it.
func (n *node) registerGauges() {
	gauge := func(name, help string, read func(context.Context) (float64, error)) {
		n.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			v, err := read(ctx)
			if err != nil {
				return -1
			}
			return v
		}))
	}
	if n.sets != nil {
		gauge("tocsin_rules", "Rules in force.", func(context.Context) (float64, error) {
			return float64(len(n.sets.Current().Rules)), nil
		})
	}
	if n.cfg.runs(roleMatch, roleAPI) {
		n.matchGauges(gauge)
	}
	if n.cfg.runs(roleAlert, roleAPI) {
		n.outboxGauges(gauge)
		n.reg.MustRegister(receiverCounts{n.store, n.cfg.Alert.Names()})
	}
	if n.cfg.runs(roleAPI) {
		n.correlateGauges(gauge)
		n.reg.MustRegister(incidentCounts{n.store})
	}
	if n.edge != nil {
		n.edgeGauges(gauge)
	}
	if n.owners != nil {
		gauge("tocsin_correlate_cells", "States (rule, grouping key) that are held.", func(context.Context) (float64, error) {
			var cells int64
			for _, p := range n.owners.Progress() {
				cells += p.Cells.Load()
			}
			return float64(cells), nil
		})
	}
}

// gauges registers one number that is read when somebody asks.
type gauges func(name, help string, read func(context.Context) (float64, error))

func (n *node) matchGauges(gauge gauges) {
	gauge("tocsin_match_lag_messages", "EVENTS messages that are not matched yet; -1 if it cannot be read.", func(ctx context.Context) (float64, error) {
		lag, err := n.streams.MatchLag(ctx)
		return float64(lag), err
	})
}

func (n *node) correlateGauges(gauge gauges) {
	gauge("tocsin_correlate_lag_messages", "Messages of partitions' logs that are not decided yet; -1 if it cannot be read.",
		func(ctx context.Context) (float64, error) {
			at, err := n.together(ctx)
			return float64(at.lag), err
		})
	gauge("tocsin_clock_timestamp_seconds", "The least of the partitions' clocks: up to there everything is decided; -1 if it cannot be read.",
		func(ctx context.Context) (float64, error) {
			at, err := n.together(ctx)
			return float64(at.clock) / 1e9, err
		})
}

func (n *node) outboxGauges(gauge gauges) {
	gauge("tocsin_outbox_pending", "Alerts that wait; -1 if it cannot be read.", func(ctx context.Context) (float64, error) {
		s, err := n.store.OutboxStats(ctx)
		return float64(s.Pending), err
	})
	gauge("tocsin_outbox_dead", "Alerts that were given up; -1 if it cannot be read.", func(ctx context.Context) (float64, error) {
		s, err := n.store.OutboxStats(ctx)
		return float64(s.Dead), err
	})
	gauge("tocsin_outbox_oldest_seconds", "Age of the oldest alert that waits; -1 if it cannot be read.", func(ctx context.Context) (float64, error) {
		s, err := n.store.OutboxStats(ctx)
		return s.Oldest.Seconds(), err
	})
}
