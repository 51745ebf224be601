// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"tocsin/incident"
	"tocsin/pipeline"
)

// person closes the first incident that there is, through whatever process answers, until one says that it is closed.
type person struct {
	incident string
	asking   bool
	closed   bool
}

const (
	untilItShows = 100 * time.Millisecond
	asksAgain    = 700 * time.Millisecond
)

// closing asks again and again.
func (w *world) closing() {
	if w.person.closed {
		return
	}
	w.after(asksAgain, "somebody wants an incident closed", w.closing)
	ids := slices.Sorted(maps.Keys(w.store.book.incidents))
	if w.person.asking || len(ids) == 0 {
		return
	}
	if w.person.incident == "" {
		w.person.incident = ids[0]
	}
	for _, p := range w.inPlace {
		if !p.holds() {
			continue
		}
		closer := pipeline.Closer{Store: p.store(), Streams: client{p, theStreams}, Wait: untilItShows}
		w.person.asking = true
		p.run(func(ctx context.Context) error {
			v, err := closer.Close(ctx, w.person.incident, incident.TruePositive, "mo")
			w.mu.Lock()
			defer w.mu.Unlock()
			w.person.asking = false
			w.person.closed = w.person.closed || errors.Is(err, pipeline.ErrClosed) || err == nil && v.Status == incident.Closed
			return nil
		})
		return
	}
}

// closedOnce says what is wrong with what became of the closing.
func (w *world) closedOnce() {
	row := w.store.book.incidents[w.person.incident]
	for row.incident.MergedInto != "" {
		row = w.store.book.incidents[row.incident.MergedInto]
	}
	if in := row.incident; in.ClosedAt == 0 || in.ClosedBy != "mo" || in.Verdict != incident.TruePositive {
		w.fail("incident %s was closed and is %+v", w.person.incident, in)
	}
	n := 0
	for _, in := range w.store.book.incidents {
		if in.incident.ClosedAt != 0 && in.incident.MergedInto == "" {
			n++
		}
	}
	if n != 1 {
		w.fail("one incident was closed, and %d are", n)
	}
}
