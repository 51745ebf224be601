// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tocsin/event"
	"tocsin/ingest"
)

func shown(cn, uri string, dns ...string) *x509.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: cn}, DNSNames: dns}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			panic(err)
		}
		c.URIs = []*url.URL{u}
	}
	return c
}

// TestClaims: who sends is known by a certificate or a token, and may claim what that says and nothing else. What is refused
// is counted, said, and no part of it is taken.
func TestClaims(t *testing.T) {
	t.Parallel()
	const spiffe = "spiffe://prod/ns/vector/sa/vector"
	bounded := ingest.Access{
		Certificates: true,
		Tokens:       []ingest.Token{{Name: "office", Value: "sesame", Sources: []string{"office"}, Clusters: []string{"hq"}}},
		Identities: []ingest.Identity{
			{Certificate: spiffe, Name: "prod", Sources: []string{"vector", "app"}, Clusters: []string{"prod", "prod-2"}},
			{Certificate: "falco.example.org"},
			{Certificate: "edge", Rate: 1},
		},
	}
	anybody := ingest.Access{Certificates: true}
	prod, dev, none := `{"k8s.cluster.name":"prod"}`, `{"k8s.cluster.name":"dev"}`, `{"a":1}`
	tests := []struct {
		name   string
		access ingest.Access
		cert   *x509.Certificate
		token  string
		source string
		body   string
		code   int
		want   string // the input of what is taken, or what the answer says
		reason string
	}{
		{"a URI", bounded, shown("x", spiffe), "", "vector", prod, 200, "prod", ""},
		{"the other source and cluster", bounded, shown("", spiffe), "", "app", `{"k8s.cluster.name":"prod-2"}`, 200, "prod", ""},
		{"no cluster", bounded, shown("", spiffe), "", "vector", none, 200, "prod", ""},
		{"a DNS name claims anything", bounded, shown("x", "", "a.example.org", "falco.example.org"), "", "falco", dev, 200, "falco.example.org", ""},
		{"a common name", bounded, shown("edge", ""), "", "app", dev, 200, "edge", ""},
		{"another source", bounded, shown("", spiffe), "", "falco", prod, 403, `"prod" may not post to the source "falco": it has vector, app`, "source"},
		{"a certificate of nobody", bounded, shown("stranger", ""), "", "vector", prod, 403, `no entry of ingest.identities has the certificate "stranger"`, "certificate"},
		{"a certificate of nobody, and a token", bounded, shown("stranger", ""), "sesame", "office", none, 200, "office", ""},
		{"a token of another source", bounded, nil, "sesame", "vector", none, 403, `"office" may not post to the source "vector"`, "source"},
		{"nothing", bounded, nil, "", "vector", prod, 401, "there is no client certificate, and the token is missing or wrong", "token"},
		{"a wrong token", bounded, nil, "seesam", "vector", prod, 401, "the token is missing or wrong", "token"},
		{"any certificate", anybody, shown("node-a", spiffe), "", "vector", dev, 200, "node-a", ""},
		{"any certificate, without a common name", anybody, shown("", spiffe), "", "vector", dev, 200, spiffe, ""},
		{"any certificate, none", anybody, nil, "", "vector", dev, 401, "there is no client certificate", "token"},
		{"certificates do not count", ingest.Access{Tokens: bounded.Tokens}, shown("", spiffe), "", "vector", prod, 401, "the token is missing", "token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var taken []event.Record
			bad, failed := 0, 0
			refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refused"}, []string{"reason"})
			h := ingest.NewHandler(ingest.HandlerConfig{
				Access: tt.access, Refused: refused, Log: slog.New(slog.DiscardHandler),
				Commit:     func(_ context.Context, r []event.Record) error { taken = append(taken, r...); return nil },
				Quarantine: func(_ context.Context, q []ingest.Quarantined) error { bad += len(q); return nil },
				Failed:     func(string, string, error) { failed++ },
			})
			ask := func(method string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, "https://x/ingest/"+tt.source, strings.NewReader(tt.body))
				r.TLS = &tls.ConnectionState{}
				if tt.cert != nil {
					r.TLS.PeerCertificates, r.TLS.VerifiedChains = []*x509.Certificate{tt.cert}, [][]*x509.Certificate{{tt.cert}}
				}
				if tt.token != "" {
					r.Header.Set("Authorization", "Bearer "+tt.token)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w
			}
			w := ask(http.MethodPost)
			if w.Code != tt.code {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, tt.code)
			}
			if tt.code == http.StatusOK {
				if len(taken) != 1 || taken[0].Input != tt.want {
					t.Errorf("%+v, want the input %q", taken, tt.want)
				}
				return
			}
			if len(taken)+bad != 0 || !strings.Contains(w.Body.String(), strings.ReplaceAll(tt.want, `"`, `\"`)) {
				t.Errorf("%d taken, %d in quarantine, %s", len(taken), bad, w.Body)
			}
			if n := testutil.ToFloat64(refused.WithLabelValues(tt.reason)); n != 1 {
				t.Errorf("%s is counted %v times", tt.reason, n)
			}
			if known := tt.reason == "source"; known != (failed == 1) {
				t.Errorf("%d failures of a source are told", failed)
			}
			// Vector asks before it sends: it learns the same.
			if head := ask(http.MethodHead); head.Code != tt.code {
				t.Errorf("HEAD: %d", head.Code)
			}
		})
	}
}

