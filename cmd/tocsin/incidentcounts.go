// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/store"
)

// incidentCounts collects how many incidents there are, as the store counts them.
type incidentCounts struct{ store store.Incidents }

var incidentsDesc = prometheus.NewDesc("tocsin_incidents",
	"Incidents that are neither merged nor retracted nor of a rule in shadow; nothing while they cannot be read.",
	[]string{"status", "severity"}, nil)

// Describe implements [prometheus.Collector].
func (incidentCounts) Describe(ch chan<- *prometheus.Desc) { ch <- incidentsDesc }

// Collect implements [prometheus.Collector].
func (c incidentCounts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	counts, err := c.store.Rollup(ctx)
	if err != nil {
		return // a number that is not there says so; the other metrics are
	}
	for _, x := range counts {
		if !x.Shadow {
			ch <- prometheus.MustNewConstMetric(incidentsDesc, prometheus.GaugeValue, float64(x.N), string(x.Status), x.Severity.String())
		}
	}
}
