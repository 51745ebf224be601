// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// EventsConsumer reads EVENTS for matchers, who share the work. As long as it has a message it says so: one that is held by
// somebody who died comes again soon, one that has to wait for its turn does not.
type EventsConsumer struct {
	streams *Streams
	in      *inbox // of the one who calls Next

	mu     sync.Mutex
	held   map[uint64]jetstream.Msg // by sequence: come, and neither acknowledged nor given back
	end    chan struct{}
	beaten chan struct{}
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

	Receipt
}

// Receipt settles a message that has come.
type Receipt interface {
	// Ack says that the message is done. Until then it comes again to somebody, once nobody has it.
	Ack() error
	// Nak gives the message back: it comes again at once.
	Nak() error
}

// receipt is of a message that a consumer has.
type receipt struct {
	from *EventsConsumer
	seq  uint64
	msg  jetstream.Msg
}

func (r receipt) Ack() error {
	r.from.letGo(r.seq)
	return r.msg.Ack()
}

func (r receipt) Nak() error {
	r.from.letGo(r.seq)
	return r.msg.Nak()
}

// Reclaim frees what a predecessor took of EVENTS and had not done when it died. It is for a process that knows to be
// the only one, since it holds the lock on the data directory: it need not wait for the time to run out.
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
	ackWait       = 3 * time.Second
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
	c := &EventsConsumer{streams: s, held: make(map[uint64]jetstream.Msg), end: make(chan struct{}), beaten: make(chan struct{})}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	go c.beat()
	return c, nil
}

// open opens the consumer, and makes it if there is none. One that is new begins at the beginning: what was matched before
// is known to who reads the matches.
func (c *EventsConsumer) open(ctx context.Context) error {
	cons, err := c.streams.events.CreateOrUpdateConsumer(ctx, matchConfig(ackWait))
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	c.mu.Lock()
	clear(c.held)
	c.mu.Unlock()
	// What the client has taken and not handed over yet nobody holds: it is little.
	in, err := open(cons, 32, c.hold, jetstream.PullMaxMessages(32))
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	c.in = in
	return nil
}

// hold notes that a message has come.
func (c *EventsConsumer) hold(m jetstream.Msg) {
	if meta, err := m.Metadata(); err == nil {
		c.mu.Lock()
		c.held[meta.Sequence.Stream] = m
		c.mu.Unlock()
	}
}

func (c *EventsConsumer) letGo(seq uint64) {
	c.mu.Lock()
	delete(c.held, seq)
	c.mu.Unlock()
}

// beat says of what is held that it is.
func (c *EventsConsumer) beat() {
	defer close(c.beaten)
	t := time.NewTicker(ackWait / 4)
	defer t.Stop()
	for {
		select {
		case <-c.end:
			return
		case <-t.C:
		}
		c.mu.Lock()
		for _, m := range c.held {
			_ = m.InProgress() // else it comes again, which costs work and changes nothing
		}
		c.mu.Unlock()
	}
}

// Next returns the messages that wait, at least one. After an error it can be called again: a consumer that is no more, since
// somebody deleted it or a server lost it, is then another.
func (c *EventsConsumer) Next(ctx context.Context, limit int) ([]EventsMsg, error) {
	if c.in == nil {
		if err := c.open(ctx); err != nil {
			return nil, err
		}
	}
	msgs, err := c.in.next(ctx, limit)
	if err != nil {
		if ctx.Err() == nil {
			c.in.close()
			c.in = nil
		}
		return nil, fmt.Errorf("consumer of %s: %w", eventsStream, err)
	}
	out := make([]EventsMsg, 0, len(msgs))
	for _, m := range msgs {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("metadata of a message of %s: %w", eventsStream, err)
		}
		seq := meta.Sequence.Stream
		x := EventsMsg{Seq: seq, Time: meta.Timestamp.UnixNano(), Marker: m.Subject() == markerSubject, Receipt: receipt{c, seq, m}}
		x.Batch, x.Err = DecodeBatch(m.Data())
		out = append(out, x)
	}
	return out, nil
}

// Close stops reading and gives back what nobody has taken from it.
func (c *EventsConsumer) Close() {
	close(c.end)
	<-c.beaten
	if c.in == nil {
		return
	}
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
