// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tocsin/correlate"
	"tocsin/stream"
)

// The stream is the clock (C1): once a second a marker goes through EVENTS; when all before it has
// been matched, its stream time becomes the clock of every partition.
const (
	markerEvery = time.Second
	floorEvery  = 20 * time.Millisecond
)

// RunMarkers publishes a marker a second until ctx ends. One that fails is not
// repeated: the next one says as much. Each is of the Set that is current by then.
func (m *Matcher) RunMarkers(ctx context.Context) error {
	for {
		if err := m.Streams.PublishMarker(ctx, m.Sets.Stamp()); err != nil && ctx.Err() == nil {
			m.Log.Warn("clock stands still", "err", err)
		}
		if !pause(ctx, markerEvery) {
			return nil
		}
	}
}

// remember keeps the markers of a round until the floor has passed them.
func (m *Matcher) remember(msgs []stream.EventsMsg) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range msgs {
		if msgs[i].Marker && msgs[i].Err == nil {
			m.markers = append(m.markers, correlate.Tick{
				Floor: msgs[i].Seq, Clock: msgs[i].Time, Set: msgs[i].Batch.Set, Generation: msgs[i].Batch.Generation,
			})
		}
	}
}

// RunTicks publishes ticks until ctx ends.
func (m *Matcher) RunTicks(ctx context.Context) error {
	for pause(ctx, floorEvery) {
		if err := m.tick(ctx); err != nil && ctx.Err() == nil {
			m.Log.Warn("tick", "err", err)
			pause(ctx, markerEvery)
		}
	}
	return nil
}

// tick publishes the newest marker that the ack floor has passed: everything before it is matched, and
// its matches are in the log.
func (m *Matcher) tick(ctx context.Context) error {
	m.mu.Lock()
	waiting := len(m.markers)
	m.mu.Unlock()
	if waiting == 0 {
		return nil
	}
	floor, err := m.Streams.AckFloor(ctx)
	if err != nil {
		return fmt.Errorf("ack floor: %w", err)
	}
	m.Metrics.Floor.Set(float64(floor))
	m.mu.Lock()
	var passed *correlate.Tick
	rest := m.markers[:0]
	for _, t := range m.markers {
		switch {
		case t.Floor > floor:
			rest = append(rest, t)
		case passed == nil || t.Floor > passed.Floor:
			passed = &t
		}
	}
	m.markers = rest
	m.mu.Unlock()
	if passed == nil {
		return nil
	}
	data := correlate.EncodeEntries([]correlate.Entry{{Tick: passed}})
	out := make([]stream.MatchMsg, m.Streams.Partitions())
	for p := range out {
		out[p] = stream.MatchMsg{Partition: p, ID: "t/" + strconv.Itoa(p) + "/" + strconv.FormatUint(passed.Floor, 36), Data: data}
	}
	if err := m.Streams.PublishMatches(ctx, out); err != nil {
		return fmt.Errorf("publish tick: %w", err)
	}
	return nil
}
