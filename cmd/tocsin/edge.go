// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/stream"
)

// leastEdge is the least bound of what is kept at the edge: the largest message fits several times.
const leastEdge = 16 << 20

// flushFor is the longest that a process at the edge waits for its hub before it ends.
const flushFor = 5 * time.Second

// atEdge reports whether records are kept on this machine's disk until the NATS of one's own has them.
func (c *Config) atEdge() bool { return c.Edge.Bytes != 0 && c.runs(roleIngest) }

// validateEdge refuses what could not be done while the hub is away.
func (c *Config) validateEdge() error {
	switch {
	case !c.atEdge():
	case c.Edge.Bytes < leastEdge:
		return wrongKey("edge.bytes", "it is at least %d, not %d", leastEdge, c.Edge.Bytes)
	case c.runs(roleMatch, roleCorrelate, roleAlert, roleAPI):
		return wrongKey("edge.bytes", "a process at the edge works while its hub is away, and only ingest can: say roles: [ingest], or leave it out")
	case c.Kyverno.Enabled:
		return wrongKey("edge.bytes", "what was told of policy reports is kept at the hub: watch the cluster, kyverno.enabled, in a process without an edge")
	}
	return nil
}

// startEdge starts the embedded NATS and opens what it keeps for the hub. The hub itself is reached later, if it is away.
func (n *node) startEdge(ctx context.Context) error {
	err := n.embed(ctx, func(nc *nats.Conn) (err error) {
		n.edge, err = stream.OpenEdge(ctx, nc, n.cfg.Edge.Bytes)
		return err
	})
	if err != nil {
		return err
	}
	n.intake = n.edge
	n.forwarder = stream.NewForwarder(n.edge, n.server(), n.log.With("part", "edge"))
	n.forwarder.Forwarded = n.points.forwarded
	return nil
}

// stamp says what is to be matched by. At the edge nobody knows, and what leaves it is stamped then.
func (n *node) stamp() stream.Stamp {
	if n.sets == nil {
		return stream.Stamp{}
	}
	return n.sets.Stamp()
}

// flush hands over what came last, if the hub takes it.
func (n *node) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), flushFor)
	defer cancel()
	if err := n.forwarder.Flush(ctx); err != nil {
		n.log.Warn("what the hub does not have stays on the disk until the next start", "err", err)
	}
}

// edgeHealth reports an edge that takes nothing in.
func (n *node) edgeHealth(context.Context) error {
	if n.edge.Full() {
		return errors.New("edge.bytes are used up: records are refused until the hub takes some")
	}
	return n.embedded.Healthy()
}

// hubStands says how the hub is. While it is away the process does what it is for, and is ready.
func (n *node) hubStands(ctx context.Context) string {
	away := n.forwarder.Away()
	if away == nil {
		return "ok"
	}
	st, err := n.edge.State(ctx)
	if err != nil || st.Messages == 0 {
		return fmt.Sprintf("it takes nothing, and nothing waits: %v", away)
	}
	return fmt.Sprintf("it takes nothing, and %d messages (%d MiB of %d) wait since %s: %v",
		st.Messages, st.Bytes>>20, st.Bound>>20, st.Oldest.UTC().Format(time.RFC3339), away)
}

func (n *node) edgeGauges(gauge gauges) {
	state := func(name, help string, of func(stream.EdgeState) float64) {
		gauge(name, help+"; -1 if it cannot be read.", func(ctx context.Context) (float64, error) {
			st, err := n.edge.State(ctx)
			return of(st), err
		})
	}
	state("tocsin_edge_waiting_messages", "Messages, of up to 1,000 records each, that wait for the hub", func(st stream.EdgeState) float64 {
		return float64(st.Messages)
	})
	state("tocsin_edge_waiting_bytes", "Bytes on disk of what waits for the hub", func(st stream.EdgeState) float64 { return float64(st.Bytes) })
	state("tocsin_edge_limit_bytes", "What may wait for the hub before records are refused", func(st stream.EdgeState) float64 { return float64(st.Bound) })
	state("tocsin_edge_oldest_seconds", "Age of the oldest message that waits for the hub, 0 if none does", func(st stream.EdgeState) float64 {
		if st.Oldest.IsZero() {
			return 0
		}
		return time.Since(st.Oldest).Seconds()
	})
	gauge("tocsin_edge_hub_up", "1 while the hub takes what is kept for it.", func(context.Context) (up float64, err error) {
		if n.forwarder.Away() == nil {
			up = 1
		}
		return up, nil
	})
	n.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tocsin_edge_forwarded_records_total", Help: "Records that the hub has taken.",
	}, func() float64 { return float64(n.forwarder.Records()) }))
}
