// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// placeHeader says which message of an edge a message of EVENTS was made of.
const placeHeader = "Tocsin-Edge"

// drain waits until all that was taken at the edge is on the log.
func (w *world) drain() error {
	for _, e := range w.edges() {
		if err := until(time.Minute, e.empty); err != nil {
			return err
		}
	}
	return nil
}

// empty reports whether nothing waits at the edge.
func (r *replica) empty() error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + r.admin + "/metrics")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "tocsin_edge_waiting_messages "); ok {
			if n != "0" {
				return fmt.Errorf("%s messages wait at %s", n, r.name)
			}
			return nil
		}
	}
	return fmt.Errorf("%s does not say what waits", r.name)
}

// twice returns an error if a message of an edge came to the log before.
func twice(seen map[string]bool, msg jetstream.Msg) error {
	place := msg.Headers().Get(placeHeader)
	if place == "" {
		return nil
	}
	key := msg.Subject() + " " + place
	if seen[key] {
		return fmt.Errorf("what was taken at the edge is on the log twice: %s", key)
	}
	seen[key] = true
	return nil
}

func failEdge(r *rand.Rand, w *world) fault {
	edges := w.edges()
	if len(edges) == 0 {
		return fault{}
	}
	return cut(r, edges[0].name, edges[0].process)
}
