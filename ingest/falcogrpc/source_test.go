// SPDX-License-Identifier: Apache-2.0

package falcogrpc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/schema"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc"
	"tocsin/ingest/falcogrpc/falcotest"
	"tocsin/test/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func alert(n int) *outputs.Response {
	return &outputs.Response{
		Time: timestamppb.New(time.Unix(1787307330, int64(n))), Priority: schema.Priority_WARNING, Rule: "Read sensitive file untrusted",
		Output: fmt.Sprintf("10:15:30.%09d: Warning a file", n), Hostname: "node-a", Source: "syscall", Tags: []string{"T1555", "container"},
		OutputFields: map[string]string{
			"evt.time": "1787307330123456789", "evt.type": "connect", "fd.cip": "10.0.0.1", "fd.cport": "4711", "fd.sip": "10.0.0.2",
			"fd.sport": "443", "user.name": "root", "user.uid": "0", "user.loginuid": "-1", "container.id": "012345678901",
			"proc.is_exe_writable": "true", "nothing": "null", "k8s.ns.name": "shop", "k8s.pod.name": "web-1", "proc.name": "7",
		},
	}
}

// posted is alert(n) as http_output posts it.
func posted(n int) string {
	return fmt.Sprintf(`{"hostname":"node-a","output":"10:15:30.%09d: Warning a file","output_fields":{"container.id":"012345678901","evt.time":1787307330123456789,`+
		`"evt.type":"connect","fd.cip":"10.0.0.1","fd.cport":4711,"fd.sip":"10.0.0.2","fd.sport":443,"k8s.ns.name":"shop","k8s.pod.name":"web-1","nothing":null,`+
		`"proc.is_exe_writable":true,"proc.name":"7","user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning",`+
		`"rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container"],"time":"2026-08-21T10:15:30.%09dZ"}`, n, n)
}

// sink takes records; refuse says how many commits fail first.
type sink struct {
	mu      sync.Mutex
	refuse  int
	records []string
	bad     []ingest.Quarantined
	came    chan struct{}
}

func newSink() *sink { return &sink{came: make(chan struct{}, 1000)} }

func (s *sink) commit(_ context.Context, recs []event.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return errors.New("not now")
	}
	for _, r := range recs {
		s.records = append(s.records, string(r.Raw))
		s.came <- struct{}{}
	}
	return nil
}

func (s *sink) quarantine(_ context.Context, qs []ingest.Quarantined) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = append(s.bad, qs...)
	return nil
}

// run runs a Source on an address; the returned func stops it.
func run(t *testing.T, s *sink, cfg falcogrpc.Config) (*falcogrpc.Source, func()) {
	t.Helper()
	cfg.Commit, cfg.Quarantine, cfg.Tick = s.commit, s.quarantine, 5*time.Millisecond
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	src, err := falcogrpc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return src, stop
}

func (s *sink) wait(t *testing.T, n int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for i := range n {
		select {
		case <-s.came:
		case <-limit:
			t.Fatalf("%d of %d alerts came", i, n)
		}
	}
}

func socket(t *testing.T) (ln func() net.Listener, address string) {
	path := filepath.Join(t.TempDir(), "falco.sock")
	return func() net.Listener {
		t.Helper()
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}, "unix://" + path
}

