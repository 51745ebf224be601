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

// inbox hands messages from a consumer's callback to a reader; its bound is the reader's backpressure.
type inbox struct {
	ch    chan jetstream.Msg
	errs  chan error
	stop  jetstream.ConsumeContext
	done  chan struct{}
	acked bool // its messages are given back
}

// open has a consumer's messages come; each, if it is set, sees them first.
func open(cons jetstream.Consumer, size int, each func(jetstream.Msg), opts ...jetstream.PullConsumeOpt) (*inbox, error) {
	in := &inbox{ch: make(chan jetstream.Msg, size), errs: make(chan error, 1), done: make(chan struct{})}
	// A request that a consumer without a leader never saw is made again after two missed heartbeats, not at its end. It ends
	// soon, for until then messages go to a client that is frozen.
	opts = append(opts, jetstream.PullExpiry(3*time.Second), jetstream.PullHeartbeat(time.Second), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || gone(cons) {
			select {
			case in.errs <- err:
			default:
			}
		}
	}))
	in.acked = cons.CachedInfo().Config.AckPolicy != jetstream.AckNonePolicy
	cc, err := cons.Consume(func(m jetstream.Msg) {
		if each != nil {
			each(m)
		}
		select {
		case in.ch <- m:
		case <-in.done:
			if in.acked {
				_ = m.Nak() // as in EventsConsumer.Close
			}
		}
	}, opts...)
	if err != nil {
		return nil, err
	}
	in.stop = cc
	return in, nil
}

// gone reports a consumer that is no more: of a server that was restarted nobody says so, it just does not answer.
func gone(cons jetstream.Consumer) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := cons.Info(ctx)
	return errors.Is(err, jetstream.ErrConsumerNotFound)
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
	if in.acked {
		in.stop.Drain() // the callback sees what has come already
	} else {
		in.stop.Stop() // a server that is away is not waited for
	}
	<-in.stop.Closed()
}

// PartitionReader follows the log of one partition.
type PartitionReader interface {
	// Next returns the messages that wait, at least one. ErrGap says that some were missed.
	Next(ctx context.Context, limit int) ([]PartitionMsg, error)
	// Close stops reading.
	Close()
}

type partitionReader struct{ *reader }

// PartitionMsg is one message of a partition's log.
type PartitionMsg struct {
	Seq  uint64
	Time int64 // the stream's, Unix nanoseconds
	Data []byte
}

// Partition reads the log of a partition from a stream sequence on. The server keeps no state for it: where it
// stands is the reader's to know.
func (s *Streams) Partition(ctx context.Context, p int, from uint64) (PartitionReader, error) {
	r, err := read(ctx, s.matches, jetstream.ConsumerConfig{
		FilterSubject: matchesSubject + strconv.Itoa(p), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
	}, 256, 512)
	if err != nil {
		return nil, fmt.Errorf("consumer of partition %d: %w", p, err)
	}
	return partitionReader{r}, nil
}

func (r partitionReader) Next(ctx context.Context, limit int) ([]PartitionMsg, error) {
	msgs, err := r.wait(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]PartitionMsg, 0, len(msgs))
	for _, m := range msgs {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("metadata of a message of %s: %w", matchesStream, err)
		}
		if err := r.follows(meta); err != nil {
			return nil, err
		}
		data, err := unpack(packedFormat, m.Data())
		if err != nil {
			return nil, fmt.Errorf("message %d of %s: %w", meta.Sequence.Stream, matchesStream, err)
		}
		out = append(out, PartitionMsg{meta.Sequence.Stream, meta.Timestamp.UnixNano(), data})
	}
	return out, nil
}
