// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrUnknownPlace says that EVENTS has not come as far as somebody says to have read: it was made anew, or is another.
var ErrUnknownPlace = errors.New("stream: it has not come that far")

// behind is how old a message is whose reader is so late that retention may have dropped some before it.
const behind = 30 * time.Second

// Follow passes the messages of EVENTS that have Records to fn, from the sequence from on, until ctx ends or fn fails. Nothing
// is left out in silence: a message says how many before it retention has dropped. A slow fn costs no memory, since its
// messages wait in the stream.
func (s *Streams) Follow(ctx context.Context, from uint64, fn func(Taken) error) error {
	st, err := s.EventsState(ctx)
	if err != nil {
		return err
	}
	if from > st.Last+1 {
		return fmt.Errorf("%w: %d, and its last is %d", ErrUnknownPlace, from, st.Last)
	}
	f := &following{streams: s, next: max(from, 1), fn: fn}
	if err := f.dropped(st); err != nil {
		return err
	}
	for {
		err := f.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// A consumer that is no more, or did not get everything, is followed by another from where it was.
		if !errors.Is(err, ErrGap) {
			return err
		}
	}
}

// following is one reader on its way.
type following struct {
	streams *Streams
	next    uint64 // the sequence that is read next
	fn      func(Taken) error
}

// dropped tells of what is gone before it was read.
func (f *following) dropped(st State) error {
	if st.First <= f.next {
		return nil
	}
	lost := st.First - f.next
	f.next = st.First
	return f.fn(Taken{Seq: st.First - 1, Lost: lost})
}

func (f *following) run(ctx context.Context) error {
	r, err := read(ctx, f.streams.events, jetstream.ConsumerConfig{
		FilterSubjects: withRecords(), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.next,
	}, 4, 8)
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	defer r.Close()
	for {
		msgs, err := r.wait(ctx, 4)
		if err != nil {
			return fmt.Errorf("%w: consumer of %s: %w", ErrGap, eventsStream, err)
		}
		for _, m := range msgs {
			meta, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("metadata of a message of %s: %w", eventsStream, err)
			}
			if err := r.follows(meta); err != nil {
				return err
			}
			if err := f.take(ctx, m, meta); err != nil {
				return err
			}
		}
	}
}

func (f *following) take(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata) error {
	seq := meta.Sequence.Stream
	// Markers leave holes between sequences. Of one that has waited long a hole may be what was dropped.
	if seq > f.next && time.Since(meta.Timestamp) > behind {
		st, err := f.streams.EventsState(ctx)
		if err != nil {
			return err
		}
		st.First = min(st.First, seq)
		if err := f.dropped(st); err != nil {
			return err
		}
	}
	f.next = seq + 1
	b, err := DecodeBatch(m.Data())
	if err != nil {
		return nil //nolint:nilerr // quarantine has it
	}
	return f.fn(Taken{Seq: seq, Time: meta.Timestamp.UnixNano(), Records: b.Records})
}
