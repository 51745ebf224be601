// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
	st, err := s.EventsState(ctx)
	if err != nil {
		return err
	}
	return s.Follow(ctx, st.Last+1, func(t Taken) error {
		for _, r := range t.Records {
			if err := fn(r, t.Time); err != nil {
				return err
			}
		}
		return nil
	})
}
