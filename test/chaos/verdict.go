// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/store/open"
	"tocsin/stream"
)

// judge ends all of tocsin once everything is decided by the clock, and compares what it found with what it should have.
func (r run) judge(w *world, l *load, c *closer, end time.Time, log *strings.Builder) (verdict, error) {
	// A clock that was wrong may be ahead.
	if err := until(3*r.lateness+2*time.Minute, func() error { return w.decided(end.Add(maxJump + 2*time.Second)) }); err != nil {
		return wrong, err
	}
	took := w.now().Sub(end)
	if err := until(30*time.Second, w.ready); err != nil {
		return wrong, err
	}
	for _, p := range w.replicas {
		if n := p.crashed(); n > 0 {
			return wrong, fmt.Errorf("%s ended by itself %d times: its log says why", p.name, n)
		}
	}
	for _, p := range w.with("") {
		p.stop(syscall.SIGTERM)
	}
	ctx, cancel := timeout(2 * time.Minute)
	defer cancel()
	rec, err := w.record(ctx)
	if err != nil {
		return wrong, err
	}
	if err := rec.complete(l.records); err != nil {
		return wrong, err
	}
	found, err := w.stored(ctx)
	if err != nil {
		return wrong, err
	}
	var want *reference
	if r.away != "" {
		want, err = rec.replayed(r.lateness)
	} else {
		want, err = rec.reference(r.lateness, found)
	}
	if err != nil {
		return wrong, err
	}
	if d := cmp.Diff(want.lines, found.lines(want.leftOut)); d != "" {
		return wrong, fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
	}
	if err := found.closed(c.closed); err != nil {
		return wrong, err
	}
	if err := w.hook.heard(found); err != nil {
		return wrong, err
	}
	left := ""
	if len(want.leftOut) > 0 {
		left = fmt.Sprintf(", but for %v", slices.Sorted(maps.Keys(want.leftOut)))
	}
	fmt.Fprintf(log, "  as replay%s: %d events, %d incidents, %d closings, %d Sets, %v after the deadline\n",
		left, len(l.records), len(want.lines), len(rec.closings), len(rec.stamps), took.Round(100*time.Millisecond))
	return right, nil
}

// decided reports whether every partition has passed a time, and everybody was told.
func (w *world) decided(t time.Time) error {
	ctx, cancel := timeout(time.Minute) // SQLite with the race detector takes seconds
	defer cancel()
	s, err := open.Store(ctx, w.storeURL(w.pgAt))
	if err != nil {
		return err
	}
	defer s.Close()
	states, err := s.States(ctx)
	if err != nil {
		return err
	}
	if len(states) < stream.DefaultConfig.Partitions {
		return fmt.Errorf("%d partitions have been owned", len(states))
	}
	for _, x := range states {
		if x.Clock < t.UnixNano() {
			return fmt.Errorf("partition %d of %q is at %v, and should be at %v", x.Partition, x.Owner, time.Unix(0, x.Clock), t)
		}
	}
	alerts, err := s.OutboxStats(ctx)
	if err == nil && alerts.Pending+alerts.Dead > 0 {
		err = fmt.Errorf("%d alerts wait, %d are given up", alerts.Pending, alerts.Dead)
	}
	return err
}

// complete reports whether every record that was taken is on the log.
func (rec *record) complete(sent [][]byte) error {
	there := make(map[string]bool)
	for _, e := range rec.events {
		there[string(e.Raw)] = true
	}
	for _, r := range sent {
		if !there[string(r)] {
			return fmt.Errorf("it was taken and is not on the log: %s", r)
		}
	}
	if len(there) > len(sent) {
		return fmt.Errorf("there are %d records on the log, and %d were sent", len(there), len(sent))
	}
	return nil
}
