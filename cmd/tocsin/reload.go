// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/api"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/stream"
)

// reloader puts rule files in force, at the start and whenever they change. Files with a mistake change nothing: the
// rules in force stay, and everybody who asks is told.
type reloader struct {
	paths []string
	sets  *pipeline.Sets
	log   *slog.Logger

	reloads    *prometheus.CounterVec
	successful prometheus.Gauge
	loaded     prometheus.Gauge // seconds since 1970

	loading sync.Mutex // one at a time
	mu      sync.Mutex
	failed  error // why the last one failed
}

func newReloader(paths []string, sets *pipeline.Sets, reg prometheus.Registerer, log *slog.Logger) *reloader {
	r := &reloader{
		paths: paths, sets: sets, log: log,
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_rules_reloads_total", Help: "Times that the rule files were read again, by outcome.",
		}, []string{"outcome"}),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_rules_reload_successful", Help: "1 if the rule files are in force as they were read last.",
		}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_rules_loaded_timestamp_seconds", Help: "When the rule files were read without a mistake last.",
		}),
	}
	reg.MustRegister(r.reloads, r.successful, r.loaded)
	for _, outcome := range []string{"changed", "unchanged", "failed"} {
		r.reloads.WithLabelValues(outcome)
	}
	r.successful.Set(1)
	r.loaded.SetToCurrentTime()
	return r
}

// reload reads the files and puts them in force.
func (r *reloader) reload(ctx context.Context) (api.Reloaded, error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	before := r.sets.Current()
	set, err := loadRules(ctx, r.paths)
	if err == nil && len(set.Files) == 0 && len(before.Files) > 0 {
		err = &usageError{fmt.Errorf("there are no rule files under %s any more", strings.Join(r.paths, ", "))}
	}
	if err == nil {
		err = r.sets.Enforce(ctx, set)
	}
	if errors.Is(err, stream.ErrSetTooLarge) {
		err = &usageError{err}
	}
	r.mu.Lock()
	r.failed = err
	r.mu.Unlock()
	if err != nil {
		r.reloads.WithLabelValues("failed").Inc()
		r.successful.Set(0)
		r.log.Error("the rules in force stay", "err", err)
		return api.Reloaded{}, err
	}
	out := difference(before, set)
	r.successful.Set(1)
	r.loaded.SetToCurrentTime()
	if !out.Changed {
		r.reloads.WithLabelValues("unchanged").Inc()
		return out, nil
	}
	r.reloads.WithLabelValues("changed").Inc()
	r.log.Info("rules reloaded", "rules", out.Rules, "set", out.Set, "added", len(out.Added), "removed", len(out.Removed),
		"reset", len(out.Reset), "reworded", len(out.Reworded))
	return out, nil
}

// problem says why the files are not in force, "" if they are.
func (r *reloader) problem() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return ""
	}
	return r.failed.Error()
}

// difference tells two Sets apart, rule by rule.
func difference(before, after *rules.Set) api.Reloaded {
	out := api.Reloaded{
		Set: after.Hash, Rules: len(after.Rules), Changed: before.Hash != after.Hash,
		Added: []string{}, Removed: []string{}, Reset: []string{}, Reworded: []string{},
	}
	for _, r := range after.Rules {
		switch old := before.ByID(r.ID); {
		case old == nil:
			out.Added = append(out.Added, r.ID)
		case old.Revision != r.Revision:
			out.Reset = append(out.Reset, r.ID)
		case old.Words() != r.Words():
			out.Reworded = append(out.Reworded, r.ID)
		}
	}
	for _, r := range before.Rules {
		if after.ByID(r.ID) == nil {
			out.Removed = append(out.Removed, r.ID)
		}
	}
	for _, ids := range [][]string{out.Added, out.Removed, out.Reset, out.Reworded} {
		slices.Sort(ids)
	}
	return out
}

// mistakes are what is wrong with rule files, one by one; nil if that is not what went wrong.
func mistakes(err error) []error {
	wrong, ok := errors.AsType[*usageError](err)
	if !ok {
		return nil
	}
	if all, ok := wrong.err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{wrong.err}
}

func (b backend) ReloadRules(ctx context.Context) (api.Reloaded, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := b.n.reloader.reload(ctx)
	wrong := mistakes(err)
	if wrong == nil {
		return out, err
	}
	bad := &api.BadRulesError{}
	for _, e := range wrong {
		bad.Mistakes = append(bad.Mistakes, e.Error())
	}
	return out, bad
}
