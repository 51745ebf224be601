// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vectorgrpc"
	"tocsin/ingest/vectortest"
)

const arrival = 1_787_307_400_000_000_000

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stream keeps what was committed and what was quarantined, and refuses as often as it is told.
type stream struct {
	mu      sync.Mutex
	refuse  []error // one for each Commit, nil accepts
	tries   [][]event.Record
	records []event.Record
	bad     []ingest.Quarantined
	badErr  error
}

func (s *stream) commit(ctx context.Context, recs []event.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("a commit without an end: Vector would send again what is on disk in the end")
	}
	s.tries = append(s.tries, recs)
	if len(s.refuse) > 0 {
		err := s.refuse[0]
		s.refuse = s.refuse[1:]
		if err != nil {
			return err
		}
	}
	s.records = append(s.records, recs...)
	return nil
}

func (s *stream) quarantine(_ context.Context, qs []ingest.Quarantined) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.badErr == nil {
		s.bad = append(s.bad, qs...)
	}
	return s.badErr
}

func (s *stream) config() vectorgrpc.Config {
	return vectorgrpc.Config{
		Commit: s.commit, Quarantine: s.quarantine, Log: slog.New(slog.DiscardHandler),
		Records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_ingest_records_total"}, []string{"source", "outcome"}),
	}
}

// serve starts a server and returns its address.
func serve(t *testing.T, cfg vectorgrpc.Config, opts ...grpc.ServerOption) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := vectorgrpc.NewServer(cfg, opts...)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// sink returns a sink that points at an address and tries again at once.
func sink(t *testing.T, addr string, opts ...grpc.DialOption) *vectortest.Native {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &vectortest.Native{Conn: conn, Backoff: func(int) time.Duration { return 0 }}
}

// parse makes the Event of a record, as the matchers do.
func parse(t *testing.T, rec event.Record) *event.Event {
	t.Helper()
	e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(rec, arrival)
	if err != nil {
		t.Fatalf("%s: %v", rec.Raw, err)
	}
	return e
}

// counts returns the counter's values by outcome.
func counts(t *testing.T, c *prometheus.CounterVec) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			out[labels["source"]+" "+labels["outcome"]] = m.GetCounter().GetValue()
		}
	}
	return out
}

func id(n byte) []byte {
	return []byte{0x0b, 0x6c, 0x1f, 0x4e, 0x7f, 0x6e, 0x4a, 0x58, 0x9c, 0x5e, 0x3b, 0x0a, 0x7d, 0x1f, 0x2c, n}
}
