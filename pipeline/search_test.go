// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/stream"
)

// kept is a log in memory: its messages are at the sequences from 10 on.
type kept struct {
	msgs []stream.Taken
	wait chan struct{} // closed when reading may go on
	read chan struct{}
	each time.Duration // that reading a message takes
}

func (k *kept) Span(_ context.Context, since, until int64) (stream.Span, error) {
	out := stream.Span{First: 10, Last: 9 + uint64(len(k.msgs))}
	for _, m := range k.msgs {
		if since != 0 && m.Time < since {
			out.First = m.Seq + 1
		}
	}
	for _, m := range slices.Backward(k.msgs) {
		if until != 0 && m.Time >= until {
			out.Last = m.Seq - 1
		}
	}
	return out, nil
}

func (k *kept) ReadEvents(_ context.Context, span stream.Span, fn func(stream.Taken) error) error {
	if k.wait != nil {
		select {
		case k.read <- struct{}{}:
			<-k.wait
		case <-k.wait:
		}
	}
	for _, m := range k.msgs {
		if m.Seq >= span.First && m.Seq <= span.Last {
			time.Sleep(k.each)
			if err := fn(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// logOf makes a log of messages with so many records each, numbered from 0; size is a record's in bytes.
func logOf(sizes []int, size int) *kept {
	k, n := &kept{}, 0
	for i, records := range sizes {
		m := stream.Taken{Seq: 10 + uint64(i), Time: int64(1000 + i)}
		for range records {
			raw := fmt.Appendf(nil, `{"n":%d,"odd":%t,"k8s.namespace.name":"ns%d","pad":"%s"}`, n, n%2 == 1, n%3, strings.Repeat("x", size))
			m.Records = append(m.Records, event.Record{Input: "in", Source: fmt.Sprintf("src%d", n%5), Raw: raw})
			n++
		}
		k.msgs = append(k.msgs, m)
	}
	return k
}

// TestSearchFindsEachOnce: page after page, the events that are looked for come once each, the newest first, whatever the
// messages and the limit are.
func TestSearchFindsEachOnce(t *testing.T) {
	t.Parallel()
	odd, err := rules.CompileWhere("raw.odd")
	if err == nil {
		t.Fatal("a field is no condition")
	}
	if odd, err = rules.CompileWhere("raw.odd == true"); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 60).Draw(t, "records of each message")
		k := logOf(sizes, 0)
		q := pipeline.Query{Limit: rapid.IntRange(1, 20).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "odd ones") {
			q.Where = odd
		}
		if rapid.Bool().Draw(t, "one source") {
			q.Source = "src2"
		}
		if rapid.Bool().Draw(t, "a scope") {
			q.Scope = incident.Scope{{Cluster: incident.Any, Namespace: "ns1"}}
		}
		if rapid.Bool().Draw(t, "since") {
			q.Since = int64(rapid.IntRange(990, 1070).Draw(t, "time"))
		}
		if rapid.Bool().Draw(t, "until") {
			q.Until = int64(rapid.IntRange(990, 1070).Draw(t, "time"))
		}
		var want []int
		n := 0
		for i, records := range sizes {
			for range records {
				at := int64(1000 + i)
				if (q.Where == nil || n%2 == 1) && (q.Source == "" || n%5 == 2) && (q.Scope == nil || n%3 == 1) &&
					at >= q.Since && (q.Until == 0 || at < q.Until) {
					want = append(want, n)
				}
				n++
			}
		}
		slices.Reverse(want)
		s := pipeline.NewSearcher(k, ingest.NewParser(ingest.ParserConfig{}))
		var got []int
		for pages := 0; ; pages++ {
			page, err := s.Search(context.Background(), q)
			if err != nil || len(page.Found) > q.Limit || pages > len(want)+1 {
				t.Fatalf("page %d: %d found, %v", pages, len(page.Found), err)
			}
			for _, f := range page.Found {
				n, _ := f.Event.Object().Get("n").Int64()
				got = append(got, int(n))
			}
			if page.Next == nil {
				break
			}
			q.Before = page.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("found %v, want %v", got, want)
		}
	})
}

// TestSearchOfWhatIsSlow: what takes long is read in small parts, so that no page takes long, each comes further, and nothing comes
// twice.
func TestSearchOfWhatIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := logOf(slices.Repeat([]int{2}, 40), 0)
		k.each = 400 * time.Millisecond
		s := pipeline.NewSearcher(k, ingest.NewParser(ingest.ParserConfig{}))
		q, searched := pipeline.Query{Limit: 500}, int64(0)
		var got []uint64
		for {
			begun := time.Now()
			page, err := s.Search(t.Context(), q)
			if took := time.Since(begun); err != nil || took > 8*time.Second {
				t.Fatalf("a page takes %s, %v", took, err)
			}
			for _, f := range page.Found {
				got = append(got, 2*f.Seq+uint64(f.Index))
			}
			if searched += page.Searched; page.Next == nil {
				break
			}
			q.Before = page.Next
		}
		if slices.Reverse(got); len(got) != 80 || searched != 80 || !slices.IsSorted(got) || len(slices.Compact(got)) != 80 {
			t.Errorf("%d searched, found %v", searched, got)
		}
	})
}

// TestSearchIsBounded: a page has no more bytes than it may, and no more searches are under way than may be.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	k := logOf(slices.Repeat([]int{5}, 4), 1<<20-200)
	s := pipeline.NewSearcher(k, ingest.NewParser(ingest.ParserConfig{}))
	q, total := pipeline.Query{Limit: 500}, 0
	for {
		page, err := s.Search(t.Context(), q)
		if err != nil || len(page.Found) == 0 || len(page.Found) > 5 {
			t.Fatalf("a page of megabytes has %d events, %v", len(page.Found), err)
		}
		if total += len(page.Found); page.Next == nil || total == 20 {
			break
		}
		q.Before = page.Next
	}
	if total != 20 {
		t.Errorf("%d events, want 20", total)
	}

	k.wait, k.read = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	for range 4 {
		go func() {
			_, err := s.Search(t.Context(), pipeline.Query{Limit: 1})
			done <- err
		}()
	}
	for range 4 {
		<-k.read
	}
	if _, err := s.Search(t.Context(), q); !errors.Is(err, pipeline.ErrBusy) {
		t.Errorf("a fifth search: %v", err)
	}
	close(k.wait)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Search(t.Context(), pipeline.Query{Limit: 1}); err != nil {
		t.Errorf("after them: %v", err)
	}
}
