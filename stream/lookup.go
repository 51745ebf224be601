// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/event"
)

// batchCache keeps the batches that evidence asked for last: evidence of one incident tends to be in few.
type batchCache struct {
	mu    sync.Mutex
	size  int
	order []uint64
	bySeq map[uint64]Batch
}

func newBatchCache(size int) *batchCache {
	return &batchCache{size: size, bySeq: make(map[uint64]Batch, size)}
}

func (c *batchCache) get(seq uint64) (Batch, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.bySeq[seq]
	return b, ok
}

func (c *batchCache) put(seq uint64, b Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.bySeq[seq]; ok {
		return
	}
	if len(c.order) >= c.size {
		delete(c.bySeq, c.order[0])
		c.order = c.order[1:]
	}
	c.order = append(c.order, seq)
	c.bySeq[seq] = b
}

// Record returns one Record of EVENTS; ok is false if retention has dropped it.
func (s *Streams) Record(ctx context.Context, seq uint64, index uint32) (rec event.Record, ok bool, err error) {
	b, ok := s.cache.get(seq)
	if !ok {
		msg, err := s.events.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return rec, false, nil
		}
		if err != nil {
			return rec, false, fmt.Errorf("message %d of %s: %w", seq, eventsStream, err)
		}
		if b, err = DecodeBatch(msg.Data); err != nil {
			return rec, false, nil //nolint:nilerr // it was quarantined when it was matched: there is no record
		}
		s.cache.put(seq, b)
	}
	if int(index) >= len(b.Records) {
		return rec, false, nil
	}
	return b.Records[index], true, nil
}

// Tail passes every Record that comes from now on to fn, with the stream's time, until ctx ends or fn fails.
func (s *Streams) Tail(ctx context.Context, fn func(rec event.Record, at int64) error) error {
	cons, err := s.events.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects: []string{recordsSubject, edgesSubject + ">"}, AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
		InactiveThreshold: time.Minute, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	in, err := open(cons, 64, nil, jetstream.PullMaxMessages(64))
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	defer in.close()
	for {
		msgs, err := in.next(ctx, 64)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			meta, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("tail: %w", err)
			}
			b, err := DecodeBatch(m.Data())
			if err != nil {
				continue // quarantine has it
			}
			for _, r := range b.Records {
				if err := fn(r, meta.Timestamp.UnixNano()); err != nil {
					return err
				}
			}
		}
	}
}

// QuarantineList returns the newest entries of quarantine, newest first, at most n.
func (s *Streams) QuarantineList(ctx context.Context, n int) ([]QuarantineEntry, error) {
	st, err := s.js.Stream(ctx, quarantineStream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", quarantineStream, err)
	}
	var out []QuarantineEntry
	info := st.CachedInfo().State
	for seq := info.LastSeq; seq >= info.FirstSeq && seq > 0 && len(out) < n; seq-- {
		msg, err := st.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", quarantineStream, err)
		}
		var group []QuarantineEntry
		data, err := unpack(packedFormat, msg.Data)
		if err == nil {
			err = json.Unmarshal(data, &group)
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s, message %d: %w", quarantineStream, seq, err)
		}
		for i := len(group) - 1; i >= 0 && len(out) < n; i-- {
			out = append(out, group[i])
		}
	}
	return out, nil
}
