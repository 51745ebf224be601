// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules"
	"tocsin/stream"
)

// MatcherConfig is what a match worker needs.
type MatcherConfig struct {
	Streams  matchStreams
	Consumer eventsConsumer
	Parser   Parser
	Sets     *Sets
	Metrics  *MatchMetrics
	// Seen is told of each record.
	Seen *Sources
	Log  *slog.Logger
	// Published is called between a round's publication and its acknowledgement. Nil but in tests.
	Published func()
}

// Matcher reads batches of Records, finds their Matches and publishes them to the
// partitions. It is stateless: any number of them share the work, and one that dies
// leaves what it had not acknowledged to others.
type Matcher struct {
	MatcherConfig

	work    sync.Pool // of *workspace
	mu      sync.Mutex
	markers []correlate.Tick // markers seen, waiting for the ack floor
	bugs    map[string]bool  // places in the code whose panics have been told of
}

// workspace is the memory in which one record after the other is read and matched.
type workspace struct {
	event event.Event
	found rules.Result
}

// NewMatcher returns a match worker.
func NewMatcher(c MatcherConfig) *Matcher { return &Matcher{MatcherConfig: c} }

// maxRound is how many messages one round takes at the most.
const maxRound = 64

// Run matches until ctx ends. A round that fails is followed by a smaller one: MATCHES may have room for a part of what it found.
func (m *Matcher) Run(ctx context.Context) error {
	for size := maxRound; ctx.Err() == nil; {
		msgs, err := m.Consumer.Next(ctx, size)
		if err == nil {
			err = m.round(ctx, msgs)
		}
		if err == nil {
			size = min(2*size, maxRound)
			continue
		}
		size = max(size/2, 1)
		if ctx.Err() == nil {
			m.Log.Error("match", "err", err)
			pause(ctx, time.Second)
		}
		for i := range msgs {
			_ = msgs[i].Nak() // else it comes again after the wait
		}
	}
	return nil
}

