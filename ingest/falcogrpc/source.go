// SPDX-License-Identifier: Apache-2.0

package falcogrpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"github.com/falcosecurity/client-go/pkg/client"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"tocsin/event"
	"tocsin/ingest"
)

const (
	source = "falco"
	// tickEvery is how often more is asked for: Falco sends what it has on each request, and nothing without one.
	tickEvery = 500 * time.Millisecond
	// askEvery is how often Falco is asked whether it is still there, askWithin how long it has for its answer. A network that
	// loses everything without a word, or a Falco that is frozen, TCP notices after a quarter of an hour; gRPC's own pings
	// Falco's server takes for an attack.
	askEvery, askWithin = 30 * time.Second, 10 * time.Second
	// waiting bounds the alerts that are read and not committed; while it is half full no more are asked for.
	waiting = 1024
	// atOnce is how many of them are committed together.
	atOnce = 256
	// A session that ends is opened again after a while, longer each time, up to maxBackoff.
	minBackoff, maxBackoff = 500 * time.Millisecond, 30 * time.Second
	// lastCommit is how long the end waits for what was read: Falco has forgotten it.
	lastCommit = 10 * time.Second
	maxMessage = 8 << 20
)

// Config names one Falco.
type Config struct {
	// Name is the input of its records, "falco" if it is empty.
	Name string
	// Address is unix:///run/falco/falco.sock, or host:port, which needs the three files (PEM).
	Address       string
	CA, Cert, Key string
	// Commit returns when all records are on disk; Quarantine when all entries are.
	Commit     func(context.Context, []event.Record) error
	Quarantine func(context.Context, []ingest.Quarantined) error
	// Records counts records by source and outcome, Connected is 1 while a session is open, by address. Either may be nil.
	Records   *prometheus.CounterVec
	Connected *prometheus.GaugeVec
	Log       *slog.Logger
	// Tick is the time between requests; 0 is 500 ms.
	Tick time.Duration
	// Ask is the time between two questions whether Falco is still there, and no answer may take longer; 0 is 30 s.
	Ask time.Duration
}

// Source reads the alerts of one Falco (protocols.md 1.1).
type Source struct {
	cfg   Config
	queue chan *outputs.Response
	// record is [Record].
	record func(*outputs.Response) ([]byte, error)

	mu     sync.Mutex
	status Status
}

// New returns a Source; it does not connect yet.
func New(cfg Config) (*Source, error) {
	if !strings.HasPrefix(cfg.Address, "unix:") {
		if _, _, err := endpoint(cfg.Address); err != nil {
			return nil, err
		}
		if cfg.CA == "" || cfg.Cert == "" || cfg.Key == "" {
			return nil, errors.New("an address that is no unix socket needs ca, cert and key: Falco asks for a client's certificate")
		}
	}
	cfg.Name, cfg.Tick, cfg.Ask = cmp.Or(cfg.Name, source), cmp.Or(cfg.Tick, tickEvery), cmp.Or(cfg.Ask, askEvery)
	return &Source{cfg: cfg, queue: make(chan *outputs.Response, waiting), record: Record, status: Status{Name: cfg.Name, Address: cfg.Address}}, nil
}

func endpoint(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address: %w", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address: port %q: %w", text, err)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // the client puts host, colon and port together; certificates are found by either form
	}
	return host, uint16(n), nil
}

// Run reads until ctx ends. A stream that ends, also well, is opened again: Falco ends it when it stops.
func (s *Source) Run(ctx context.Context) error {
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		s.commitAll(ctx)
	}()
	for fails := 0; ctx.Err() == nil; fails++ {
		began := time.Now()
		err := s.session(ctx)
		if time.Since(began) > maxBackoff {
			fails = 0
		}
		if ctx.Err() == nil {
			s.note(func(st *Status) { st.Connected, st.Ended, st.Err = false, st.Ended+1, err.Error() })
			s.cfg.Log.Warn("Falco is not connected", "address", s.cfg.Address, "err", err)
			pause(ctx, backoff(fails))
		}
	}
	s.note(func(st *Status) { st.Connected = false })
	close(s.queue)
	<-committed
	return nil
}

// backoff is the time before the next try, with jitter: nodes of a cluster come back together.
func backoff(fails int) time.Duration {
	d := min(maxBackoff, minBackoff<<min(fails, 10))
	return d/2 + rand.N(d/2)
}

// session reads one stream to its end; the error says why it ended.
func (s *Source) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg := &client.Config{
		CertFile: s.cfg.Cert, KeyFile: s.cfg.Key, CARootFile: s.cfg.CA,
		DialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage))},
	}
	if strings.HasPrefix(s.cfg.Address, "unix:") {
		cfg.UnixSocketPath = s.cfg.Address
	} else {
		var err error
		if cfg.Hostname, cfg.Port, err = endpoint(s.cfg.Address); err != nil {
			return err
		}
	}
	c, err := client.NewForConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := s.greet(ctx, c); err != nil {
		return err
	}
	o, err := c.Outputs()
	if err != nil {
		return err
	}
	stream, err := o.Sub(ctx)
	if err != nil {
		return err
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel(nil)
	beside.Go(func() { s.tick(ctx, stream) })
	beside.Go(func() { cancel(s.ask(ctx, c)) })
	s.note(func(st *Status) { st.Connected = true })
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the stream was ended by Falco")
		}
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		select {
		case s.queue <- r:
		case <-ctx.Done():
			// It has left Falco: there is still a little time for it.
			select {
			case s.queue <- r:
			case <-time.After(lastCommit):
				s.cfg.Log.Error("an alert of Falco is lost: it could not be committed before the end", "rule", r.GetRule())
			}
			return context.Cause(ctx)
		}
	}
}

// tick asks for more, at once and then again and again.
func (s *Source) tick(ctx context.Context, stream outputs.Service_SubClient) {
	for {
		if len(s.queue) < waiting/2 {
			if err := stream.Send(&outputs.Request{}); err != nil {
				return // the reader sees why
			}
		}
		if !pause(ctx, s.cfg.Tick) {
			return
		}
	}
}

// ask asks again and again whether Falco is still there, and returns when it is not. While alerts that came wait to be committed it
// does not ask: some of them may not have been read, and would be lost with the session.
func (s *Source) ask(ctx context.Context, c *client.Client) error {
	for pause(ctx, s.cfg.Ask) {
		if len(s.queue) >= waiting/2 {
			continue
		}
		if _, err := s.version(ctx, c); err != nil {
			return fmt.Errorf("it is silent: %w", err)
		}
	}
	return ctx.Err()
}

// greet asks for the version, which also tells whether anybody is there.
func (s *Source) greet(ctx context.Context, c *client.Client) error {
	v, err := s.version(ctx, c)
	if err != nil {
		return err
	}
	s.note(func(st *Status) { st.Version = v })
	s.cfg.Log.Warn("connected to Falco; its gRPC output is gone in 0.44, and a Falco that is upgraded with it goes silent: move to http_output first",
		"address", s.cfg.Address, "version", v)
	return nil
}

func (s *Source) version(ctx context.Context, c *client.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, min(askWithin, s.cfg.Ask))
	defer cancel()
	vc, err := c.Version()
	if err != nil {
		return "", err
	}
	v, err := vc.Version(ctx, &version.Request{})
	if err != nil {
		return "", fmt.Errorf("version: %w", err)
	}
	return v.GetVersion(), nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
