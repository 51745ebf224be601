// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vectorgrpc"
	"tocsin/ingest/vectortest"
)

func TestHealthCheck(t *testing.T) {
	t.Parallel()
	var s stream
	cfg := s.config()
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seconds"}, []string{"handler", "code"})
	cfg.Durations = durations
	answer, err := sink(t, serve(t, cfg)).Call(t.Context(), "HealthCheck", nil)
	if err != nil || len(answer) != 0 {
		t.Errorf("%x, %v: SERVING is the empty message", answer, err)
	}
	if !durations.DeleteLabelValues("vector.HealthCheck", "OK") {
		t.Error("the call was not observed")
	}
}

// TestStopsWhenAllIsAnswered: a batch that is being committed while the node stops gets its answer.
func TestStopsWhenAllIsAnswered(t *testing.T) {
	t.Parallel()
	var s stream
	cfg := s.config()
	entered, stopping := make(chan struct{}), make(chan struct{})
	cfg.Commit = func(ctx context.Context, recs []event.Record) error {
		close(entered)
		<-stopping
		return s.commit(ctx, recs)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := vectorgrpc.NewServer(cfg)
	served, stopped, sent := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	to := sink(t, ln.Addr().String())
	go func() { sent <- to.Send(t.Context(), vectortest.Log{Root: map[string]any{"a": 1}}) }()
	<-entered
	go func() { server.GracefulStop(); close(stopped) }()
	if !to.Conn.WaitForStateChange(t.Context(), connectivity.Ready) { // the sink has been told to go
		t.Error("the server does not say that it stops")
	}
	close(stopping)
	if err := <-sent; err != nil || len(s.records) != 1 {
		t.Errorf("%v, %d records", err, len(s.records))
	}
	<-stopped
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestABatchInEachCompression: a thousand events, which is Vector's batch, are on disk in their order when the answer is OK.
func TestABatchInEachCompression(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"", "gzip", "zstd"} {
		t.Run("compression "+compression, func(t *testing.T) {
			t.Parallel()
			var s stream
			cfg := s.config()
			committed := 0
			cfg.Committed = func() { committed++ }
			to := sink(t, serve(t, cfg))
			to.Compression = compression
			logs := make([]vectortest.Log, 1000)
			for i := range logs {
				logs[i] = vectortest.Log{Root: map[string]any{"n": i, "message": strings.Repeat("x", i)}, ID: id(byte(i))}
			}
			for range 2 {
				if err := to.Send(t.Context(), logs...); err != nil {
					t.Fatal(err)
				}
			}
			if committed != 2 || len(s.tries) != 2 || len(s.records) != 2000 {
				t.Fatalf("%d answers, %d commits of %d records", committed, len(s.tries), len(s.records))
			}
			for i, rec := range s.tries[1] {
				if !strings.Contains(string(rec.Raw), fmt.Sprintf(`"n":%d,`, i)) {
					t.Fatalf("record %d is %s", i, rec.Raw)
				}
			}
			if n := counts(t, cfg.Records)["vector accepted"]; n != 2000 {
				t.Errorf("%v accepted", n)
			}
		})
	}
}

// TestRetry: while the stream refuses, Vector sends again, and what it sends is the same Events.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := stream{refuse: []error{ingest.ErrUnavailable, errors.New("disk full"), context.DeadlineExceeded}}
	cfg := s.config()
	logs := []vectortest.Log{
		{Root: map[string]any{"message": "x"}, ID: id(1)}, {Root: map[string]any{"message": "x"}, ID: id(2)},
		{Root: map[string]any{"message": "x"}}, {Root: map[string]any{"message": "x"}},
	}
	if err := sink(t, serve(t, cfg)).Send(t.Context(), logs...); err != nil {
		t.Fatal(err)
	}
	if len(s.tries) != 4 || len(s.records) != len(logs) {
		t.Fatalf("%d tries, %d records", len(s.tries), len(s.records))
	}
	seen := make(map[event.ID]bool)
	for i, rec := range s.records {
		now := parse(t, rec)
		for n, try := range s.tries {
			if then := parse(t, try[i]); then.ID != now.ID {
				t.Errorf("record %d is another event in try %d", i, n)
			}
		}
		if seen[now.ID] {
			t.Errorf("record %d is the same event as another", i)
		}
		seen[now.ID] = true
	}
	if d := cmp.Diff(map[string]float64{"vector accepted": 4}, counts(t, cfg.Records)); d != "" {
		t.Error(d)
	}
}

