// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"tocsin/incident"
	"tocsin/ingest/falcogrpc/falcotest"
	"tocsin/ingest/vectortest"
	"tocsin/test/certs"
)

// serving is a tocsin in this process.
type serving struct {
	t    testing.TB
	node *node
	stop func() int
}

// localConfig is that of a tocsin on free ports.
func localConfig(storeURL, data string) Config {
	cfg := defaultConfig()
	cfg.Data, cfg.Store.URL, cfg.Rules = data, storeURL, []string{"../../rules.d"}
	cfg.Ingest.Listen, cfg.Vector.Listen, cfg.API.Listen, cfg.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// serveHere starts tocsin on free ports and waits until it is ready.
func serveHere(t testing.TB, storeURL, data string, change ...func(*Config)) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan *node, 1)
	code := make(chan int, 1)
	var log bytes.Buffer
	cfg := localConfig(storeURL, data)
	for _, f := range change {
		f(&cfg)
	}
	c := &cli{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &log, points: points{started: func(n *node) { started <- n }}}
	go func() {
		err := c.serve(ctx, cfg, false)
		if err != nil {
			fmt.Fprintln(&log, err)
			code <- 1
			return
		}
		code <- 0
	}()
	var n *node
	select {
	case n = <-started:
	case <-code:
		t.Fatalf("serve ended:\n%s", &log)
	}
	ready, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	if err := n.waitReady(ready); err != nil {
		t.Fatal(err)
	}
	s := &serving{t: t, node: n}
	ended := false
	s.stop = func() int {
		if ended {
			return 0
		}
		ended = true
		cancel()
		return <-code
	}
	t.Cleanup(func() {
		if got := s.stop(); got != 0 {
			t.Errorf("serve ended with %d:\n%s", got, &log)
		}
	})
	return s
}

// get asks the API.
func (s *serving) get(path string, out any) int {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.node.api.Addr().String()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			s.t.Fatal(err)
		}
	}
	return resp.StatusCode
}

// settled waits until all that was accepted is decided.
func (s *serving) settled() {
	s.t.Helper()
	before := time.Now().UnixNano()
	waitFor(s.t, 30*time.Second, func() bool { return true }, func() error {
		var raw map[string]any
		s.get("/api/v1/status", &raw)
		text, _ := raw["clock"].(string)
		clock, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return err
		}
		if lag, _ := raw["match_lag"].(float64); lag != 0 {
			return fmt.Errorf("match lag %v", lag)
		}
		if lag, _ := raw["correlate_lag"].(float64); lag != 0 {
			return fmt.Errorf("correlate lag %v", lag)
		}
		if clock.UnixNano() < before {
			return fmt.Errorf("the clock is at %s", clock)
		}
		return nil
	})
}

// serveFalcos lets one Falco serve on a unix socket and one over mutual TLS.
func serveFalcos(t *testing.T, falcos []*falcotest.Falco) []falcoGRPC {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ca, cert, key := certs.Write(t)
	own, err := newServerTLS(cert, key, ca, authRequired, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	falcos[0].Serve(unix)
	falcos[1].Serve(tcp, grpc.Creds(credentials.NewTLS(own.config())))
	for _, f := range falcos {
		t.Cleanup(f.Stop)
	}
	return []falcoGRPC{{Address: "unix://" + path}, {Address: tcp.Addr().String(), CA: ca, Cert: cert, Key: key}}
}

// TestTheSameAttackIsTheSameIncident sends one attack through Vector HTTP in each framing and compression, Vector's native sink, and
// what Falco saw of it by HTTP and by gRPC, into a real tocsin on each engine: however often it came,
// one incident each is there, with its evidence, bytes and hash.
func TestTheSameAttackIsTheSameIncident(t *testing.T) {
	for kind, start := range engines() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			where, cluster := start(t, data)
			attack(t, where, data, onCluster(cluster))
		})
	}
}