// round takes what waits: it publishes the matches, for most partitions as one message, then acknowledges.
func (m *Matcher) round(ctx context.Context, msgs []stream.EventsMsg) error {
	sets := make([]*rules.Set, len(msgs)) // nil: there is nothing to match
	for i := range msgs {
		if msgs[i].Err != nil || msgs[i].Marker {
			continue
		}
		var err error
		if sets[i], err = m.Sets.Get(ctx, msgs[i].Batch.Set); err != nil {
			return err
		}
	}
	// All cores match; what they found is put together in the log's order.
	found := make([]matched, len(msgs))
	var cores errgroup.Group
	cores.SetLimit(runtime.GOMAXPROCS(0))
	for i, set := range sets {
		if set != nil {
			cores.Go(func() error { found[i] = m.batch(set, &msgs[i]); return nil })
		}
	}
	_ = cores.Wait() // none fails
	byPartition := make([][]correlate.Entry, m.Streams.Partitions())
	var bad []stream.Quarantined
	var seqs []string
	for i := range msgs {
		seqs = append(seqs, strconv.FormatUint(msgs[i].Seq, 36))
		if err := msgs[i].Err; err != nil {
			found[i].bad = []stream.Quarantined{{Reason: "undecodable_batch", Detail: err.Error()}}
		}
		for _, q := range found[i].bad {
			q.Of = seqs[i]
			bad = append(bad, q)
		}
		for p, entries := range found[i].entries {
			byPartition[p] = append(byPartition[p], entries...)
		}
	}
	if len(bad) > 0 {
		if err := m.Streams.Quarantine(ctx, bad); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	id := strings.Join(seqs, ".")
	var out []stream.MatchMsg
	for p, entries := range byPartition {
		for i, data := range messages(entries) {
			out = append(out, stream.MatchMsg{Partition: p, ID: fmt.Sprintf("m/%d/%s/%d", p, id, i), Data: data})
		}
	}
	if err := m.Streams.PublishMatches(ctx, out); err != nil {
		return fmt.Errorf("publish matches: %w", err)
	}
	if m.Published != nil {
		m.Published()
	}
	for i := range msgs {
		if err := msgs[i].Ack(); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
	m.remember(msgs)
	return nil
}

// matched is what a batch gives: entries by partition, and what could not be read.
type matched struct {
	entries [][]correlate.Entry
	bad     []stream.Quarantined
}

// batch matches one batch.
func (m *Matcher) batch(set *rules.Set, msg *stream.EventsMsg) matched {
	byPartition := make([][]correlate.Entry, m.Streams.Partitions())
	var bad []stream.Quarantined
	w, _ := m.work.Get().(*workspace)
	if w == nil {
		w = new(workspace)
	}
	defer m.work.Put(w)
	e, res := &w.event, &w.found
	tallies := make(map[string]*rules.Tally)
	matches := make([][]rules.Match, len(byPartition))
	for i, rec := range msg.Batch.Records {
		if err := m.Parser.ParseInto(e, rec, msg.Time); err != nil {
			reason, why := "malformed", err
			if mal, ok := errors.AsType[*ingest.Malformed](err); ok {
				reason, why = mal.Reason, mal.Err
			}
			if bug, ok := errors.AsType[*event.Panic](err); ok {
				m.tell("parse", bug, rec, "")
			}
			bad = append(bad, stream.Quarantined{Record: rec, Reason: reason, Detail: why.Error()})
			m.Metrics.Parsed.WithLabelValues(rec.Source, "quarantined").Inc()
			m.Seen.Rejected(rec, msg.Time, err)
			continue
		}
		m.Metrics.Parsed.WithLabelValues(rec.Source, "parsed").Inc()
		if e.BadTime.Exists() {
			m.Metrics.Untimed.WithLabelValues(rec.Source).Inc()
		}
		m.Seen.saw(e)
		res.Reset()
		set.Match(e, res)
		bad = append(bad, m.leftOut(res.Bugs, rec)...)
		for j := range res.Matches {
			x := res.Matches[j]
			if n := sizeOf(&x); n > maxMatchBytes {
				detail := fmt.Sprintf("what rule %s needs of it is %d bytes, more than %d: it takes no part in the rule", ruleNamed(set, x.Rule), n, maxMatchBytes)
				bad = append(bad, stream.Quarantined{Record: rec, Reason: "match_too_large", Detail: detail})
				continue
			}
			x.Event.Seq, x.Event.Index = msg.Seq, uint32(i)
			p := partitionOf(set, x, len(byPartition))
			matches[p] = append(matches[p], x)
		}
		for _, c := range res.Counts {
			t := tallies[c.Rule]
			if t == nil {
				t = &rules.Tally{Rule: c.Rule}
				tallies[c.Rule] = t
			}
			t.Unkeyed += c.Unkeyed
			t.Excepted += c.Excepted
		}
	}
	counts := make([][]rules.Tally, len(byPartition))
	for _, r := range set.Rules { // in the Set's order, so that a redelivery encodes alike
		if t := tallies[r.ID]; t != nil {
			p := hashTo(len(byPartition), r.ID)
			counts[p] = append(counts[p], *t)
		}
	}
	for p := range byPartition {
		for part := 0; len(matches[p]) > 0 || len(counts[p]) > 0; part++ {
			n := fitting(matches[p])
			byPartition[p] = append(byPartition[p], correlate.Entry{Matches: &correlate.Matches{
				Set: msg.Batch.Set, Generation: msg.Batch.Generation, Seq: msg.Seq, Part: uint64(part),
				Matches: matches[p][:n], Counts: counts[p],
			}})
			matches[p], counts[p] = matches[p][n:], nil
		}
	}
	return matched{byPartition, bad}
}

// partitionOf places a match by its rule and grouping key.
func partitionOf(set *rules.Set, m rules.Match, partitions int) int {
	return hashTo(partitions, ruleNamed(set, m.Rule), string(m.Group))
}

// ruleNamed returns the ID of the rule with a revision.
func ruleNamed(set *rules.Set, revision string) string {
	if r := set.ByRevision(revision); r != nil {
		return r.ID
	}
	return revision
}

func hashTo(n int, parts ...string) int {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return int(h.Sum64() % uint64(n))
}

// pause waits; it reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

var _ Parser = (*ingest.Parser)(nil)
