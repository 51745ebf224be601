// SPDX-License-Identifier: Apache-2.0

package falcogrpc

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc/falcotest"
)

// TestAPanicCostsItsAlert: an alert whose reading ends in a panic is in quarantine; the others, which Falco has forgotten, are not lost with it.
func TestAPanicCostsItsAlert(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "falco.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f := &falcotest.Falco{}
	for _, rule := range []string{"one", "bad", "two"} {
		f.Put(&outputs.Response{Rule: rule, Time: timestamppb.Now()})
	}
	f.Serve(ln)
	defer f.Stop()
	records, bad := make(chan event.Record, 3), make(chan ingest.Quarantined, 3)
	s, err := New(Config{
		Address: "unix://" + path, Log: slog.New(slog.DiscardHandler),
		Commit: func(_ context.Context, rs []event.Record) error {
			for _, r := range rs {
				records <- r
			}
			return nil
		},
		Quarantine: func(_ context.Context, qs []ingest.Quarantined) error {
			for _, q := range qs {
				bad <- q
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.record = func(r *outputs.Response) ([]byte, error) {
		if r.GetRule() == "bad" {
			panic("no reader is without a fault")
		}
		return Record(r)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for _, rule := range []string{"one", "two"} {
		if r := <-records; !strings.Contains(string(r.Raw), `"rule":"`+rule+`"`) {
			t.Errorf("%s, want the alert %q", r.Raw, rule)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(bad)
	q := <-bad
	if q.Reason != ingest.Panicked || !strings.Contains(q.Detail, "no reader is without a fault") || !strings.Contains(string(q.Record.Raw), `"rule":"bad"`) {
		t.Errorf("in quarantine is %s, %s: %s", q.Reason, q.Detail, q.Record.Raw)
	}
}
