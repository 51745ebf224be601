// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/stream"
)

// TestEdge: what is taken while the hub is away arrives in order, once, in few messages, with the time at which it was taken and the Set
// that is current when it leaves; and what could not be read is in quarantine.
func TestEdge(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, s := newHub(t, small())
	var shut atomic.Bool
	way := newWay(t, c.URL(), passes(&shut))
	e := openEdge(t, t.TempDir(), 64<<20)
	f := e.forward(way.url())
	e.take(0, 10)
	e.empty()
	c.Stop(0)
	eventually(t, func() error {
		if f.Away() == nil {
			return errors.New("the hub is not missed")
		}
		return nil
	})
	from := time.Now().UnixNano()
	e.take(10, 200)
	to := time.Now().UnixNano()
	if err := e.Quarantine(ctx, []stream.Quarantined{{Record: record(1), Reason: "odd", Detail: "why"}}); err != nil {
		t.Fatal(err)
	}
	e.take(200, 300)
	if st, err := e.State(ctx); err != nil || st.Messages != 291 || st.Bytes == 0 || st.Bound != 64<<20 || st.Oldest.UnixNano() < from || st.Oldest.UnixNano() > to {
		t.Errorf("what waits: %+v, %v", st, err)
	}
	quick, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := f.Flush(quick); err == nil || quick.Err() != nil {
		t.Errorf("a flush without a hub: %v", err)
	}
	stopped := time.Now().UnixNano()
	shut.Store(true) // the edge finds the hub after another Set was named there
	c.Run(t, 0)
	eventually(t, func() error { return s.Ping(ctx) })
	name(t, s, "second")
	shut.Store(false)
	if err := f.Flush(quick); err != nil {
		e.empty() // the forwarder had not noticed that the hub is back
	}
	batches, records := arrived(t, s)
	inOrder(t, records, 300)
	if n := len(batches); n > 10+4 {
		t.Errorf("%d messages brought 300 records", n)
	}
	if b := batches[len(batches)-1]; b.Set != "second" || b.Generation == 0 || batches[0].Set != "first" {
		t.Errorf("stamped with %+v, then %+v", batches[0].Stamp, b.Stamp)
	}
	for i, r := range records[10:200] {
		if r.Taken < from || r.Taken > stopped {
			t.Errorf("record %d was taken at %d, not between %d and %d", 10+i, r.Taken, from, to)
		}
	}
	if q, err := s.QuarantineList(ctx, 2); err != nil || len(q) != 1 || q[0].Reason != "odd" {
		t.Errorf("quarantine: %+v, %v", q, err)
	}
	if f.Away() != nil || f.Records() != 300 {
		t.Errorf("%v, %d records", f.Away(), f.Records())
	}
	name(t, s, "third") // it is followed while the hub is there, too
	n := 300
	eventually(t, func() error {
		e.take(n, n+1)
		n++
		e.empty()
		batches, records = arrived(t, s)
		if set := batches[len(batches)-1].Set; set != "third" {
			return fmt.Errorf("stamped with %s", set)
		}
		return nil
	})
	inOrder(t, records, n)
}

// TestAMessageComesLate: what an edge sent on a connection that then broke reaches the hub when the edge, which asked how far it was, has sent
// it again. It is there once.
func TestAMessageComesLate(t *testing.T) {
	t.Parallel()
	c, s := newHub(t, small())
	way := newWay(t, c.URL(), holdsFirst())
	e := openEdge(t, t.TempDir(), 64<<20)
	e.forward(way.url())
	e.take(0, 1)
	e.empty()
	way.release()
	e.take(1, 2) // the hub takes it after what was late
	e.empty()
	_, records := arrived(t, s)
	inOrder(t, records, 2)
}

// TestAnswersAreLost cuts the connection again and again, also before the hub has a message, and after it has it and before it says so;
// and it ends forwarder and edge in between: each record arrives once, in order.
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 0))
			c, s := newHub(t, small())
			way := newWay(t, c.URL(), loses(random))
			dir := t.TempDir()
			const cut, each, size = 6, 8, 600
			n := 0
			for way.cuts.Load() < cut {
				e := openEdge(t, dir, 64<<20)
				e.forward(way.url())
				for range each {
					var recs []event.Record
					for range size { // two do not go into one message
						recs = append(recs, record(n))
						n++
					}
					if err := e.commit.Commit(t.Context(), recs); err != nil {
						t.Fatal(err)
					}
				}
				cuts := way.cuts.Load()
				eventually(t, func() error {
					if st, err := e.State(t.Context()); err == nil && st.Messages == 0 || way.cuts.Load() >= cuts+2 {
						return err
					}
					return errors.New("too few cuts")
				})
				e.close()
			}
			e := openEdge(t, dir, 64<<20)
			e.forward(c.URL())
			e.empty()
			_, records := arrived(t, s)
			inOrder(t, records, n)
		})
	}
}