// TestRefusals: each code is one that Vector sends again for, but for nonsense.
func TestRefusals(t *testing.T) {
	t.Parallel()
	good := vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}})
	tests := []struct {
		name    string
		s       *stream
		request []byte
		want    codes.Code
	}{
		{"the stream does not accept", &stream{refuse: []error{ingest.ErrUnavailable}}, vectortest.EncodeRequest(good), codes.Unavailable},
		{"whatever it says", &stream{refuse: []error{status.Error(codes.InvalidArgument, "x")}}, vectortest.EncodeRequest(good), codes.Unavailable},
		{"quarantine does not accept", &stream{badErr: errors.New("full")}, vectortest.EncodeRequest(good, nil), codes.Unavailable},
		{"too large", &stream{}, make([]byte, ingest.MaxBody+1), codes.ResourceExhausted},
		{"nonsense", &stream{}, []byte("GET / HTTP/1.1"), codes.InvalidArgument},
		{"cut in the first event", &stream{}, vectortest.EncodeRequest(good)[:5], codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sink(t, serve(t, tt.s.config())).Call(t.Context(), "PushEvents", tt.request)
			if status.Code(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if len(tt.s.records) != 0 {
				t.Errorf("%d records are on disk", len(tt.s.records))
			}
		})
	}
}

// TestCapOfAMessage: the cap counts what a message is after decompression, and a bomb is not unpacked to its end.
func TestCapOfAMessage(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"gzip", "zstd"} {
		var s stream
		cfg := s.config()
		cfg.MaxMessage = 1 << 20
		to := sink(t, serve(t, cfg))
		to.Compression = compression
		_, err := to.Call(t.Context(), "PushEvents", make([]byte, 1<<20+1))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v", compression, err)
		}
		if err := to.Send(t.Context(), vectortest.Log{Root: map[string]any{"a": strings.Repeat("x", 1<<19)}}); err != nil {
			t.Errorf("%s, below: %v", compression, err)
		}
	}
}

// TestEmptyRequests: there is nothing to store, and that is stored.
func TestEmptyRequests(t *testing.T) {
	t.Parallel()
	var s stream
	to := sink(t, serve(t, s.config()))
	for _, request := range [][]byte{nil, vectortest.Message(nil, 77, []byte("a field of later"))} {
		if err := to.Push(t.Context(), request); err != nil {
			t.Error(err)
		}
	}
	if len(s.tries)+len(s.bad) != 0 {
		t.Errorf("%v %v", s.tries, s.bad)
	}
}

// TestOptionsOfTheCaller: an interceptor stands around our methods as around generated ones.
func TestOptionsOfTheCaller(t *testing.T) {
	t.Parallel()
	var s stream
	calls := make(chan string, 2)
	around := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, do grpc.UnaryHandler) (any, error) {
		calls <- info.FullMethod
		return do(ctx, req)
	}
	to := sink(t, serve(t, s.config(), grpc.UnaryInterceptor(around)))
	if err := to.Send(t.Context(), vectortest.Log{Root: map[string]any{"a": 1}}); err != nil {
		t.Fatal(err)
	}
	if got := <-calls; got != "/vector.Vector/PushEvents" || len(s.records) != 1 {
		t.Errorf("%s, %d records", got, len(s.records))
	}
}
