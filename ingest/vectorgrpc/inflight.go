// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"tocsin/ingest"
)

// What bounds the memory of this server. gRPC tells how long a message is only when all of it is there, so a call takes the
// greatest that it may be from the budget before it reads, and afterwards keeps what it turned out to be until it is on
// disk. Those that wait for their turn hold no more than what HTTP/2 lets a sender send unasked: [unread] a stream, so
// 16 MiB a connection. What gRPC copies while it unpacks comes on top, for those few that read.

// readers returns room for as many as may read at once: together they take half of the budget at the most, so that senders
// whose messages come slowly do not lock out everybody else, HTTP included.
func readers(cfg Config) chan struct{} {
	return make(chan struct{}, max(1, cfg.InFlight.Size()/2/int64(cfg.MaxMessage)))
}

// begin gives a call its end. It has to be set here: what reads the message knows no other context than the stream's own.
func (s *service) begin(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallWithin)
	context.AfterFunc(ctx, cancel) // gRPC ends the context that it gave us with the call
	return ctx, nil
}

// read reads the message of a call, which then holds its length.
func (s *service) read(ctx context.Context, held *ingest.Share, decode func(any) error) ([]byte, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, s.refuse(0, fmt.Errorf("others read their messages: %w", ctx.Err()))
	}
	if err := held.Take(s.cfg.MaxMessage); err != nil {
		return nil, s.refuse(0, err)
	}
	var message []byte
	if err := decode(&message); err != nil {
		if ctx.Err() != nil {
			return nil, status.Error(codes.DeadlineExceeded, "the message did not come in time: send it again")
		}
		// gRPC has answered already. The sink keeps a batch over the cap and sends it again, until it is set to
		// make smaller ones or the cap is raised: no data is lost, but somebody has to be told.
		s.cfg.Log.Warn("ingest cannot read a request: if it is too large, set batch.max_bytes of the sink", "source", source, "err", err)
		return nil, fmt.Errorf("read the request: %w", err)
	}
	held.Keep(len(message))
	return message, nil
}
