// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrGap says that a partition's reader missed messages: its state must be restored.
var ErrGap = errors.New("stream: messages are missing")

// inbox hands messages from a consumer's callback to a reader; its bound is the reader's backpressure.
type inbox struct {
	ch   chan jetstream.Msg
	errs chan error
	stop jetstream.ConsumeContext
	done chan struct{}
}

func open(cons jetstream.Consumer, size int, opts ...jetstream.PullConsumeOpt) (*inbox, error) {
	in := &inbox{ch: make(chan jetstream.Msg, size), errs: make(chan error, 1), done: make(chan struct{})}
	// A request that a consumer without a leader never saw is made again after two missed heartbeats, not at its end.
	opts = append(opts, jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(time.Second), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) {
			select {
			case in.errs <- err:
			default:
			}
		}
	}))
	cc, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case in.ch <- m:
		case <-in.done:
			_ = m.Nak() // as in EventsConsumer.Close
		}
	}, opts...)
	if err != nil {
		return nil, err
	}
	in.stop = cc
	return in, nil
}

// next returns what waits, at least one message and at most limit.
func (in *inbox) next(ctx context.Context, limit int) ([]jetstream.Msg, error) {
	var out []jetstream.Msg
	select {
	case m := <-in.ch:
		out = append(out, m)
	case err := <-in.errs:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(out) < limit {
		select {
		case m := <-in.ch:
			out = append(out, m)
		default:
			return out, nil
		}
	}
	return out, nil
}

func (in *inbox) close() {
	close(in.done)
	in.stop.Drain() // the callback sees what has come already
	<-in.stop.Closed()
}

// EventsConsumer reads EVENTS for matchers, who share the work.
type EventsConsumer struct {
	cons jetstream.Consumer
	in   *inbox
}

// EventsMsg is one message of EVENTS.
type EventsMsg struct {
	Seq uint64
	// Time is the stream's time of the message, Unix nanoseconds: the arrival of its Records.
	Time  int64
	Batch Batch
	// Marker is true of a message that is the clock's.
	Marker bool
	// Err says that the message is no batch.
	Err error

	msg jetstream.Msg
}

// Ack says that the message is done. Until then, or 30 s later, it comes again to somebody.
func (m *EventsMsg) Ack() error { return m.msg.Ack() }

// Nak gives the message back: it comes again at once.
func (m *EventsMsg) Nak() error { return m.msg.Nak() }

// Reclaim frees what a predecessor took of EVENTS and had not done when it died. It is for a process that knows to be
// the only one, since it holds the lock on the data directory: it need not wait for the 30 s to run out.
func (s *Streams) Reclaim(ctx context.Context) error {
	cons, err := s.events.Consumer(ctx, matchConsumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	if cons.CachedInfo().NumAckPending == 0 {
		return nil
	}
	// A change of the wait makes the server look after a tenth of a second for what has waited longer. Opening the
	// consumer sets the true wait again.
	if _, err := s.events.UpdateConsumer(ctx, matchConfig(reclaimWait)); err != nil {
		return fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	t := time.NewTimer(3 * reclaimWait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

const (
	matchConsumer = "match"
	ackWait       = 30 * time.Second
	reclaimWait   = 100 * time.Millisecond
)

func matchConfig(wait time.Duration) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: matchConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait,
		MaxDeliver: -1, MaxAckPending: 1024, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
}

// Events opens the shared durable consumer of EVENTS.
func (s *Streams) Events(ctx context.Context) (*EventsConsumer, error) {
	cons, err := s.events.CreateOrUpdateConsumer(ctx, matchConfig(ackWait))
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	in, err := open(cons, 64, jetstream.PullMaxMessages(128))
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	return &EventsConsumer{cons, in}, nil
}

// Next returns the messages that wait, at least one.
func (c *EventsConsumer) Next(ctx context.Context, limit int) ([]EventsMsg, error) {
	msgs, err := c.in.next(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]EventsMsg, 0, len(msgs))
	for _, m := range msgs {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("metadata of a message of %s: %w", eventsStream, err)
		}
		x := EventsMsg{Seq: meta.Sequence.Stream, Time: meta.Timestamp.UnixNano(), Marker: m.Subject() == markerSubject, msg: m}
		x.Batch, x.Err = DecodeBatch(m.Data())
		out = append(out, x)
	}
	return out, nil
}

// AckFloor returns the EVENTS sequence up to which everything is acknowledged.
func (c *EventsConsumer) AckFloor(ctx context.Context) (uint64, error) {
	info, err := c.cons.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	return info.AckFloor.Stream, nil
}

// Lag returns how many messages are not matched yet, markers included.
func (c *EventsConsumer) Lag(ctx context.Context) (uint64, error) {
	info, err := c.cons.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	return info.NumPending + uint64(max(info.NumAckPending, 0)), nil
}

// Close stops reading and gives back what nobody has taken from it.
func (c *EventsConsumer) Close() {
	c.in.close()
	for {
		select {
		case m := <-c.in.ch:
			_ = m.Nak() // else it comes again after the wait
		default:
			return
		}
	}
}

// PartitionReader follows the log of one partition.
type PartitionReader struct {
	in   *inbox
	last uint64 // consumer sequence: contiguous, or something is missing
}

// PartitionMsg is one message of a partition's log.
type PartitionMsg struct {
	Seq  uint64
	Time int64 // the stream's, Unix nanoseconds
	Data []byte
}

// Partition reads the log of a partition from a stream sequence on. The server keeps no state for it: where it
// stands is the reader's to know.
func (s *Streams) Partition(ctx context.Context, p int, from uint64) (*PartitionReader, error) {
	cons, err := s.matches.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: matchesSubject + strconv.Itoa(p), AckPolicy: jetstream.AckNonePolicy,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		InactiveThreshold: time.Minute, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer of partition %d: %w", p, err)
	}
	in, err := open(cons, 256, jetstream.PullMaxMessages(512))
	if err != nil {
		return nil, fmt.Errorf("consumer of partition %d: %w", p, err)
	}
	return &PartitionReader{in: in}, nil
}

// Next returns the messages that wait, at least one. ErrGap says that some were missed.
func (r *PartitionReader) Next(ctx context.Context, limit int) ([]PartitionMsg, error) {
	msgs, err := r.in.next(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]PartitionMsg, 0, len(msgs))
	for _, m := range msgs {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("metadata of a message of %s: %w", matchesStream, err)
		}
		if meta.Sequence.Consumer != r.last+1 {
			return nil, fmt.Errorf("%w: %d follows %d", ErrGap, meta.Sequence.Consumer, r.last)
		}
		r.last = meta.Sequence.Consumer
		data, err := unpack(packedFormat, m.Data())
		if err != nil {
			return nil, fmt.Errorf("message %d of %s: %w", meta.Sequence.Stream, matchesStream, err)
		}
		out = append(out, PartitionMsg{meta.Sequence.Stream, meta.Timestamp.UnixNano(), data})
	}
	return out, nil
}

// Close stops reading.
func (r *PartitionReader) Close() { r.in.close() }
