// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrGap says that a reader missed messages: what it has made of those before them must be restored, or read again.
var ErrGap = errors.New("stream: messages are missing")

// readAhead is how many bytes of a log are under way or wait in the client: the largest message, with what it travels
// in. Less, and that one would never come.
const readAhead = maxPayload + 64<<10

// reader follows a part of a stream in order. The server keeps no state for it: where it stands is the reader's to know.
type reader struct {
	stream jetstream.Stream
	cons   jetstream.Consumer
	in     *inbox
	last   uint64 // consumer sequence: contiguous, or something is missing
	sent   uint64 // the consumer sequence that the server said it had sent, when it was asked last
}

// read opens a reader of what cfg selects. waiting is how many messages wait for who reads, ahead how many are asked for.
func read(ctx context.Context, st jetstream.Stream, cfg jetstream.ConsumerConfig, waiting, ahead int) (*reader, error) {
	cfg.AckPolicy, cfg.InactiveThreshold, cfg.MemoryStorage, cfg.Replicas = jetstream.AckNonePolicy, time.Minute, true, 1
	cons, err := st.CreateConsumer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r := &reader{stream: st, cons: cons}
	if r.in, err = open(cons, waiting, nil, jetstream.PullMaxMessagesWithBytesLimit(ahead, readAhead)); err != nil {
		forget(st, cons)
		return nil, err
	}
	return r, nil
}

// follows notes a message; ErrGap says that some before it did not come.
func (r *reader) follows(meta *jetstream.MsgMetadata) error {
	if meta.Sequence.Consumer != r.last+1 {
		return fmt.Errorf("%w: %d follows %d", ErrGap, meta.Sequence.Consumer, r.last)
	}
	r.last = meta.Sequence.Consumer
	return nil
}

// quietFor is how long a reader hears nothing before it asks. A log in use has a tick a second.
const quietFor = 5 * time.Second

// wait returns what waits. Messages that were lost on the way show by the next one; after the last of a log there is none.
func (r *reader) wait(ctx context.Context, limit int) ([]jetstream.Msg, error) {
	for {
		quiet, cancel := context.WithTimeout(ctx, quietFor)
		msgs, err := r.in.next(quiet, limit)
		nothing := err != nil && quiet.Err() != nil && ctx.Err() == nil
		cancel()
		if !nothing {
			return msgs, err
		}
		if err := r.missed(ctx); err != nil {
			return nil, err
		}
	}
}

// missed returns ErrGap if what the server had sent when it was asked before has not come since.
func (r *reader) missed(ctx context.Context) error {
	if r.sent > r.last {
		return fmt.Errorf("%w: the server has sent %d, and after %d nothing came", ErrGap, r.sent, r.last)
	}
	ctx, cancel := context.WithTimeout(ctx, letGoFor)
	defer cancel()
	if info, err := r.cons.Info(ctx); err == nil { // of one that is gone the inbox is told
		r.sent = info.Delivered.Consumer
	}
	return nil
}

// letGoFor bounds how long a reader waits for NATS, which may be away, when it asks or ends.
const letGoFor = time.Second

// Close stops reading, and has the server forget the consumer.
func (r *reader) Close() {
	r.in.close()
	forget(r.stream, r.cons)
}

// forget has the server forget a consumer that nobody reads: of a reader that begins again and again it would keep one of each
// try for a minute, up to its limit. To have it forgotten soon takes no right that reading does not take; to delete it does.
func forget(st jetstream.Stream, cons jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), letGoFor)
	defer cancel()
	cfg := cons.CachedInfo().Config
	cfg.InactiveThreshold = 10 * time.Millisecond
	_, _ = st.UpdateConsumer(ctx, cfg) // of one that is not told the minute passes
}
