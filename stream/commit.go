// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nuid"

	"tocsin/event"
)

// A message has at the most so many Records and bytes of them.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 512 << 10
)

// Committer commits in groups: each of a few lanes takes whatever requests wait, publishes them as one
// message and answers all. JetStream with fsync always does one fsync for each message; a thousand senders of one
// event each then cost a few fsyncs and not a thousand.
type Committer struct {
	to    Intake
	stamp func() Stamp
	queue chan *request
	wg    sync.WaitGroup
	stop  chan struct{}
}

// request is one sender's records, or a part of them, waiting to be on disk.
type request struct {
	records []event.Record
	bytes   int
	done    chan error
	settled atomic.Bool // a lane has it, or its sender has given it up
}

// claim reports whether the caller is the one who settles the request.
func (r *request) claim() bool { return r.settled.CompareAndSwap(false, true) }

// wait returns the lane's answer. A sender that goes away takes back what no lane has yet, so that it costs no memory more;
// what a lane has is answered soon.
func (r *request) wait(ctx context.Context) error {
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if !r.claim() {
		return <-r.done
	}
	r.records = nil
	return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
}

// NewCommitter starts lanes; stamp gives the current rule Set. Close ends them.
func NewCommitter(to Intake, lanes int, stamp func() Stamp) *Committer {
	c := &Committer{to: to, stamp: stamp, queue: make(chan *request, 4096), stop: make(chan struct{})}
	for range lanes {
		c.wg.Go(c.lane)
	}
	return c
}

// Commit returns when all records are on disk. If it returns an error some of them may be: who sends them again
// sends the same Events.
func (c *Committer) Commit(ctx context.Context, recs []event.Record) error {
	var parts []*request
	part := &request{done: make(chan error, 1)}
	for _, r := range recs {
		if len(part.records) > 0 && (len(part.records) >= maxBatchRecords || part.bytes+len(r.Raw) > maxBatchBytes) {
			parts = append(parts, part)
			part = &request{done: make(chan error, 1)}
		}
		part.records = append(part.records, r)
		part.bytes += len(r.Raw)
	}
	parts = append(parts, part)
	var err error
	queued := 0
	for _, p := range parts {
		select {
		case c.queue <- p:
			queued++
			continue
		case <-c.stop:
			err = fmt.Errorf("%w: shutting down", ErrUnavailable)
		case <-ctx.Done():
			err = fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		break
	}
	for _, p := range parts[:queued] { // all are waited for: their bytes are the caller's to account for
		if e := p.wait(ctx); e != nil {
			err = e
		}
	}
	return err
}

// lane publishes one message after the other.
func (c *Committer) lane() {
	var held *request // taken from the queue and too large for the last message
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-c.queue:
			case <-c.stop:
				select {
				case first = <-c.queue: // accepted before the end
				default:
					return
				}
			}
			if !first.claim() {
				continue
			}
		}
		group := []*request{first}
		n, size := len(first.records), first.bytes
	more:
		for {
			select {
			case r := <-c.queue:
				if !r.claim() {
					continue
				}
				if n+len(r.records) > maxBatchRecords || size+r.bytes > maxBatchBytes {
					held = r
					break more
				}
				group = append(group, r)
				n, size = n+len(r.records), size+r.bytes
			default:
				break more
			}
		}
		records := make([]event.Record, 0, n)
		for _, r := range group {
			records = append(records, r.records...)
		}
		// The sender's context is not used: others wait for the same message.
		err := c.to.publish(context.Background(), recordsSubject, nuid.Next(), EncodeBatch(c.stamp(), records))
		for _, r := range group {
			r.done <- err
		}
	}
}

// Close ends the lanes after what was accepted is on disk.
func (c *Committer) Close() {
	close(c.stop)
	c.wg.Wait()
}
