// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/correlate"
	"tocsin/incident"
)

// MatchMetrics are the numbers of matching.
type MatchMetrics struct {
	Parsed  *prometheus.CounterVec
	Untimed *prometheus.CounterVec
	Panics  *prometheus.CounterVec
	Floor   prometheus.Gauge
}

// NewMatchMetrics registers the metrics.
func NewMatchMetrics(reg prometheus.Registerer) *MatchMetrics {
	m := &MatchMetrics{
		Parsed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_records_parsed_total", Help: "Records that a matcher read, by source and outcome.",
		}, []string{"source", "outcome"}),
		Untimed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_records_untimed_total", Help: "Records whose own time a matcher could not read, by source.",
		}, []string{"source"}),
		Panics: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_match_panics_total", Help: "Panics that reading a record or matching it by a rule ended in, by stage.",
		}, []string{"stage"}),
		Floor: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_match_floor", Help: "EVENTS sequence up to which everything is matched.",
		}),
	}
	reg.MustRegister(m.Parsed, m.Untimed, m.Panics, m.Floor)
	return m
}

// CorrelateMetrics are the numbers of correlation.
type CorrelateMetrics struct {
	Stepped prometheus.Counter
	Commits *prometheus.HistogramVec
	Newer   prometheus.Gauge
	// Detect and Close are the times of incidents, in seconds.
	Detect, Close prometheus.Histogram

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
		Newer: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_partitions_newer", Help: "Partitions that nobody has and this version cannot take: their snapshots are of a newer one.",
		}),
		Detect: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_incident_detect_seconds", Help: "Time from the first event of an incident until it opened.", Buckets: IncidentBuckets(),
		}),
		Close: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_incident_close_seconds", Help: "Time from the opening of an incident to its closing by a person.", Buckets: IncidentBuckets(),
		}),
		rule: make(map[string]*prometheus.CounterVec), last: make(map[place]correlate.Stats),
	}
	reg.MustRegister(m.Stepped, m.Commits, m.Newer, m.Detect, m.Close)
	for _, n := range ruleNumbers {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_rule_" + n.name + "_total", Help: n.help}, []string{"rule"})
		m.rule[n.name] = c
		reg.MustRegister(c)
	}
	return m
}

// IncidentBuckets are those of the times of incidents: a second to seven weeks.
func IncidentBuckets() []float64 { return prometheus.ExponentialBuckets(1, 4, 12) }

// times observes what became of incidents, once it is committed. Those of rules in shadow are nobody's work.
func (m *CorrelateMetrics) times(incidents []incident.Incident) {
	for _, in := range incidents {
		if in.Rule.Shadow {
			continue
		}
		if in.Changed&incident.Opened != 0 {
			m.Detect.Observe(time.Duration(max(in.UpdatedAt-in.FirstEvent, 0)).Seconds())
		}
		if in.Changed&incident.ClosedByPerson != 0 {
			m.Close.Observe(time.Duration(max(in.ClosedAt-in.OpenedAt, 0)).Seconds())
		}
	}
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
