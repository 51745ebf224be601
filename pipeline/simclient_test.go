// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"fmt"
	"math"

	"tocsin/event"
	"tocsin/stream"
)

// client is how one process sees the streams, or the store.
type client struct {
	p  *process
	to service
}

func (c client) ask(ctx context.Context, q *request) error {
	q.to = c.to
	return c.p.ask(ctx, q)
}

// asks sends a request whose answer is a value.
func asks[T any](ctx context.Context, c client, q *request, do func(alone bool) (T, error)) (T, error) {
	out := new(T)
	q.do = func(alone bool) (err error) {
		*out, err = do(alone)
		return err
	}
	if err := c.ask(ctx, q); err != nil {
		var none T // what is done later is not looked at
		return none, err
	}
	return *out, nil
}

func (c client) server() *streamServer { return c.p.w.streams }

// Partitions is known from the start.
func (c client) Partitions() int { return c.server().partitions }

// MatchesIdentity is known from the start.
func (client) MatchesIdentity() string { return "MATCHES" }

func (c client) MatchesLast(ctx context.Context) (uint64, error) {
	return asks(ctx, c, &request{label: "asks for the last match", kind: aRead}, func(bool) (uint64, error) { return c.server().last(), nil })
}

func (c client) LastSeqs(ctx context.Context) ([]uint64, error) {
	return asks(ctx, c, &request{label: "asks for the last matches", kind: aRead}, func(bool) ([]uint64, error) { return c.server().lasts(), nil })
}

func (c client) AckFloor(ctx context.Context) (uint64, error) {
	return asks(ctx, c, &request{label: "asks for the floor", kind: aRead}, func(bool) (uint64, error) { return c.server().floor(), nil })
}

func (c client) Record(ctx context.Context, seq uint64, index uint32) (event.Record, bool, error) {
	ok := false
	rec, err := asks(ctx, c, &request{label: fmt.Sprintf("reads record %d/%d", seq, index), kind: aRead}, func(bool) (rec event.Record, err error) {
		rec, ok = c.server().record(seq, index)
		return rec, nil
	})
	return rec, ok && err == nil, err
}

func (c client) PublishMatches(ctx context.Context, msgs []stream.MatchMsg) error {
	if len(msgs) == 0 {
		return nil
	}
	label := "publishes"
	for _, m := range msgs {
		label += " " + m.ID
	}
	return c.ask(ctx, &request{
		label: label, kind: aWrite, many: func() bool { return len(msgs) > 1 },
		do: func(alone bool) error {
			if alone {
				msgs = msgs[:1]
			}
			c.server().publish(msgs)
			return nil
		},
	})
}

// PublishMarker is not asked for: the script has the markers.
func (client) PublishMarker(context.Context, stream.Stamp) error { return errAway }

// Quarantine is not asked for: all records can be read.
func (client) Quarantine(context.Context, []stream.Quarantined) error { return errAway }

// Next waits for messages of EVENTS.
func (c client) Next(ctx context.Context, limit int) ([]stream.EventsMsg, error) {
	s := c.server()
	return asks(ctx, c, &request{
		label: "takes events", kind: aTake, ready: func() bool { return s.waiting() > 0 }, many: func() bool { return s.waiting() > 1 },
	}, func(alone bool) ([]stream.EventsMsg, error) {
		if alone {
			limit = 1
		}
		return s.take(c.p, limit), nil
	})
}

// Partition opens a reader.
func (c client) Partition(ctx context.Context, p int, from uint64) (stream.PartitionReader, error) {
	return asks(ctx, c, &request{label: fmt.Sprintf("opens log %d from %d", p, from), kind: aRead}, func(bool) (stream.PartitionReader, error) {
		return &reader{c, p, from}, nil
	})
}

// reader follows a partition's log.
type reader struct {
	c         client
	partition int
	from      uint64
}

// Next waits for messages.
func (r *reader) Next(ctx context.Context, limit int) ([]stream.PartitionMsg, error) {
	there := func(limit int) []stream.PartitionMsg { return r.c.server().read(r.partition, r.from, limit) }
	out, err := asks(ctx, r.c, &request{
		label: fmt.Sprintf("reads log %d from %d", r.partition, r.from), kind: aWait,
		ready: func() bool { return len(there(1)) > 0 }, many: func() bool { return len(there(2)) > 1 },
	}, func(alone bool) ([]stream.PartitionMsg, error) {
		if alone || r.c.p.w.scenario.piecemeal {
			limit = 1
		}
		return there(limit), nil
	})
	if len(out) > 0 {
		r.from = out[len(out)-1].Seq + 1
	}
	return out, err
}

// Close has nothing to let go of.
func (*reader) Close() {}

// TrimEvents keeps all: evidence is to be compared.
func (client) TrimEvents(context.Context, stream.Decided) error { return nil }

// TrimMatches removes all that is decided, as if the log were always full.
func (c client) TrimMatches(ctx context.Context, decided stream.Decided) error {
	upTo, err := decided(ctx)
	if err != nil || upTo == math.MaxUint64 {
		return err
	}
	return c.ask(ctx, &request{label: fmt.Sprintf("trims up to %d", upTo), kind: aWrite, do: func(bool) error {
		s := c.server()
		s.first = max(s.first, min(upTo, s.last())+1)
		return nil
	}})
}