// attack sends it, restart included.
func attack(t *testing.T, where, data string, change func(*Config)) {
	t.Helper()
	falcos := []*falcotest.Falco{{}, {}}
	s := serveHere(t, where, data, change, func(c *Config) { c.Falco.GRPC = serveFalcos(t, falcos) })
	vector := "http://" + s.node.ingest.Addr().String() + "/ingest/vector"
	start := time.Now().Add(-time.Minute).UTC()
	var events []map[string]any
	for i := range 6 {
		outcome := "failure"
		if i == 5 {
			outcome = "success"
		}
		events = append(events, map[string]any{
			"event.id": fmt.Sprintf("login-%d", i), "timestamp": start.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano),
			"event.category": "authentication", "event.outcome": outcome, "user.name": "ana", "source.ip": "203.0.113.9",
			"big": int64(9007199254740993),
		})
	}
	ctx := context.Background()
	for _, framing := range vectortest.Framings {
		for _, compression := range vectortest.Compressions {
			sink := &vectortest.Sink{URL: vector, Framing: framing, Compression: compression}
			if err := sink.Send(ctx, events); err != nil {
				t.Fatalf("%s %s: %v", framing, compression, err)
			}
		}
	}
	native, err := grpc.NewClient(s.node.vector.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{"", "gzip", "zstd"} {
		sink := &vectortest.Native{Conn: native, Compression: compression}
		var logs []vectortest.Log
		for _, e := range events {
			logs = append(logs, vectortest.Log{Root: e})
		}
		if err := sink.Send(ctx, logs...); err != nil {
			t.Fatalf("native %s: %v", compression, err)
		}
	}
	if err := native.Close(); err != nil {
		t.Error(err)
	}
	falco := newFalcoAttack(start)
	for range 2 { // Falco repeats after a time-out of its own
		for _, body := range falco.posted {
			resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/falco", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("falco: %s", resp.Status)
			}
		}
	}
	for _, f := range falcos {
		f.Put(falco.sent...)
	}
	waitFor(t, 30*time.Second, func() bool { return true }, func() error {
		var metrics bytes.Buffer
		resp, err := http.Get("http://" + s.node.admin.Addr().String() + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := metrics.ReadFrom(resp.Body); err != nil {
			return err
		}
		// Six by HTTP, three by each gRPC.
		if !strings.Contains(metrics.String(), `tocsin_ingest_records_total{outcome="accepted",source="falco"} 12`) {
			return errors.New("not all alerts of Falco are in")
		}
		return nil
	})
	s.settled()

	var list struct {
		Items      []incident.View `json:"items"`
		NextCursor string          `json:"next_cursor"`
	}
	if code := s.get("/api/v1/incidents", &list); code != http.StatusOK {
		t.Fatalf("incidents: %d", code)
	}
	byRule := make(map[string]incident.View)
	for _, v := range list.Items {
		if _, twice := byRule[v.Rule.ID]; twice {
			t.Errorf("two incidents of %s", v.Rule.ID)
		}
		byRule[v.Rule.ID] = v
	}
	if len(byRule) != 3 {
		t.Errorf("incidents of %d rules, want those of brute-force-then-login, shell-then-sensitive-read and container-takeover", len(byRule))
	}
	login := byRule["brute-force-then-login"]
	if login.EventCount != 6 || len(login.Detections) != 1 || login.Detections[0].Steps["failed"] != 5 || login.Detections[0].Steps["worked"] != 1 {
		t.Errorf("the login incident is %+v", login)
	}
	if login.Key["user.name"] != "ana" || login.Severity != "high" || login.Title != "Password of ana may have been guessed from 203.0.113.9" {
		t.Errorf("the login incident is %+v", login)
	}
	s.evidence(login.ID, 6, func(i int, item incident.EvidenceItem) {
		if item.EventID != fmt.Sprintf("login-%d", i) {
			t.Errorf("evidence %d is %s", i, item.EventID)
		}
		if !strings.Contains(string(item.Raw), "9007199254740993") {
			t.Errorf("the record lost a digit: %s", item.Raw)
		}
	})
	takeover := byRule["container-takeover"]
	if takeover.EventCount != 3 || takeover.Severity != "critical" {
		t.Errorf("the takeover is %+v", takeover)
	}
	s.evidence(takeover.ID, 3, func(i int, item incident.EvidenceItem) {
		if string(item.Raw) != falco.posted[i] {
			t.Errorf("the record is %s\nit was sent as %s", item.Raw, falco.posted[i])
		}
		sum := sha256.Sum256([]byte(falco.posted[i]))
		if item.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("the hash of %s is %s", item.EventID, item.SHA256)
		}
	})

	// A restart shows the same and opens nothing.
	if got := s.stop(); got != 0 {
		t.Fatalf("stop: %d", got)
	}
	again := serveHere(t, where, data, change)
	again.settled()
	var after struct{ Items []incident.View }
	again.get("/api/v1/incidents", &after)
	if len(after.Items) != len(list.Items) {
		t.Errorf("after a restart there are %d incidents, before %d", len(after.Items), len(list.Items))
	}
}

func (s *serving) evidence(id string, n int, check func(i int, item incident.EvidenceItem)) {
	s.t.Helper()
	var page struct{ Items []incident.EvidenceItem }
	if code := s.get("/api/v1/incidents/"+id+"/evidence", &page); code != http.StatusOK {
		s.t.Fatalf("evidence: %d", code)
	}
	if len(page.Items) != n {
		s.t.Fatalf("%d pieces of evidence, want %d", len(page.Items), n)
	}
	for i, item := range page.Items {
		check(i, item)
	}
}

// TestBadInputLosesNothing posts what is wrong: it is answered with 200, kept in quarantine with its reason, and what stands
// beside it is taken.
func TestBadInputLosesNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	post := func(source, body string) (int, string) {
		resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/"+source, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(b))
	}
	for _, tt := range []struct{ source, body, want string }{
		{"vector", "{\"a\":1}\n{\"b\": }\n{\"c\":3}\n", `{"accepted":2,"quarantined":1}`},
		{"vector", `[{"a":1},7,{"b":2}]`, `{"accepted":2,"quarantined":1}`},
		{"vector", `{"deep":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `{"accepted":0,"quarantined":1}`},
		{"falco", `{"rule":"x","priority":"Odd","time":"2026-08-21T10:15:30Z"}`, `{"accepted":1,"quarantined":0}`}, // found out when it is parsed
	} {
		if code, body := post(tt.source, tt.body); code != http.StatusOK || body != tt.want {
			t.Errorf("%s: %d %s, want %s", tt.body[:min(40, len(tt.body))], code, body, tt.want)
		}
	}
	if code, _ := post("Not a source", "x"); code != http.StatusNotFound {
		t.Errorf("a bad name of a source is answered with %d", code)
	}
	s.settled()
	qs, err := s.node.streams.QuarantineList(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	reasons := make(map[string]bool)
	for _, q := range qs {
		reasons[q.Reason] = true
		if strings.Contains(q.Detail, q.Reason) {
			t.Errorf("%s is said again: %s", q.Reason, q.Detail)
		}
	}
	for _, want := range []string{"malformed_json", "no_object", "too_deep", "malformed_falco"} {
		if !reasons[want] {
			t.Errorf("nothing in quarantine says %s: %v", want, reasons)
		}
	}
}
