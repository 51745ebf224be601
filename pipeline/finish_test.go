// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
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

// newClosings returns a store with incidents, one for each id, and the log of their partition.
func newClosings(t *testing.T, ids ...string) (store.Store, *closings) {
	t.Helper()
	s, err := open.Store(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(t.Context(), "me", time.Hour, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
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
	for i, id := range ids {
		log.put(incident.Incident{
			ID: id, Rule: &rules.Rule{ID: "r", Revision: "r-1", Severity: rules.Low}, Title: id, FirstEvent: int64(i), LastEvent: int64(i), OpenedAt: 1, UpdatedAt: 1, Revision: 1,
		})
	}
	return s, log
}

const whole, part, other, beside = "10000000000000000000000000000000", "20000000000000000000000000000000", "30000000000000000000000000000000", "40000000000000000000000000000000"

// TestAPartIsLeftOpen: somebody merges an incident into one whose closing is in the log and not done yet, and the process that is to close the
// part after it dies. The part is found and closed as the whole was, once, and nothing else is.
func TestAPartIsLeftOpen(t *testing.T) {
	t.Parallel()
	s, log := newClosings(t, whole, part, other, beside)
	merge := func(id, into string) {
		if _, err := s.Merge(t.Context(), id, into, "lu"); err != nil {
			t.Fatal(err)
		}
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

// splitting is a store in which somebody takes a part out again once it has been said to be left open.
type splitting struct {
	store.Store
	t *testing.T
}

func (s splitting) LeftOpen(ctx context.Context) ([]store.LeftOpen, error) {
	left, err := s.Store.LeftOpen(ctx)
	for _, l := range left {
		if _, err := s.Unmerge(ctx, l.ID, "lu"); err != nil {
			s.t.Fatal(err)
		}
	}
	return left, err
}

// TestAPartIsTakenOut of what is closed, while it is looked for: it is nobody's part any more, and stays open.
func TestAPartIsTakenOut(t *testing.T) {
	t.Parallel()
	s, log := newClosings(t, whole, part)
	log.after = func() {
		if _, err := s.Merge(t.Context(), part, whole, "lu"); err != nil {
			t.Fatal(err)
		}
	}
	place, err := s.Place(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.PublishMatches(t.Context(), []stream.MatchMsg{closing(whole, place, incident.Benign, "mo")}); err != nil {
		t.Fatal(err)
	}
	if left, err := s.LeftOpen(t.Context()); err != nil || len(left) != 1 || left[0].ID != part {
		t.Fatalf("left open are %v, %v: there is nothing to look for", left, err)
	}
	log.after = func() {}
	if err := (&Finisher{Store: splitting{s, t}, Streams: log, Log: slog.New(slog.DiscardHandler)}).finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Incident(t.Context(), part); err != nil || v.Status == incident.Closed || len(log.ids) != 1 {
		t.Errorf("it is %s, %v; closed were %q", v.Status, err, log.ids)
	}
}

// leaving has a part left open each time but the first, when it does not answer, and notes when it was asked.
type leaving struct {
	places
	began time.Time
	asked []time.Duration
}

func (l *leaving) LeftOpen(context.Context) ([]store.LeftOpen, error) {
	if l.asked = append(l.asked, time.Since(l.began)); len(l.asked) == 1 {
		return nil, errors.New("away")
	}
	return []store.LeftOpen{{ID: part, Verdict: incident.Benign, By: "mo"}}, nil
}

func (l *leaving) Place(context.Context, string) (store.Place, error) {
	return store.Place{Joined: true}, nil
}

// published counts messages.
type published struct{ n int }

func (p *published) PublishMatches(_ context.Context, msgs []stream.MatchMsg) error {
	p.n += len(msgs)
	return nil
}

// TestFinisherLooks every half minute, also after the store was away, until it is to end: then at once.
func TestFinisherLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, log := &leaving{began: time.Now()}, &published{}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- (&Finisher{Store: s, Streams: log, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		}()
		time.Sleep(100 * time.Second)
		synctest.Wait()
		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("it does not end")
		}
		if want := []time.Duration{30 * time.Second, 60 * time.Second, 90 * time.Second}; !slices.Equal(s.asked, want) || log.n != 2 {
			t.Errorf("it looked at %v and closed %d, want %v and 2", s.asked, log.n, want)
		}
	})
}