// TestAlertsOnce: each alert comes once and in order, over restarts of Falco and failing commits, also those that were
// read just before the end.
func TestAlertsOnce(t *testing.T) {
	t.Parallel()
	f := &falcotest.Falco{}
	listen, address := socket(t)
	s := newSink()
	s.refuse = 2
	var log bytes.Buffer
	src, stop := run(t, s, falcogrpc.Config{Address: address, Log: slog.New(slog.NewTextHandler(&log, nil))})
	n := 0
	put := func(more int) {
		for range more {
			f.Put(alert(n))
			n++
		}
	}
	for range 3 {
		put(20)
		f.Serve(listen())
		s.wait(t, 20)
		if st := src.Status(); !st.Connected || st.Version != "0.43.1" || st.Name != "falco" || st.Address != address {
			t.Errorf("status %+v", st)
		}
		f.Stop()
	}
	f.Serve(listen())
	put(20)
	s.wait(t, 20)
	stop()
	f.Stop()
	if f.Left() != 0 || len(s.records) != n || len(s.bad) != 0 {
		t.Fatalf("%d left, %d of %d records, %d bad", f.Left(), len(s.records), n, len(s.bad))
	}
	for i, r := range s.records {
		if r != posted(i) {
			t.Fatalf("record %d (-http +grpc):\n%s", i, cmp.Diff(posted(i), r))
		}
	}
	if st := src.Status(); st.Connected || st.Alerts != int64(n) || st.Last.IsZero() || st.Ended < 3 || st.Err == "" {
		t.Errorf("status at the end %+v", st)
	}
	if n := strings.Count(log.String(), "level=WARN msg=\"connected to Falco; its gRPC output is gone in 0.44"); n != 4 {
		t.Errorf("of four connections %d were warned about", n)
	}
}

// TestEqualToHTTP: the Event is the same by gRPC, by http_output, and with json_output on; what Falco cannot have sent is
// in quarantine.
func TestEqualToHTTP(t *testing.T) {
	t.Parallel()
	parse := func(raw string) *event.Event {
		t.Helper()
		e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Input: "falco", Source: "falco", Raw: []byte(raw)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	want := parse(posted(5))
	whole := alert(6)
	whole.Output = posted(5)
	odd := alert(5)
	odd.OutputFields["proc.pid"] = "0x7" // a number that is written otherwise stays as it is
	for name, r := range map[string]*outputs.Response{"text": alert(5), "json": whole} {
		raw, err := falcogrpc.Record(r)
		if err != nil {
			t.Fatal(err)
		}
		got := parse(string(raw))
		if got.ID != want.ID {
			t.Errorf("%s: another identity", name)
		}
		if d := cmp.Diff(want.Fields(), got.Fields()); d != "" {
			t.Errorf("%s (-http +grpc):\n%s", name, d)
		}
		if d := cmp.Diff(want.Object().Any(), got.Object().Any()); d != "" {
			t.Errorf("%s, raw (-http +grpc):\n%s", name, d)
		}
	}
	if raw, err := falcogrpc.Record(odd); err != nil || !strings.Contains(string(raw), `"proc.pid":"0x7"`) {
		t.Errorf("%s %v", raw, err)
	}
	timeless, unknown, large := alert(1), alert(2), alert(3)
	timeless.Time, unknown.Priority = nil, 99
	large.OutputFields["big"] = strings.Repeat("x", ingest.MaxRecord)
	f := &falcotest.Falco{}
	listen, address := socket(t)
	f.Put(timeless, unknown, large, alert(4))
	f.Serve(listen())
	defer f.Stop()
	s := newSink()
	_, stop := run(t, s, falcogrpc.Config{Address: address, Name: "edge"})
	s.wait(t, 1)
	stop()
	var reasons []string
	for _, b := range s.bad {
		reasons = append(reasons, b.Reason+" "+b.Record.Input)
	}
	if d := cmp.Diff([]string{"malformed_falco edge", "malformed_falco edge", "too_large edge"}, reasons); d != "" {
		t.Errorf("quarantine (-want +got):\n%s", d)
	}
}

// TestMutualTLS: over the network, whichever IP it is of, Falco and the Source show each other certificates.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			ca, cert, key := certs.Write(t)
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			pem, err := os.ReadFile(ca)
			if err != nil {
				t.Fatal(err)
			}
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(pem)
			ln, err := net.Listen("tcp", address)
			if err != nil && strings.HasPrefix(address, "[") {
				t.Skip("this machine has no IPv6: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			f := &falcotest.Falco{}
			f.Put(alert(1))
			f.Serve(ln, grpc.Creds(credentials.NewTLS(&tls.Config{
				Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12,
			})))
			defer f.Stop()
			s := newSink()
			_, stop := run(t, s, falcogrpc.Config{Address: ln.Addr().String(), CA: ca, Cert: cert, Key: key})
			s.wait(t, 1)
			stop()
			if s.records[0] != posted(1) {
				t.Errorf("%s", s.records[0])
			}
		})
	}
}

