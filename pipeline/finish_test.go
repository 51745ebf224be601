// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
	"tocsin/store/open"
	"tocsin/stream"
)

// closings are partitions' logs whose owner does at once what it is told, and calls after that.
type closings struct {
	t     *testing.T
	put   func(incident.Incident)
	known map[string]incident.Incident
	ids   []string
	after func()
}

func (c *closings) PublishMatches(_ context.Context, msgs []stream.MatchMsg) error {
	for _, m := range msgs {
		entries, err := correlate.DecodeEntries(m.Data, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range entries {
			in := c.known[e.Close.Incident]
			in.ClosedAt, in.Verdict, in.ClosedBy, in.Revision = 9, e.Close.Verdict, e.Close.By, in.Revision+1
			c.after()
			c.put(in)
			c.ids = append(c.ids, in.ID)
		}
	}
	return nil
}

// TestAPartIsLeftOpen: somebody merges an incident into one whose closing is in the log and not done yet, and the process that is to close the
// part after it dies. The part is found and closed as the whole was, once, and nothing else is.
func TestAPartIsLeftOpen(t *testing.T) {
	t.Parallel()
	s, err := open.Store(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(t.Context(), "me", time.Hour, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	const whole, part, other, beside = "10000000000000000000000000000000", "20000000000000000000000000000000", "30000000000000000000000000000000", "40000000000000000000000000000000"
	log := &closings{t: t, known: make(map[string]incident.Incident), after: func() {}}
	applied := uint64(0)
	log.put = func(in incident.Incident) {
		applied++
		log.known[in.ID] = in
		err := s.Commit(t.Context(), store.Commit{Epoch: leases[0].Epoch, Stream: "MATCHES", Applied: applied, Changes: correlate.Changes{Incidents: []incident.Incident{in}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	merge := func(id, into string) {
		if _, err := s.Merge(t.Context(), id, into, "lu"); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{whole, part, other, beside} {
		log.put(incident.Incident{
			ID: id, Rule: &rules.Rule{ID: "r", Revision: "r-1", Severity: rules.Low}, Title: id, FirstEvent: int64(i), LastEvent: int64(i), OpenedAt: 1, UpdatedAt: 1, Revision: 1,
		})
	}
	merge(other, beside) // which is open
	dies, die := context.WithCancel(t.Context())
	log.after = func() {
		merge(part, whole)
		die()
	}
	if v, err := (&Closer{Store: s, Streams: log, Wait: time.Second}).Close(dies, whole, incident.Benign, "mo"); err == nil {
		t.Fatalf("who died says %+v", v)
	}
	log.after = func() {}
	if v, err := s.Incident(t.Context(), part); err != nil || v.Status == incident.Closed {
		t.Fatalf("the part is %s, %v: there is nothing to look for", v.Status, err)
	}
	f := &Finisher{Store: s, Streams: log, Log: slog.New(slog.DiscardHandler)}
	for range 2 {
		if err := f.finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(log.ids) != 2 || log.ids[1] != part {
		t.Errorf("closed were %q, want the whole and its part", log.ids)
	}
	if in := log.known[part]; in.Verdict != incident.Benign || in.ClosedBy != "mo" {
		t.Errorf("the part was closed as %s by %s", in.Verdict, in.ClosedBy)
	}
}
