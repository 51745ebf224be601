// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/stream"
)

func open(t testing.TB, dir string, cfg stream.Config) (*stream.Streams, func()) {
	t.Helper()
	e, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: dir, MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := e.Conn()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stream.Open(context.Background(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop := func() { once.Do(func() { nc.Close(); e.Close() }) }
	t.Cleanup(stop)
	return s, stop
}

func small() stream.Config {
	c := stream.DefaultConfig
	c.Events.Bytes, c.Matches.Bytes, c.Quarantine.Bytes, c.Partitions = 64<<20, 64<<20, 16<<20, 4
	return c
}

func record(i int) event.Record {
	return event.Record{Input: "in", Source: "vector", Raw: fmt.Appendf(nil, `{"n":%d}`, i), Ordinal: uint32(i % 3)}
}

// TestCommittedIsThere: every record whose Commit returned is in the stream, with its bytes, and markers are told apart.
func TestCommittedIsThere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, _ := open(t, t.TempDir(), small())
	c := stream.NewCommitter(s, 2, func() stream.Stamp { return stream.Stamp{Set: "set"} })
	const clients, each = 64, 20
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				if err := c.Commit(ctx, []event.Record{record(i*each + j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	if err := s.PublishMarker(ctx, stream.Stamp{Set: "set", Generation: 7}); err != nil {
		t.Fatal(err)
	}
	cons, err := s.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cons.Close()
	seen := make(map[string]bool)
	var marker, messages uint64
	for marker == 0 {
		msgs, err := cons.Next(ctx, 64)
		if err != nil {
			t.Fatal(err)
		}
		for i := range msgs {
			m := &msgs[i]
			messages++
			if m.Err != nil || m.Batch.Set != "set" {
				t.Fatalf("message %d: set %q, %v", m.Seq, m.Batch.Set, m.Err)
			}
			if m.Marker {
				marker = m.Seq
			}
			for j, r := range m.Batch.Records {
				seen[string(r.Raw)] = true
				got, ok, err := s.Record(ctx, m.Seq, uint32(j))
				if err != nil || !ok || !bytes.Equal(got.Raw, r.Raw) {
					t.Fatalf("record %d of message %d: %v %t", j, m.Seq, err, ok)
				}
			}
			if err := m.Ack(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(seen) != clients*each {
		t.Errorf("%d records, want %d", len(seen), clients*each)
	}
	if messages >= clients*each {
		t.Errorf("%d messages for %d records: nothing was grouped", messages, clients*each)
	}
	for {
		floor, err := s.AckFloor(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if floor >= marker {
			break
		}
	}
}

// TestRestartKeepsAll: streams, sets and the number of partitions outlive the server; an unacknowledged message comes again.
func TestRestartKeepsAll(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	s, stop := open(t, dir, small())
	identity := s.MatchesIdentity()
	if err := s.PutSet(ctx, "abc", []byte("rules")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutSet(ctx, "abc", []byte("other")); err != nil {
		t.Fatal(err) // content-addressed: the first stays
	}
	for i := range 6 {
		err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: i % 2, ID: fmt.Sprint("m", i), Data: []byte{byte(i)}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The same id is the same message.
	if err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: 0, ID: "m0", Data: []byte{0}}}); err != nil {
		t.Fatal(err)
	}
	stop()
	cfg := small()
	cfg.Partitions = 9
	s, _ = open(t, dir, cfg)
	if s.Partitions() != 4 || s.MatchesIdentity() != identity {
		t.Errorf("%d partitions, identity %s", s.Partitions(), s.MatchesIdentity())
	}
	if b, err := s.Set(ctx, "abc"); err != nil || string(b) != "rules" {
		t.Errorf("set %q, %v", b, err)
	}
	r, err := s.Partition(ctx, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []byte
	var last uint64
	for len(got) < 3 {
		msgs, err := r.Next(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			got = append(got, m.Data...)
			last = m.Seq
		}
	}
	if !bytes.Equal(got, []byte{0, 2, 4}) {
		t.Errorf("partition 0 has %v", got)
	}
	seqs, err := s.LastSeqs(ctx)
	if err != nil || seqs[0] != last || seqs[3] != 0 {
		t.Errorf("last sequences %v, %v", seqs, err)
	}
	later, err := s.Partition(ctx, 0, last)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	msgs, err := later.Next(ctx, 10)
	if err != nil || len(msgs) != 1 || msgs[0].Data[0] != 4 {
		t.Errorf("from sequence %d: %v, %v", last, msgs, err)
	}
}

// TestDataDirectoryIsLocked: two servers on one directory would destroy it.
func TestDataDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, small())
	_, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("the second opener got %v", err)
	}
}

func TestQuarantineKeepsReasons(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _ := open(t, t.TempDir(), small())
	var in []stream.Quarantined
	for i := range 3 {
		in = append(in, stream.Quarantined{Record: record(i), Reason: fmt.Sprint("r", i), Detail: "why"})
	}
	if err := s.Quarantine(ctx, in); err != nil {
		t.Fatal(err)
	}
	got, err := s.QuarantineList(ctx, 2)
	if err != nil || len(got) != 2 || got[0].Reason != "r2" || string(got[0].Raw) != `{"n":2}` || got[1].Detail != "why" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestQuarantinedAgain: what a redelivery quarantines again is there once, whatever round it comes in; what is another message, is more than
// before, or what was sent again is there beside it.
func TestQuarantinedAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := open(t, t.TempDir(), small())
	large := event.Record{Source: "app", Raw: bytes.Repeat([]byte("x"), 3<<20)} // two of them share no message
	q := func(of string, recs ...event.Record) (out []stream.Quarantined) {
		for _, rec := range recs {
			out = append(out, stream.Quarantined{Record: rec, Reason: "odd", Of: of})
		}
		return out
	}
	one, two, three, sent := q("1", record(1), record(2)), q("2", record(3)), q("3", large, large), q("", record(1))
	for i, x := range []struct {
		qs   []stream.Quarantined
		want int // entries in all
	}{
		{slices.Concat(one, two), 3}, {one, 3}, {slices.Concat(two, one), 3}, {three, 5}, {three, 5}, {q("4", record(1), record(2)), 7},
		{q("1", record(1), record(2), record(3)), 10}, {sent, 11}, {sent, 12},
	} {
		if err := s.Quarantine(ctx, x.qs); err != nil {
			t.Fatal(err)
		}
		if got, err := s.QuarantineList(ctx, 100); err != nil || len(got) != x.want {
			t.Errorf("after %d there are %d entries, want %d: %v", i, len(got), x.want, err)
		}
	}
}

func TestBatchRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		recs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) event.Record {
			return event.Record{
				Input: rapid.String().Draw(t, "input"), Source: rapid.String().Draw(t, "source"),
				Raw: rapid.SliceOf(rapid.Byte()).Draw(t, "raw"), Ordinal: rapid.Uint32().Draw(t, "ordinal"),
				Taken: rapid.SampledFrom([]int64{0, 1, 1787307330123456789}).Draw(t, "taken"),
			}
		})).Draw(t, "records")
		b := stream.EncodeBatch(stream.Stamp{Set: "hash", Generation: 9}, recs)
		got, err := stream.DecodeBatch(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) != len(got.Records) || len(recs) > 0 && !cmp.Equal(recs, got.Records, cmp.Comparer(bytes.Equal)) {
			t.Fatalf("%v became %v", recs, got.Records)
		}
		// A bit that flips on the disk is found.
		i := rapid.IntRange(0, len(b)-1).Draw(t, "byte")
		b[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if broken, err := stream.DecodeBatch(b); err == nil && !cmp.Equal(got, broken) {
			t.Fatalf("damage at byte %d was not found", i)
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(stream.EncodeBatch(stream.Stamp{Set: "s"}, []event.Record{record(1), record(2)}))
	f.Add([]byte{1, 0, 0, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = stream.DecodeBatch(b) // it must not panic
	})
}

// BenchmarkCommit is records to fsynced, with so many clients of so many records a request.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []struct{ clients, records int }{{1, 1}, {256, 1}, {64, 50}} {
		b.Run(fmt.Sprintf("clients=%d/records=%d", size.clients, size.records), func(b *testing.B) {
			cfg := small()
			cfg.Events.Bytes = 512 << 20
			s, _ := open(b, b.TempDir(), cfg)
			c := stream.NewCommitter(s, 2, func() stream.Stamp { return stream.Stamp{Set: "set"} })
			defer c.Close()
			recs := make([]event.Record, size.records)
			for i := range recs {
				recs[i] = event.Record{Input: "in", Source: "vector", Raw: bytes.Repeat([]byte(`{"k":"v"},`), 60)}
			}
			b.SetParallelism(max(1, size.clients/2))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.Commit(context.Background(), recs); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*size.records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
