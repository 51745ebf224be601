// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/schema"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/api"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc/falcotest"
	"tocsin/ingest/vectortest"
)

// TestSourcesShowWhatGoesWrong: whatever is wrong with a source, `tocsin sources` has it: records that no route can take, requests that
// are refused, records that cannot be parsed, times that cannot be read, a Falco that answers and will not after its upgrade, and one that never did.
func TestSourcesShowWhatGoesWrong(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	there, gone := filepath.Join(data, "f.sock"), filepath.Join(data, "nobody.sock")
	ln, err := net.Listen("unix", there)
	if err != nil {
		t.Fatal(err)
	}
	falco := &falcotest.Falco{}
	falco.Put(&outputs.Response{
		Rule: "Terminal shell in container", Priority: schema.Priority_NOTICE, Time: timestamppb.Now(), Hostname: "node-a", Output: "a shell",
	})
	falco.Serve(ln)
	t.Cleanup(falco.Stop)
	tokens := []ingest.Token{{Name: "json", Value: "1"}, {Name: "large", Value: "2"}, {Name: "packed", Value: "3"}, {Name: "proto", Value: "4"}, {Name: "nothing", Value: "5"}, {Name: "times", Value: "6"}}
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
		c.Falco.GRPC = []falcoGRPC{{Name: "node-a", Address: "unix://" + there}, {Name: "node-b", Address: "unix://" + gone}}
		c.Ingest.Tokens = tokens
	})
	for _, tt := range []struct {
		source, token, encoding, body string
		code                          int
	}{
		{"vector", "1", "", `{"b": }`, http.StatusOK},
		{"falco", "1", "", `{"rule":"x","priority":"Odd","time":"2026-08-21T10:15:30Z"}`, http.StatusOK},
		{"vector", "6", "", `{"timestamp":"yesterday"}`, http.StatusOK},
		{"vector", "2", "", `{"a":"` + strings.Repeat("a", ingest.MaxRecord) + `"}`, http.StatusOK},
		{"vector", "3", "br", `{}`, http.StatusUnsupportedMediaType},
	} {
		req, err := http.NewRequest(http.MethodPost, "http://"+s.node.ingest.Addr().String()+"/ingest/"+tt.source+"/"+tt.token, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Encoding", tt.encoding)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("%s: %s", tt.body[:min(40, len(tt.body))], resp.Status)
		}
	}
	conn, err := grpc.NewClient(s.node.vector.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := context.Background()
	broken := append(vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}})), 0x0a, 0x7f)
	if err := (&vectortest.Native{Conn: conn, Token: "4"}).Push(ctx, broken); err != nil {
		t.Error(err)
	}
	if err := (&vectortest.Native{Conn: conn, Token: "5"}).Push(ctx, []byte{0xff}); err == nil {
		t.Error("nonsense is taken")
	}
	s.settled()
	wants := []string{ // source, host, input, last seen, records, rate, usual, errors, state, last error
		`vector - json \S+Z 0 0\.\d 0\.\d 1 - malformed_json: `,
		`falco - json \S+Z 0 0\.\d 0\.\d 1 - .*Odd`,
		`vector - large \S+Z 0 0\.\d 0\.\d 1 - too_large: `,
		`vector - packed - 0 0\.0 0\.0 1 - .*"br"`,
		`vector - proto \S+Z 1 0\.\d 0\.\d 1 - malformed_protobuf: `,
		`vector - nothing - 0 0\.0 0\.0 1 - nothing in the message is an event`,
		`vector - times \S+Z 1 0\.\d 0\.\d 1 - its time "yesterday" cannot be read, it has that of its arrival`,
		`falco ` + regexp.QuoteMeta("unix://"+there) + ` node-a \S+Z 1 0\.\d 0\.\d 0 connected, Falco 0\.43\.1 \(0\.44 has no gRPC\)`,
		`falco ` + regexp.QuoteMeta("unix://"+gone) + ` node-b - 0 0\.0 0\.0 [1-9]\d* not connected version: .*nobody.sock`,
	}
	spaces := regexp.MustCompile(` +`)
	waitFor(t, 30*time.Second, func() bool { return true }, func() error {
		var out bytes.Buffer
		args := []string{"sources", "--url", "http://" + s.node.api.Addr().String(), "--token", s.node.cfg.API.Token}
		if code := run(ctx, args, strings.NewReader(""), &out, &out); code != 0 {
			return fmt.Errorf("sources: %d\n%s", code, &out)
		}
		table := spaces.ReplaceAllString(out.String(), " ")
		for _, want := range wants {
			if !regexp.MustCompile("(?m)^" + want).MatchString(table) {
				return fmt.Errorf("no line is %s in\n%s", want, &out)
			}
		}
		return nil
	})
	var page struct {
		Items []api.SourceView `json:"items"`
	}
	if code := s.get("/api/v1/sources", &page); code != http.StatusOK {
		t.Fatalf("the sources: %d", code)
	}
	kept := map[string]int64{}
	for _, x := range page.Items {
		kept[x.Source+" "+x.Input] += x.Quarantined
	}
	want := map[string]int64{"vector json": 1, "falco json": 1, "vector large": 1, "vector packed": 0, "vector proto": 1, "vector nothing": 0, "vector times": 0, "falco node-a": 0, "falco node-b": 0}
	if !maps.Equal(kept, want) {
		t.Errorf("in quarantine are %v, want %v", kept, want)
	}
	if _, metrics := s.admin("/metrics"); !strings.Contains(metrics, "\ntocsin_records_untimed_total{source=\"vector\"} 1\n") {
		t.Error("the time that cannot be read is not counted")
	}
}