// TestForeignClusters: of a request the records of the sender's clusters are taken, with the ordinals that they have among all, and the others
// are in quarantine; the answer is a success that names them.
func TestForeignClusters(t *testing.T) {
	t.Parallel()
	prod, dev := `{"k8s.cluster.name":"prod"}`, `{"k8s":{"cluster":{"name":"dev"}}}`
	for name, tt := range map[string]struct {
		body           string
		own, kept      []event.Record
		broken, answer string
	}{
		"all of it": {dev, nil, []event.Record{{Raw: []byte(dev)}}, "", `{"accepted":0,"quarantined":1,"foreign":["\"hq\" may not say that a record is of the cluster \"dev\" (record 1 of 1): it has prod"]}`},
		"among others": {
			prod + "\n" + dev + "\n{oops\n" + prod + "\n" + dev + "\n{}",
			[]event.Record{{Raw: []byte(prod)}, {Raw: []byte(prod), Ordinal: 1}, {Raw: []byte("{}")}},
			[]event.Record{{Raw: []byte(dev)}, {Raw: []byte(dev), Ordinal: 1}},
			"{oops", `{"accepted":3,"quarantined":3,"foreign":["\"hq\" may not say that a record is of the cluster \"dev\" (record 2 of 5): it has prod","\"hq\" may not say that a record is of the cluster \"dev\" (record 4 of 5): it has prod"]}`,
		},
		"none of it": {prod, []event.Record{{Raw: []byte(prod)}}, nil, "", `{"accepted":1,"quarantined":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var own, kept []event.Record
			broken := ""
			refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refused"}, []string{"reason"})
			h := ingest.NewHandler(ingest.HandlerConfig{
				Access: ingest.Access{Tokens: []ingest.Token{{Name: "hq", Value: "sesame", Clusters: []string{"prod"}}}}, Refused: refused, Log: slog.New(slog.DiscardHandler),
				Commit: func(_ context.Context, r []event.Record) error { own = append(own, r...); return nil },
				Quarantine: func(_ context.Context, q []ingest.Quarantined) error {
					for _, x := range q {
						if x.Reason == ingest.ForeignCluster {
							kept = append(kept, x.Record)
						} else {
							broken += string(x.Record.Raw)
						}
					}
					return nil
				},
			})
			r := httptest.NewRequest(http.MethodPost, "/ingest/app", strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer sesame")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			for _, want := range [][]event.Record{tt.own, tt.kept} {
				for i := range want {
					want[i].Input, want[i].Source = "hq", "app"
				}
			}
			if diff := cmp.Diff(tt.own, own) + cmp.Diff(tt.kept, kept) + cmp.Diff(tt.broken, broken) + cmp.Diff(tt.answer+"\n", w.Body.String()); diff != "" || w.Code != http.StatusOK {
				t.Errorf("%d%s", w.Code, diff)
			}
			if n := testutil.ToFloat64(refused.WithLabelValues("cluster")); n != float64(min(len(tt.kept), 1)) {
				t.Errorf("counted %v times", n)
			}
		})
	}
}

// TestReleaseKeepsTheBounds of who sent what is released: by the name that it came with, as the configuration has it by now.
func TestReleaseKeepsTheBounds(t *testing.T) {
	t.Parallel()
	bounded := []ingest.Token{{Name: "hq", Value: "a", Clusters: []string{"prod"}}, {Name: "hq", Value: "b", Sources: []string{"falco"}}, {Name: "free", Value: "c"}}
	for _, tt := range []struct {
		name                  string
		access                ingest.Access
		input, source, record string
		reason                string
		want                  bool
	}{
		{"its own", ingest.Access{Tokens: bounded}, "hq", "app", `{"k8s.cluster.name":"prod"}`, "malformed_app", true},
		{"another's", ingest.Access{Tokens: bounded}, "hq", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", false},
		{"another's, still", ingest.Access{Tokens: bounded}, "hq", "app", `{"k8s.cluster.name":"dev"}`, ingest.ForeignCluster, false},
		{"its own by now", ingest.Access{Tokens: bounded}, "hq", "app", `{"k8s.cluster.name":"prod"}`, ingest.ForeignCluster, true},
		{"nobody's", ingest.Access{Tokens: bounded}, "hq", "app", `{}`, "malformed_app", true},
		{"of who is free", ingest.Access{Tokens: bounded}, "free", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", true},
		{"of who is gone", ingest.Access{Tokens: bounded}, "gone", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", false},
		{"our own", ingest.Access{Tokens: bounded}, "kyverno", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", true},
		{"of who needs no name", ingest.Access{Tokens: append(bounded, ingest.Token{Value: "d"})}, "app", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", true},
		{"where nobody is bounded", ingest.Access{}, "app", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", true},
		{"where nobody is known", ingest.Access{}, "hq", "app", `{"k8s.cluster.name":"dev"}`, ingest.ForeignCluster, false},
		{"of an identity", ingest.Access{Certificates: true, Identities: []ingest.Identity{{Certificate: "c", Clusters: []string{"prod"}}}}, "c", "app", `{"k8s.cluster.name":"dev"}`, "malformed_app", false},
	} {
		p := ingest.NewParser(ingest.ParserConfig{Claims: ingest.NewClaims(tt.access, "kyverno")})
		_, err := p.Again(event.Record{Input: tt.input, Source: tt.source, Raw: []byte(tt.record)}, tt.reason, 1)
		if m, ok := errors.AsType[*ingest.Malformed](err); (err == nil) != tt.want || err != nil && (!ok || m.Reason != ingest.ForeignCluster) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestCertificateThatTLSDidNotVerify counts for nothing.
func TestCertificateThatTLSDidNotVerify(t *testing.T) {
	t.Parallel()
	c := shown("edge", "")
	if got := ingest.Verified(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}); got != nil {
		t.Errorf("%v", got)
	}
}

// TestCertificatesShareABound: the rate is of an identity, whoever of its holders sends.
func TestCertificatesShareABound(t *testing.T) {
	t.Parallel()
	a := ingest.NewAuthenticator(ingest.Access{Certificates: true, Identities: []ingest.Identity{{Certificate: "edge", Rate: 1}}})
	for i := range 2 {
		s, no := a.Sender(shown("edge", "", fmt.Sprintf("node-%d", i)), "", "")
		if no != nil {
			t.Fatal(no)
		}
		if waits := s.Wait() > 0; waits != (i == 1) {
			t.Errorf("sender %d waits: %t", i, waits)
		}
		s.Took(1000)
	}
}