// TestEdgeIsFull: at the bound records are refused, and what was taken before arrives; then there is room again.
func TestEdgeIsFull(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, s := newHub(t, small())
	e := openEdge(t, t.TempDir(), 1<<20)
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		r := record(n)
		r.Raw = append(r.Raw, make([]byte, 100_000)...)
		random := rand.NewChaCha8([32]byte{byte(n)})
		_, _ = random.Read(r.Raw[len(r.Raw)-100_000:])
		err = e.commit.Commit(ctx, []event.Record{r})
	}
	n--
	if !errors.Is(err, stream.ErrUnavailable) || n < 5 || n > 10 || !e.Full() {
		t.Fatalf("after %d: %v, full: %t", n, err, e.Full())
	}
	e.forward(c.URL())
	e.empty()
	if _, records := arrived(t, s); len(records) != n {
		t.Errorf("%d records of %d arrived", len(records), n)
	}
	if e.Full() {
		t.Error("it is full, and nothing waits")
	}
	e.take(0, 1)
}

// TestTheHubIsFull: a hub whose EVENTS take nothing more keeps nothing from being taken here, and says so.
func TestTheHubIsFull(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.Events.Bytes = 20_000
	c, s := newHub(t, cfg)
	e := openEdge(t, t.TempDir(), 64<<20)
	f := e.forward(c.URL())
	e.take(0, 1)
	e.empty()
	if err := f.Away(); err != nil {
		t.Fatal(err)
	}
	n := 1
	eventually(t, func() error {
		e.take(n, n+1)
		if n++; f.Away() == nil {
			return errors.New("the hub takes all")
		}
		return nil
	})
	e.take(n, n+10)
	if err := events(t, s).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return f.Away() })
	e.empty()
}

// TestEdgeIsPutBack: of a data directory from a backup the hub knows more than the directory itself. What is taken then arrives, and
// what was there before arrives, too.
func TestEdgeIsPutBack(t *testing.T) {
	t.Parallel()
	for later, more := range map[string]int{"fewer are taken than were": 3, "more are taken than were": 30} {
		t.Run(later, func(t *testing.T) {
			t.Parallel()
			c, s := newHub(t, small())
			dir, backup := t.TempDir(), t.TempDir()+"/backup"
			e := openEdge(t, dir, 64<<20)
			e.take(0, 5)
			e.close()
			if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			e = openEdge(t, dir, 64<<20)
			e.forward(c.URL())
			e.empty()
			e.take(5, 20)
			e.empty()
			e.close()
			e = openEdge(t, backup, 64<<20)
			e.take(100, 100+more)
			e.forward(c.URL())
			e.empty()
			got := make(map[string]int)
			_, records := arrived(t, s)
			for _, r := range records {
				got[string(r.Raw)]++
			}
			for i := range 100 + more {
				want := 1
				switch {
				case i < 5:
					want = 2
				case i >= 20 && i < 100:
					want = 0
				}
				if n := got[string(record(i).Raw)]; n != want {
					t.Errorf("record %d arrived %d times, want %d", i, n, want)
				}
			}
		})
	}
}

// TestDamagedAtTheEdge: a message that cannot be read goes to the hub as it is, and those around it arrive.
func TestDamagedAtTheEdge(t *testing.T) {
	t.Parallel()
	c, s := newHub(t, small())
	e := openEdge(t, t.TempDir(), 64<<20)
	e.take(0, 3)
	e.spoil()
	e.take(3, 6)
	e.forward(c.URL())
	e.empty()
	cons, err := s.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cons.Close()
	var told []string
	for len(told) < 3 {
		msgs, err := cons.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			told = append(told, fmt.Sprint(len(m.Batch.Records), errors.Is(m.Err, stream.ErrBatch)))
		}
	}
	if want := []string{"3 false", "0 true", "3 false"}; !slices.Equal(told, want) {
		t.Errorf("what arrived: %q, want %q", told, want)
	}
}

// TestTailOfAnEdge: who follows EVENTS sees what comes by an edge.
func TestTailOfAnEdge(t *testing.T) {
	t.Parallel()
	c, s := newHub(t, small())
	e := openEdge(t, t.TempDir(), 64<<20)
	e.forward(c.URL())
	tailed, came := make(chan error, 1), errors.New("a record came")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		tailed <- s.Tail(ctx, func(event.Record, int64) error { return came })
	}()
	for n := 0; ; n++ {
		e.take(n, n+1)
		select {
		case err := <-tailed:
			if !errors.Is(err, came) {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// BenchmarkForward is records from an edge's disk to the hub's, over loopback, that came in requests of so many.
func BenchmarkForward(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			c, s := newHub(b, small())
			e := openEdge(b, b.TempDir(), 512<<20)
			recs := make([]event.Record, size)
			for i := range recs {
				recs[i] = event.Record{Input: "in", Source: "falco", Raw: bytes.Repeat([]byte(`{"k":"v"},`), 60)}
			}
			for range b.N {
				if err := e.commit.Commit(context.Background(), recs); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			e.forward(c.URL())
			e.empty()
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
			b.StopTimer()
			if _, records := arrived(b, s); len(records) != b.N*size {
				b.Errorf("%d records arrived, of %d", len(records), b.N*size)
			}
		})
	}
}
