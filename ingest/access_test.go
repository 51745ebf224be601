// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

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
		{"another cluster", bounded, shown("", spiffe), "", "app", dev, 403, `"prod" may not say that a record is of the cluster "dev" (record 1 of 1): it has prod, prod-2`, "cluster"},
		{"another cluster, nested", bounded, shown("", spiffe), "", "app", `{"k8s":{"cluster":{"name":"dev"}}}`, 403, `cluster "dev"`, "cluster"},
		{"another cluster among others", bounded, shown("", spiffe), "", "app", prod + "\n" + dev + "\n{oops", 403, "record 2 of 2", "cluster"},
		{"a certificate of nobody", bounded, shown("stranger", ""), "", "vector", prod, 403, `no entry of ingest.identities has the certificate "stranger"`, "certificate"},
		{"a certificate of nobody, and a token", bounded, shown("stranger", ""), "sesame", "office", none, 200, "office", ""},
		{"a token of another source", bounded, nil, "sesame", "vector", none, 403, `"office" may not post to the source "vector"`, "source"},
		{"a token of another cluster", bounded, nil, "sesame", "office", prod, 403, `cluster "prod"`, "cluster"},
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
			if known := tt.reason == "source" || tt.reason == "cluster"; known != (failed == 1) {
				t.Errorf("%d failures of a source are told", failed)
			}
			// Vector asks before it sends: it learns the same, but for what is in the records.
			if head := ask(http.MethodHead); head.Code != tt.code && tt.reason != "cluster" {
				t.Errorf("HEAD: %d", head.Code)
			}
		})
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
