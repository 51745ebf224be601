// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"tocsin/ingest"
	"tocsin/ingest/vectortest"
)

var tokens = []ingest.Token{{Name: "edge", Value: "sesame"}, {Name: "core", Value: "tar:tar"}}

// TestTokens: a token names the input, wherever it stands; a wrong one is told so before the message is read.
func TestTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, token, user string
		tokens            []ingest.Token
		input             string // "" is refused
	}{
		{"no tokens", "", "", nil, "vector"},
		{"no tokens, one is sent", "any", "", nil, "vector"},
		{"right", "sesame", "", tokens, "edge"},
		{"the other", "tar:tar", "", tokens, "core"},
		{"wrong", "seesam", "", tokens, ""},
		{"none", "", "", tokens, ""},
		{"in the address", "", "any:sesame@", tokens, "edge"},
		{"alone in the address", "", "sesame@", tokens, "edge"},
		{"wrong in the address", "", "any:seesam@", tokens, ""},
		{"a header goes before the address", "seesam", "any:sesame@", tokens, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stream
			cfg := s.config()
			cfg.Access.Tokens = tt.tokens
			addr := serve(t, cfg)
			to := sink(t, addr, grpc.WithAuthority(tt.user+addr))
			to.Token = tt.token
			_, health := to.Call(t.Context(), "HealthCheck", nil)
			err := to.Send(t.Context(), vectortest.Log{Root: map[string]any{"a": 1}})
			if tt.input == "" {
				dropped, ok := errors.AsType[*vectortest.DroppedCall](err)
				if !ok || status.Code(dropped.Err) != codes.Unauthenticated || status.Code(health) != codes.Unauthenticated {
					t.Errorf("%v, health %v", err, health)
				}
				// Were it read, the answer would be that it is too large.
				if _, err := to.Call(t.Context(), "PushEvents", make([]byte, ingest.MaxBody+1)); status.Code(err) != codes.Unauthenticated {
					t.Errorf("a stranger's message was read: %v", err)
				}
				if len(s.tries)+len(s.bad) != 0 {
					t.Error("a stranger's event was taken")
				}
				return
			}
			if err != nil || health != nil {
				t.Fatal(err, health)
			}
			if got := s.records[0].Input; got != tt.input {
				t.Errorf("input %q, want %q", got, tt.input)
			}
		})
	}
}

// TestCertificates: TLS comes with the caller's options, and a verified certificate can stand for a token.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, key := certificate(t, "authority", nil, nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	host, _ := certificate(t, "tocsin", ca.Leaf, key)
	known, _ := certificate(t, "edge-1", ca.Leaf, key)
	elsewhere, _ := certificate(t, "edge-2", ca.Leaf, key)
	unknown, _ := certificate(t, "stranger", ca.Leaf, key)
	var s stream
	cfg := s.config()
	cfg.Access = ingest.Access{Tokens: tokens, Certificates: true, Identities: []ingest.Identity{
		{Certificate: "edge-1", Name: "1", Clusters: []string{"prod"}}, {Certificate: "edge-2", Sources: []string{"falco"}},
	}}
	server := grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{host}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}))
	addr := serve(t, cfg, server)
	cfg.Access.Tokens = nil
	closed := serve(t, cfg, server)
	tests := []struct {
		name, addr, token, input string // without an input it is refused
		certificates             []tls.Certificate
		cluster                  string
		code                     codes.Code
	}{
		{"a certificate", addr, "", "1", []tls.Certificate{known}, "", codes.OK},
		{"a certificate, without tokens", closed, "", "1", []tls.Certificate{known}, "", codes.OK},
		{"a certificate goes before a token", addr, "sesame", "1", []tls.Certificate{known}, "", codes.OK},
		{"a token goes without a certificate", addr, "sesame", "edge", nil, "dev", codes.OK},
		{"a token mends a certificate", addr, "sesame", "edge", []tls.Certificate{unknown}, "", codes.OK},
		{"its own cluster", addr, "", "1", []tls.Certificate{known}, "prod", codes.OK},
		{"another cluster, which is in quarantine", addr, "", "", []tls.Certificate{known}, "dev", codes.OK},
		{"another source", addr, "", "", []tls.Certificate{elsewhere}, "", codes.PermissionDenied},
		{"a stranger's certificate", addr, "", "", []tls.Certificate{unknown}, "", codes.PermissionDenied},
		{"nothing", addr, "", "", nil, "", codes.Unauthenticated},
		{"nothing, without tokens", closed, "", "", nil, "", codes.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to := sink(t, tt.addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "127.0.0.1", Certificates: tt.certificates})))
			to.Token = tt.token
			n, kept := len(s.records), len(s.bad)
			_, err := to.Call(t.Context(), "PushEvents", vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1, "k8s.cluster.name": tt.cluster}})))
			if tt.input == "" {
				if status.Code(err) != tt.code || len(s.records) != n || err == nil && (len(s.bad) != kept+1 || s.bad[kept].Reason != ingest.ForeignCluster) {
					t.Errorf("%v, %d records, quarantine %+v", err, len(s.records), s.bad[kept:])
				}
				return
			}
			if err != nil || len(s.records) != n+1 || s.records[n].Input != tt.input {
				t.Fatalf("%v, records %v, want input %q", err, s.records[n:], tt.input)
			}
		})
	}
}

// certificate makes one for name, signed by parent or by itself.
func certificate(t *testing.T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (tls.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: parent == nil, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, key
}
