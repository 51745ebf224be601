// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// anchorAgain is after what time an anchor that failed is tried again, unless it is asked more often.
	anchorAgain = time.Minute
	// anchorFirst is how often the first checkpoint is looked for.
	anchorFirst = time.Second
	// anchorTime is how long an anchor may take.
	anchorTime = 30 * time.Second
)

// Anchor is a place outside of the database that is given checkpoints of the audit log: what it has is compared with the log by whoever
// does not believe the server.
type Anchor struct {
	Name  string
	Every time.Duration
	// Keep returns once the checkpoint is kept for good, or soon after ctx has ended.
	Keep func(ctx context.Context, note string) error
	// Time is how long it may take, 0 for the usual.
	Time time.Duration
}

// Anchors give each anchor the newest checkpoint. Several processes may give one the same, and what is started again gives again what was
// given before: neither does harm.
type Anchors struct {
	List []Anchor
	// Newest returns the newest checkpoint, "" before there is one.
	Newest  func() string
	Metrics *AnchorMetrics
	Log     *slog.Logger
	Now     func() time.Time
}

// AnchorMetrics are those of anchors, by their names.
type AnchorMetrics struct {
	Success, Every *prometheus.GaugeVec
	Failures       *prometheus.CounterVec
}

// NewAnchorMetrics registers the metrics.
func NewAnchorMetrics(reg prometheus.Registerer) *AnchorMetrics {
	labels := []string{"anchor"}
	m := &AnchorMetrics{
		Success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_audit_anchor_last_success_timestamp_seconds", Help: "When the anchor last had the newest checkpoint of the audit log.",
		}, labels),
		Every: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_audit_anchor_every_seconds", Help: "How often the anchor is to have the newest checkpoint of the audit log.",
		}, labels),
		Failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_audit_anchor_failures_total", Help: "Times that the anchor did not take a checkpoint of the audit log.",
		}, labels),
	}
	reg.MustRegister(m.Success, m.Every, m.Failures)
	return m
}

// Run gives checkpoints until ctx ends. One anchor waits for no other.
func (a *Anchors) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, x := range a.List {
		a.Metrics.Success.WithLabelValues(x.Name).Set(0) // one that never took any is stale
		a.Metrics.Every.WithLabelValues(x.Name).Set(x.Every.Seconds())
		a.Metrics.Failures.WithLabelValues(x.Name)
		all.Go(func() { a.serve(ctx, x) })
	}
	all.Wait()
	return nil
}

// serve gives one anchor what it does not have, and says when it begins to fail and when that is over.
func (a *Anchors) serve(ctx context.Context, x Anchor) {
	given, failing := "", false
	for {
		note, wait := a.Newest(), x.Every
		var err error
		switch {
		case note == "":
			wait = min(wait, anchorFirst)
		case note != given:
			err = x.keep(ctx, note)
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			a.Metrics.Failures.WithLabelValues(x.Name).Inc()
			if !failing {
				a.Log.Warn("an anchor does not take checkpoints of the audit log", "anchor", x.Name, "err", err)
			}
			failing, wait = true, min(wait, anchorAgain)
		case note != "":
			a.Metrics.Success.WithLabelValues(x.Name).Set(float64(a.Now().UnixNano()) / 1e9)
			if failing {
				a.Log.Info("the anchor takes checkpoints of the audit log again", "anchor", x.Name)
			}
			given, failing = note, false
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (x Anchor) keep(ctx context.Context, note string) error {
	limit := x.Time
	if limit == 0 {
		limit = anchorTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not answer within %s", limit))
	defer cancel()
	err := x.Keep(ctx, note)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
