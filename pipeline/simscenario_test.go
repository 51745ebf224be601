// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/stream"
)

// scenario is what happens, beside faults: the rules, and what comes in.
type scenario struct {
	name       string
	replicas   int
	partitions int
	script     []scripted
	// torn: snapshots may be damaged. trims: the log is trimmed of all that both snapshots have. closes: somebody closes incidents. forgets: the server knows no message ids. piecemeal: readers of the log
	// are given one message at a time.
	torn, trims, closes, forgets, piecemeal bool

	lateness   time.Duration
	set        *rules.Set
	sets       *pipeline.Sets
	parser     pipeline.Parser
	correlated *pipeline.CorrelateMetrics
	matched    *pipeline.MatchMetrics
	want       string       // what replay finds
	seen       func(*world) // is shown each world at its beginning
}

// scripted is a message of EVENTS: a marker if it has no records.
type scripted struct {
	after   time.Duration // the message before it
	at      time.Duration // the stream's time
	records []string
}

const simRules = `rule: guessed
title: Somebody guesses
severity: high
match: {failed: 'event.action == "login" and event.outcome == "failure"'}
when: count(failed) >= 3
by: user.name
within: 3s
incident: {quiet: 4s}
---
rule: no-second-factor
title: A login without a second factor
severity: medium
match:
  login: event.action == "login" and event.outcome == "success"
  factor: event.action == "factor"
when: sequence(login, not factor)
by: user.name
within: 2s
incident: {quiet: 5s}
`

var simStart = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func did(id string, at float64, user, action, outcome string) string {
	return fmt.Sprintf(`{"event.id":%q,"timestamp":%q,"event.category":"authentication","event.action":%q,"event.outcome":%q,"user.name":%q}`,
		id, simStart.Add(time.Duration(at*float64(time.Second))).Format(time.RFC3339Nano), action, outcome, user)
}

// simScript has two people guessed at, one of them late and out of order, a detection that another one joins, a login that a
// second factor follows and one that none follows, copies, and a clock. Some of it comes when leases of whoever died or froze at
// the beginning have run out, some when those who were frozen wake.
func simScript() []scripted {
	s := time.Second
	return []scripted{
		{300 * time.Millisecond, 2 * s, []string{did("a1", 1, "ana", "login", "failure"), did("b1", 1, "bob", "login", "failure"), did("a2", 1.5, "ana", "login", "failure")}},
		{200 * time.Millisecond, 3 * s, []string{did("a3", 2, "ana", "login", "failure"), did("b2", 2, "bob", "login", "failure"), did("c1", 2, "ana", "login", "success")}},
		{200 * time.Millisecond, 3 * s, nil},
		{2200 * time.Millisecond, 4 * s, []string{did("a1", 1, "ana", "login", "failure"), did("d1", 2, "bob", "login", "success"), did("d2", 3, "bob", "factor", "success"), did("b4", 3.9, "bob", "login", "failure")}},
		{200 * time.Millisecond, 6 * s, nil},
		{200 * time.Millisecond, 7 * s, []string{did("b3", 6, "bob", "login", "failure"), did("a6", 6, "ana", "login", "failure"), did("a7", 6.1, "ana", "login", "failure"), did("a8", 6.2, "ana", "login", "failure"), did("a4", 3.5, "ana", "login", "failure")}},
		{2500 * time.Millisecond, 8 * s, []string{did("a5", 5, "ana", "login", "failure"), did("b2", 2, "bob", "login", "failure")}},
		{200 * time.Millisecond, 60 * s, nil},
	}
}

// prepare compiles the rules and asks replay.
func (s scenario) prepare(t *testing.T) scenario {
	t.Helper()
	s.replicas, s.partitions, s.lateness, s.script = 2, 2, 2*time.Second, simScript()
	set, err := rules.Compile([]rules.File{{Name: "sim.yml", Data: []byte(simRules)}})
	if err != nil {
		t.Fatal(err)
	}
	s.set, s.parser = set, ingest.NewParser(ingest.ParserConfig{})
	if s.sets, err = pipeline.NewSets(context.Background(), &oneSet{}, set, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	s.correlated, s.matched = pipeline.NewCorrelateMetrics(reg), pipeline.NewMatchMetrics(reg)
	replay := pipeline.NewReplay(set, s.parser, s.lateness)
	for _, m := range s.script {
		for _, raw := range m.records {
			e, err := s.parser.Parse(recordOf(raw), m.time())
			if err != nil {
				t.Fatal(err)
			}
			replay.AddEvent(e)
		}
	}
	res, err := replay.Run(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.want = printed(res); len(res.Incidents) < 3 {
		t.Fatalf("too little is found: the simulation would say nothing:\n%s", s.want)
	}
	return s
}

func recordOf(raw string) event.Record {
	return event.Record{Input: "sim", Source: "vector", Raw: []byte(raw)}
}

func (m scripted) time() int64 { return simStart.Add(m.at).UnixNano() }

// feed puts the script's next message into EVENTS.
func (w *world) feed() {
	m := w.scenario.script[w.fed]
	w.fed++
	msg := stream.EventsMsg{Time: m.time(), Marker: len(m.records) == 0}
	msg.Batch.Stamp = w.scenario.sets.Stamp()
	for _, raw := range m.records {
		msg.Batch.Records = append(msg.Batch.Records, recordOf(raw))
	}
	w.streams.add(msg)
}

// oneSet is a store of Sets that has the one in force.
type oneSet struct{ stamp stream.Stamp }

func (*oneSet) PutSet(context.Context, string, []byte) error       { return nil }
func (*oneSet) Set(context.Context, string) ([]byte, error)        { return nil, errAway }
func (o *oneSet) CurrentSet(context.Context) (stream.Stamp, error) { return o.stamp, nil }

func (o *oneSet) NameSet(_ context.Context, hash string) (stream.Stamp, error) {
	o.stamp = stream.Stamp{Set: hash, Generation: 1}
	return o.stamp, nil
}
