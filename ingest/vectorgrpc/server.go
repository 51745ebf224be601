// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"tocsin/event"
	"tocsin/ingest"
)

const (
	// source is the parser of the records, and the name of an input that has none.
	source = "vector"
	// answerWithin is the longest that Vector waits for an answer (protocols.md 3.2).
	answerWithin = 20 * time.Second
	// pingsFrom is the shortest time between two pings of a client. gRPC's own five minutes would break
	// off a sink whose keepalive is set to the minute that Vector proposes.
	pingsFrom = 5 * time.Second
	// unread is how much of a message that nobody has asked for yet a sender may send: HTTP/2's own window. Left to itself, gRPC
	// widens it to 16 MiB a stream where the network is fast.
	unread = 64 << 10
	// callWithin bounds a call, as the HTTP endpoint's requests are bounded; Vector itself gives up after a minute.
	callWithin = time.Minute
	// maxStreams bounds the requests at once of one connection; Vector's adaptive concurrency ends at 200.
	maxStreams = 256
)

// Config is what the server needs: the twin of [ingest.HandlerConfig] (protocols.md 3.4).
type Config struct {
	// Commit returns when all records are on disk. It may be called by many at once.
	Commit func(context.Context, []event.Record) error
	// Quarantine returns when all entries are on disk.
	Quarantine func(context.Context, []ingest.Quarantined) error
	// Access says who may push, and what they may claim.
	Access ingest.Access
	// Parser reads of which cluster the records are that a sender who is bounded to some sends; nil is one that believes nothing more.
	Parser *ingest.Parser
	// MaxMessage is the cap of a message in bytes, decompressed; 0 is [ingest.MaxBody], which it cannot exceed.
	MaxMessage int
	// InFlight bounds the bytes of all requests that are not on disk yet; nil is one of [ingest.MaxInFlight] for this server alone.
	InFlight *ingest.Budget
	// CallWithin bounds a call, however slowly its message comes; 0 is a minute.
	CallWithin time.Duration
	// Durations observes each call, by handler and code.
	Durations prometheus.ObserverVec
	// Records counts records by source and outcome; the HTTP endpoint has the same.
	Records *prometheus.CounterVec
	// Refused counts the calls that were refused for who made them, by reason. It may be nil.
	Refused *prometheus.CounterVec
	// Failed is told of each call that was refused though its sender may push. It may be nil.
	Failed func(input, source string, why error)
	Log    *slog.Logger
	// Committed is called between the commit of a request and its answer. Nil but in tests.
	Committed func()
}

type service struct {
	cfg  Config
	auth ingest.Authenticator
	// reading has room for the calls whose messages may come in at once.
	reading chan struct{}
}

// NewServer returns a gRPC server that serves vector.Vector and nothing else (protocols.md 3.4); its codec fits no other
// service. The caller's options come last, and so win: TLS is one of them.
func NewServer(cfg Config, opts ...grpc.ServerOption) *grpc.Server {
	if cfg.MaxMessage <= 0 || cfg.MaxMessage > ingest.MaxBody {
		cfg.MaxMessage = ingest.MaxBody
	}
	if cfg.InFlight == nil {
		cfg.InFlight = ingest.NewBudget(ingest.MaxInFlight)
	}
	if cfg.Parser == nil {
		cfg.Parser = ingest.NewParser(ingest.ParserConfig{})
	}
	cfg.CallWithin = cmp.Or(cfg.CallWithin, callWithin)
	s := &service{cfg: cfg, auth: ingest.NewAuthenticator(cfg.Access), reading: readers(cfg)}
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(cfg.MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.StaticStreamWindowSize(unread),
		grpc.StaticConnWindowSize(maxStreams * unread), // no less than its streams may send: it bounds nothing of its own
		grpc.InTapHandle(s.begin),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsFrom, PermitWithoutStream: true}),
	}, opts...)...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "vector.Vector",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "PushEvents", Handler: s.method("PushEvents", s.push)},
			{MethodName: "HealthCheck", Handler: s.method("HealthCheck", s.healthy)},
		},
		Metadata: "vector.proto",
	}, nil)
	return server
}

// method does what both calls need: who it is, before a byte of the message is read, then the message, then do.
func (s *service) method(name string, do func(context.Context, *ingest.Sender, []byte) error) grpc.MethodHandler {
	call := func(ctx context.Context, decode func(any) error) error {
		// gRPC answers in the compression of the question, which Vector's client does not read: it would
		// take the answer for a refusal and drop what we have stored.
		if err := grpc.SetSendCompressor(ctx, encoding.Identity); err != nil {
			return status.Error(codes.Unavailable, "the answer's compression: "+err.Error())
		}
		sender, no := s.sender(ctx)
		if no != nil {
			return s.deny(no)
		}
		var err error
		if no := sender.MayPost(source); no != nil {
			err = s.deny(no)
		} else {
			err = s.take(ctx, sender, decode, do)
		}
		if err != nil && s.cfg.Failed != nil {
			s.cfg.Failed(cmp.Or(sender.Name, source), source, errors.New(status.Convert(err).Message()))
		}
		return err
	}
	timed := func(ctx context.Context, decode func(any) error) (any, error) {
		start := time.Now()
		err := call(ctx, decode)
		if s.cfg.Durations != nil {
			s.cfg.Durations.WithLabelValues("vector."+name, status.Code(err).String()).Observe(time.Since(start).Seconds())
		}
		if err != nil {
			return nil, err
		}
		return []byte{}, nil // PushEventsResponse, and HealthCheckResponse with SERVING, are empty
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/vector.Vector/" + name}
	return func(_ any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		if around == nil {
			return timed(ctx, decode)
		}
		return around(ctx, nil, info, func(ctx context.Context, _ any) (any, error) { return timed(ctx, decode) })
	}
}

// take reads the message of somebody who may send it, and does what it is for.
func (s *service) take(ctx context.Context, sender *ingest.Sender, decode func(any) error, do func(context.Context, *ingest.Sender, []byte) error) error {
	if wait := sender.Wait(); wait > 0 {
		return status.Error(codes.ResourceExhausted, fmt.Sprintf("the token %q may send no more records for %s", sender.Name, wait))
	}
	held := s.cfg.InFlight.Share()
	defer held.GiveBack()
	message, err := s.read(ctx, held, decode)
	if err != nil {
		return err
	}
	return do(ctx, sender, message)
}

// healthy answers the check that the sink makes when it starts, and only then: it says that somebody who may push is heard.
func (s *service) healthy(context.Context, *ingest.Sender, []byte) error { return nil }

// push takes one batch. Its error is one that Vector retries, unless nothing can be made of the message.
func (s *service) push(ctx context.Context, sender *ingest.Sender, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	records, bad, err := s.records(cmp.Or(sender.Name, source), message)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	records, foreign := sender.Own(s.cfg.Parser, records, time.Now().UnixNano())
	if bad = append(bad, foreign...); len(foreign) > 0 && s.cfg.Refused != nil {
		s.cfg.Refused.WithLabelValues("cluster").Inc()
	}
	if err := s.store(ctx, records, bad); err != nil {
		return s.refuse(len(records), err)
	}
	sender.Took(len(records) + len(bad))
	if s.cfg.Committed != nil {
		s.cfg.Committed()
	}
	s.count(len(records), bad)
	return nil
}

// refuse has the sink send it again.
func (s *service) refuse(records int, why error) error {
	s.cfg.Log.Warn("ingest refuses", "source", source, "records", records, "err", why)
	return status.Error(codes.Unavailable, "the stream does not accept records now: send them again")
}

var errNothing = errors.New("nothing in the message is an event")
