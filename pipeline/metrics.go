// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/correlate"
)

// MatchMetrics are the numbers of matching.
type MatchMetrics struct {
	Parsed *prometheus.CounterVec
	Floor  prometheus.Gauge
}

// NewMatchMetrics registers the metrics.
func NewMatchMetrics(reg prometheus.Registerer) *MatchMetrics {
	m := &MatchMetrics{
		Parsed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_records_parsed_total", Help: "Records that a matcher read, by source and outcome.",
		}, []string{"source", "outcome"}),
		Floor: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_match_floor", Help: "EVENTS sequence up to which everything is matched.",
		}),
	}
	reg.MustRegister(m.Parsed, m.Floor)
	return m
}

// CorrelateMetrics are the numbers of correlation.
type CorrelateMetrics struct {
	Stepped prometheus.Counter
	Commits *prometheus.HistogramVec

	rule map[string]*prometheus.CounterVec

	mu   sync.Mutex
	last map[place]correlate.Stats
}

// NewCorrelateMetrics registers the metrics.
func NewCorrelateMetrics(reg prometheus.Registerer) *CorrelateMetrics {
	m := &CorrelateMetrics{
		Stepped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_correlate_messages_total", Help: "Messages of partitions' logs that engines took in.",
		}),
		Commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tocsin_commit_duration_seconds", Help: "Time of a partition's commit, by outcome.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"outcome"}),
		rule: make(map[string]*prometheus.CounterVec), last: make(map[place]correlate.Stats),
	}
	reg.MustRegister(m.Stepped, m.Commits)
	for _, n := range ruleNumbers {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_rule_" + n.name + "_total", Help: n.help}, []string{"rule"})
		m.rule[n.name] = c
		reg.MustRegister(c)
	}
	return m
}

var ruleNumbers = []struct {
	name, help string
	of         func(correlate.Stats) int64
}{
	{"matches", "Pattern matches by rule.", func(s correlate.Stats) int64 { return s.Matched }},
	{"detections", "Detections by rule.", func(s correlate.Stats) int64 { return s.Detections }},
	{"incidents", "Incidents opened by rule.", func(s correlate.Stats) int64 { return s.Incidents }},
	{"late", "Events that arrived later than the lateness bound, by rule.", func(s correlate.Stats) int64 { return s.Late }},
	{"capped", "What a limit left out, by rule.", func(s correlate.Stats) int64 { return s.Capped }},
	{"unkeyed", "Events that matched and had no key, by rule.", func(s correlate.Stats) int64 { return s.Unkeyed }},
	{"excepted", "Events that an exception covered, by rule.", func(s correlate.Stats) int64 { return s.Excepted }},
	{"retracted", "Detections that a later event contradicted, by rule.", func(s correlate.Stats) int64 { return s.Retracted }},
	{"dropped_absences", "Absences undecided when their rule changed, by rule.", func(s correlate.Stats) int64 { return s.Dropped }},
	{"duplicates", "Copies of events that a window had, by rule.", func(s correlate.Stats) int64 { return s.Duplicates }},
	{"future", "Events with a time after their arrival, by rule.", func(s correlate.Stats) int64 { return s.Future }},
	{"negative", "Values below zero that sums left out, by rule.", func(s correlate.Stats) int64 { return s.Negative }},
}

type place struct {
	partition int
	rule      string
}

// prime says where a partition's numbers stand before this process adds to them.
func (m *CorrelateMetrics) prime(partition int, stats []correlate.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range stats {
		m.last[place{partition, s.Rule}] = s
	}
}

// count adds what the numbers of one partition say since the last ones.
func (m *CorrelateMetrics) count(partition int, stats []correlate.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range stats {
		at := place{partition, s.Rule}
		for _, n := range ruleNumbers {
			if d := n.of(s) - n.of(m.last[at]); d > 0 {
				m.rule[n.name].WithLabelValues(s.Rule).Add(float64(d))
			}
		}
		m.last[at] = s
	}
}
