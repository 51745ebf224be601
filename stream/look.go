// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
)

// Span is a part of EVENTS: the messages from First to Last. It is empty if First is after Last.
type Span struct{ First, Last uint64 }

// Taken is one message of EVENTS with Records, for who looks at them and acknowledges nothing.
type Taken struct {
	Seq uint64
	// Time is the stream's, Unix nanoseconds: the arrival of its Records.
	Time    int64
	Records []event.Record
	// Lost counts the messages before this one that were asked for and that retention has dropped. A message that says so may
	// have no Records.
	Lost uint64
}

// Span returns the messages of EVENTS that are kept and arrived at since or later and before until, in Unix nanoseconds; 0 is
// no bound.
func (s *Streams) Span(ctx context.Context, since, until int64) (Span, error) {
	info, err := s.events.Info(ctx)
	if err != nil {
		return Span{}, fmt.Errorf("stream %s: %w", eventsStream, err)
	}
	st := info.State
	out := Span{max(st.FirstSeq, 1), st.LastSeq}
	at := func(ns int64) (uint64, error) {
		seq, err := firstSince(ctx, s.events, st, time.Unix(0, ns))
		if err != nil {
			return 0, fmt.Errorf("stream %s: %w", eventsStream, err)
		}
		return max(seq, 1), nil
	}
	if since != 0 {
		if out.First, err = at(since); err != nil {
			return Span{}, err
		}
	}
	if until != 0 {
		after, err := at(until)
		if err != nil {
			return Span{}, err
		}
		out.Last = after - 1
	}
	return out, nil
}

// withRecords are the subjects of messages that are no marker.
func withRecords() []string { return []string{recordsSubject, edgesSubject + ">"} }

// ReadEvents passes the messages of a span that have Records to fn, in their order. Those that are damaged are left out:
// quarantine has them. What retention drops meanwhile does not come.
func (s *Streams) ReadEvents(ctx context.Context, span Span, fn func(Taken) error) error {
	for from := span.First; from <= span.Last; {
		next, err := s.readFrom(ctx, from, span.Last, fn)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrGap) {
			return err
		}
		from = next // by another consumer, which gets what this one did not
	}
	return nil
}

// readFrom returns what is to be read next after an error.
func (s *Streams) readFrom(ctx context.Context, from, last uint64, fn func(Taken) error) (uint64, error) {
	r, err := read(ctx, s.events, jetstream.ConsumerConfig{
		FilterSubjects: withRecords(), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	}, 64, 128)
	if err != nil {
		return from, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	defer r.Close()
	if r.cons.CachedInfo().NumPending == 0 {
		return 0, nil
	}
	for {
		msgs, err := r.wait(ctx, 64)
		if err != nil {
			return from, fmt.Errorf("%w: consumer of %s: %w", ErrGap, eventsStream, err)
		}
		for _, m := range msgs {
			meta, err := m.Metadata()
			if err != nil {
				return from, fmt.Errorf("metadata of a message of %s: %w", eventsStream, err)
			}
			if err := r.follows(meta); err != nil {
				return from, err
			}
			seq := meta.Sequence.Stream
			if seq > last {
				return 0, nil
			}
			if b, err := DecodeBatch(m.Data()); err == nil {
				if err := fn(Taken{Seq: seq, Time: meta.Timestamp.UnixNano(), Records: b.Records}); err != nil {
					return from, err
				}
			}
			if from = seq + 1; from > last || meta.NumPending == 0 {
				return 0, nil
			}
		}
	}
}
