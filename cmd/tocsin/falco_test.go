// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/schema"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc/falcotest"
	"tocsin/ingest/vectortest"
)

// falcoAttack is what Falco saw of an attack, in each form in which it leaves it.
type falcoAttack struct {
	posted []string
	sent   []*outputs.Response
	logged []map[string]any // by Vector's kubernetes_logs
}

func newFalcoAttack(start time.Time) falcoAttack {
	var a falcoAttack
	for i, rule := range []string{"Terminal shell in container", "Read sensitive file untrusted", "Contact K8S API Server From Container"} {
		at := start.Add(time.Duration(i) * time.Second)
		text := fmt.Sprintf(`{"hostname":"node-a","output":"%s","output_fields":{"evt.time":%d,"k8s.ns.name":"shop","k8s.pod.name":"web-1"},"priority":"Notice","rule":%q,"source":"syscall","tags":["a"],"time":%q}`,
			rule, 1787307330123456789+i, rule, at.Format("2006-01-02T15:04:05.000000000Z"))
		a.posted = append(a.posted, text)
		a.sent = append(a.sent, &outputs.Response{
			Hostname: "node-a", Output: rule, Priority: schema.Priority_NOTICE, Rule: rule, Source: "syscall", Tags: []string{"a"},
			Time:         timestamppb.New(at),
			OutputFields: map[string]string{"evt.time": fmt.Sprint(1787307330123456789 + i), "k8s.ns.name": "shop", "k8s.pod.name": "web-1"},
		})
		a.logged = append(a.logged, map[string]any{
			"message": text, "source_type": "kubernetes_logs", "stream": "stdout", "timestamp": at.Add(time.Millisecond).Format(time.RFC3339Nano),
			"kubernetes": map[string]any{"pod_namespace": "falco", "container_name": "falco", "pod_name": "falco-x", "pod_uid": "4c1f", "pod_node_name": "node-a"},
		})
	}
	return a
}

// TestEachRouteOfFalcoIsTheSameIncident: what Falco saw comes by HTTP, by gRPC over a unix socket, by gRPC over mutual TLS, through Vector's
// http sink, and through its native one. Each alone, and all together, make one incident, and it is the same.
func TestEachRouteOfFalcoIsTheSameIncident(t *testing.T) {
	t.Parallel()
	attack := newFalcoAttack(time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond))
	type falcos = []*falcotest.Falco
	routes := []struct {
		name string
		send func(t *testing.T, s *serving, f falcos)
	}{
		{"HTTP", func(t *testing.T, s *serving, _ falcos) {
			for _, body := range attack.posted {
				resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/falco/sesame", "application/json", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Fatal(resp.Status)
				}
			}
		}},
		{"gRPC, unix socket", func(_ *testing.T, _ *serving, f falcos) { f[0].Put(attack.sent...) }},
		{"gRPC, mutual TLS", func(_ *testing.T, _ *serving, f falcos) { f[1].Put(attack.sent...) }},
		{"Vector, HTTP", func(t *testing.T, s *serving, _ falcos) {
			to := &vectortest.Sink{URL: "http://" + s.node.ingest.Addr().String() + "/ingest/vector", Framing: "newline", Compression: "zstd", Token: "sesame"}
			if err := to.Send(t.Context(), attack.logged); err != nil {
				t.Fatal(err)
			}
		}},
		{"Vector, native", func(t *testing.T, s *serving, _ falcos) {
			conn, err := grpc.NewClient(s.node.vector.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var logs []vectortest.Log
			for _, root := range attack.logged {
				logs = append(logs, vectortest.Log{Root: root})
			}
			if err := (&vectortest.Native{Conn: conn, Compression: "gzip", Token: "sesame"}).Send(t.Context(), logs...); err != nil {
				t.Fatal(err)
			}
		}},
	}
	// incidents sends the attack by some of the routes, and returns what came of it.
	incidents := func(t *testing.T, use ...int) []incident.View {
		data := t.TempDir()
		f := falcos{{}, {}}
		s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
			c.Lateness = time.Hour // the attack is as old as the test, which waits for its turn
			c.Falco.GRPC = serveFalcos(t, f)
			c.Ingest.Tokens = []ingest.Token{{Name: "falco", Value: "sesame"}}
			c.Ingest.FalcoFrom = []ingest.ContainerMatch{{Namespace: "falco", Container: "falco"}}
		})
		for _, i := range use {
			routes[i].send(t, s, f)
		}
		want := int64(len(use) * len(attack.posted))
		waitFor(t, 30*time.Second, func() bool { return true }, func() error {
			var seen int64
			for _, x := range s.node.seen.List() {
				if x.Source != "falco" || x.Host != "node-a" || x.Input != "falco" {
					t.Fatalf("something else was seen: %+v", x)
				}
				seen += x.Records
			}
			if seen != want {
				return fmt.Errorf("%d of %d alerts came", seen, want)
			}
			return nil
		})
		s.settled()
		var list struct{ Items []incident.View }
		if code := s.get("/api/v1/incidents", &list); code != http.StatusOK {
			t.Fatalf("incidents: %d", code)
		}
		return list.Items
	}
	// When it was told, and how often it changed on the way, depends on how the alerts fall into batches.
	steady := cmpopts.IgnoreFields(incident.View{}, "OpenedAt", "UpdatedAt", "Revision")

	want := incidents(t, 0)
	var rules []string
	for _, v := range want {
		rules = append(rules, v.Rule.ID)
	}
	slices.Sort(rules)
	if d := cmp.Diff([]string{"container-takeover", "shell-then-sensitive-read"}, rules); d != "" {
		t.Fatalf("by HTTP there are others (-want +got):\n%s", d)
	}
	for i, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(want, incidents(t, i), steady); d != "" {
				t.Errorf("not as by HTTP (-http +%s):\n%s", r.name, d)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		if d := cmp.Diff(want, incidents(t, 0, 1, 2, 3, 4), steady); d != "" {
			t.Errorf("not as by HTTP alone (-http +all):\n%s", d)
		}
	})
}