// TestASilentFalco: a connection over which nothing comes any more, and which nobody has ended, is opened anew, and is not called
// connected until then.
func TestASilentFalco(t *testing.T) {
	t.Parallel()
	listen, address := socket(t)
	ln := &lossy{Listener: listen(), lost: make(chan struct{}), found: make(chan struct{})}
	f := &falcotest.Falco{}
	f.Serve(ln)
	defer f.Stop()
	defer close(ln.found)
	s, log := newSink(), make(lines, 1000)
	src, _ := run(t, s, falcogrpc.Config{Address: address, Ask: time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	f.Put(alert(1))
	s.wait(t, 1)
	close(ln.lost)
	log.wait(t, "it is silent: version: ")
	if st := src.Status(); st.Connected || st.Ended == 0 || !strings.Contains(st.Err, "version: ") {
		t.Errorf("status %+v", st)
	}
	f.Put(alert(2))
	ln.mend()
	s.wait(t, 1)
	if st := src.Status(); !st.Connected {
		t.Errorf("status %+v", st)
	}
}

// lossy is a network that loses all, until it is mended for those that connect from then on.
type lossy struct {
	net.Listener
	lost, found chan struct{}
	mended      atomic.Bool
}

func (l *lossy) mend() { l.mended.Store(true) }

func (l *lossy) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || l.mended.Load() {
		return c, err
	}
	return &lossyConn{Conn: c, of: l}, nil
}

type lossyConn struct {
	net.Conn
	of *lossy
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.of.lost:
		<-c.of.found
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *lossyConn) Write(p []byte) (int, error) {
	select {
	case <-c.of.lost:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// lines are those of a log.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func (l lines) wait(t *testing.T, what string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, what) {
				return
			}
		case <-limit:
			t.Fatalf("no line of the log says %q", what)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "falco", "falco:x", "falco:99999", "falco:5060"} {
		if _, err := falcogrpc.New(falcogrpc.Config{Address: address}); err == nil {
			t.Errorf("%q without certificates is taken", address)
		}
	}
}

// FuzzRecord: whatever the strings are, the parser reads the record as the alert that came, or there is a reason.
func FuzzRecord(f *testing.F) {
	f.Add("rule", "output", "fd.cport", "443", int32(4), int64(1))
	f.Add("", `{"rule":"r","time":1}`, "a[", "null", int32(9), int64(-1))
	f.Add("r\u2028", "a\x00b", "evt.time", "1e3", int32(0), int64(1787307330))
	f.Add("r", `{"rule":"r","time":"2026-08-21T10:15:30Z","priority":"Odd"}`, "", "", int32(0), int64(1))
	f.Fuzz(func(t *testing.T, rule, output, name, text string, priority int32, seconds int64) {
		r := &outputs.Response{
			Rule: rule, Output: output, OutputFields: map[string]string{name: text}, Priority: schema.Priority(priority),
			Time: &timestamppb.Timestamp{Seconds: seconds},
		}
		if !utf8.ValidString(rule + "|" + output + "|" + name + "|" + text) {
			t.Skip("protobuf lets no such string in")
		}
		raw, err := falcogrpc.Record(r)
		if err != nil {
			return
		}
		e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Input: "falco", Source: "falco", Raw: raw}, 1)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if string(raw) == strings.TrimSpace(output) {
			return // Falco with json_output: it is what Falco wrote
		}
		if got := e.Get(event.RuleName); got != rule {
			t.Errorf("%q: the rule is %q", raw, got)
		}
		if e.Time != r.GetTime().AsTime().UnixNano() {
			t.Errorf("%q: the time is %d", raw, e.Time)
		}
	})
}
