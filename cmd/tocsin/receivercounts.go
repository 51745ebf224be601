// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
	"tocsin/store"
)

// receiverCounts tells how the alerts to each receiver stand, as the store has it when somebody asks. A receiver that has none has zeros.
type receiverCounts struct {
	store store.Store
	names []alert.Named
}

// receiverNumbers are the numbers of a receiver, by the names of their metrics.
func receiverNumbers() []struct {
	name, help string
	of         func(store.ReceiverStats) float64
} {
	return []struct {
		name, help string
		of         func(store.ReceiverStats) float64
	}{
		{"tocsin_receiver_pending", "Alerts to a receiver that wait.", func(s store.ReceiverStats) float64 { return float64(s.Pending) }},
		{"tocsin_receiver_silenced", "Alerts to a receiver that are held back.", func(s store.ReceiverStats) float64 { return float64(s.Silenced) }},
		{"tocsin_receiver_dead", "Alerts to a receiver that were given up.", func(s store.ReceiverStats) float64 { return float64(s.Dead) }},
		{"tocsin_receiver_oldest_seconds", "Age of the oldest alert to a receiver that waits.", func(s store.ReceiverStats) float64 { return s.Oldest.Seconds() }},
		{"tocsin_receiver_failing", "1 while the last attempt at what waits for a receiver failed.", func(s store.ReceiverStats) float64 {
			if s.Error != "" {
				return 1
			}
			return 0
		}},
	}
}

func receiverDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"receiver"}, nil)
}

// Describe implements [prometheus.Collector].
func (receiverCounts) Describe(to chan<- *prometheus.Desc) {
	for _, x := range receiverNumbers() {
		to <- receiverDesc(x.name, x.help)
	}
}

// Collect implements [prometheus.Collector]. While the store is away there are no numbers: tocsin_outbox_pending says so.
func (r receiverCounts) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	stats, err := r.store.OutboxReceivers(ctx)
	if err != nil {
		return
	}
	by := make(map[string]store.ReceiverStats)
	for _, n := range r.names {
		by[n.Name] = store.ReceiverStats{}
	}
	for _, s := range stats {
		by[s.Receiver] = s
	}
	for name, s := range by {
		for _, x := range receiverNumbers() {
			to <- prometheus.MustNewConstMetric(receiverDesc(x.name, x.help), prometheus.GaugeValue, x.of(s), name)
		}
	}
}
