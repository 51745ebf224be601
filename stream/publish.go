// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// A publication is tried for publishFor in all, each attempt for attemptFor with the same message id.
const (
	publishFor = 15 * time.Second
	attemptFor = 1 * time.Second
)

// maxBytesExceeded is what a server says of a message for a stream that is full: it stays so for a while.
const maxBytesExceeded = 10077

// ErrUnavailable says that the stream did not take a message in time.
var ErrUnavailable = errors.New("stream: not available")

// Intake is what takes Records, and what could not be read: [Streams], or the [Edge] of a process whose hub may be away.
type Intake interface {
	// Quarantine returns when all entries are on disk.
	Quarantine(ctx context.Context, qs []Quarantined) error

	// publish returns when the message is on disk.
	publish(ctx context.Context, subject, id string, data []byte) error
}

func (s *Streams) publish(ctx context.Context, subject, id string, data []byte) error {
	return publish(ctx, s.js, subject, id, data)
}

// publish returns when the message is on disk. The message id makes an attempt whose answer was lost and the one
// after it the same message.
func publish(ctx context.Context, js jetstream.JetStream, subject, id string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishFor)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, attemptFor)
		_, err := js.PublishMsg(attempt, message(subject, id, data))
		stop()
		if err == nil {
			return nil
		}
		if errors.Is(err, nats.ErrMaxPayload) {
			return fmt.Errorf("stream: a message of %d bytes for %s: %w", len(data), subject, err) // nor will it ever
		}
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && (api.Code < 500 || api.ErrorCode == maxBytesExceeded) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func message(subject, id string, data []byte) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Header.Set(jetstream.MsgIDHeader, id)
	m.Data = data
	return m
}

// PublishMarker sends a batch of no Records: the stream's clock (C1).
func (s *Streams) PublishMarker(ctx context.Context, stamp Stamp) error {
	return s.publish(ctx, markerSubject, nuid.Next(), EncodeBatch(stamp, nil))
}

// MatchMsg is one message of a partition's log. Messages with equal IDs are one.
type MatchMsg struct {
	Partition int
	ID        string
	Data      []byte
}

// PublishMatches returns when all messages are on disk. They travel together: what takes time is the disk.
func (s *Streams) PublishMatches(ctx context.Context, msgs []MatchMsg) error {
	if len(msgs) == 1 {
		m := msgs[0]
		return s.publish(ctx, matchesSubject+strconv.Itoa(m.Partition), m.ID, pack(packedFormat, m.Data))
	}
	type result struct{ err error }
	done := make(chan result, len(msgs))
	for _, m := range msgs {
		go func() {
			done <- result{s.publish(ctx, matchesSubject+strconv.Itoa(m.Partition), m.ID, pack(packedFormat, m.Data))}
		}()
	}
	var errs []error
	for range msgs {
		if r := <-done; r.err != nil {
			errs = append(errs, r.err)
		}
	}
	return errors.Join(errs...)
}
