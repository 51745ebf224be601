// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"tocsin/api"
	"tocsin/ingest"
	"tocsin/ingest/vectortest"
	"tocsin/test/certs"
)

// sends returns how a client that shows some certificates posts, each time over a new connection: the status, and the body or what TLS said.
func sends(t *testing.T, ca *certs.Authority, addr string, shown ...tls.Certificate) func(source, body string) (int, string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	return func(source, body string) (int, string) {
		t.Helper()
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			RootCAs: pool, MinVersion: tls.VersionTLS12,
			// Whatever authorities the server asks for: else one of another would not be shown.
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(shown) == 0 {
					return new(tls.Certificate), nil
				}
				return &shown[0], nil
			},
		}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Post("https://"+addr+"/ingest/"+source, "application/json", strings.NewReader(body))
		if err != nil {
			return 0, tlsAlert(t, addr, transport.TLSClientConfig).Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
}

// tlsAlert returns what TLS says to a client that is refused. An HTTP client may say instead that it could not write any more.
func tlsAlert(t *testing.T, addr string, cfg *tls.Config) error {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err = conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection is taken")
	}
	return err
}

func named(uri string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, err := url.Parse(uri)
		if err != nil {
			panic(err)
		}
		c.Subject.CommonName, c.DNSNames, c.URIs = "", nil, []*url.URL{u}
	}
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func writeFiles(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestClientCertificates: sources post with certificates, over HTTP and gRPC. Whoever shows none, one of a stranger or one that is over
// learns why, and so does who claims what its certificate may not.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	const prod, wanderer = "spiffe://prod/ns/vector/sa/vector", "spiffe://nowhere/wanderer"
	ca, other := certs.New(t), certs.New(t)
	cert, key := ca.Sign(t)
	dir := writeFiles(t, map[string][]byte{"ca.pem": ca.PEM, "cert.pem": cert, "key.pem": key})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, auth := range []string{authOptional, authRequired} {
		t.Run(auth, func(t *testing.T) {
			data := t.TempDir()
			s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
				c.Ingest.TLS = ingestTLS{Cert: in("cert.pem"), Key: in("key.pem"), ClientCA: in("ca.pem"), ClientAuth: auth}
				c.Vector.Cert, c.Vector.Key, c.Vector.ClientCA, c.Vector.ClientAuth = in("cert.pem"), in("key.pem"), in("ca.pem"), auth
				c.Ingest.Identities = []ingest.Identity{{Certificate: prod, Name: "prod", Sources: []string{"vector"}, Clusters: []string{"prod"}}}
				c.Ingest.Tokens = []ingest.Token{{Name: "office", Value: "sesame"}}
			})
			none := struct {
				code int
				says string
				grpc codes.Code
			}{401, "there is no client certificate", codes.Unauthenticated}
			if auth == authRequired {
				none.code, none.says, none.grpc = 0, "certificate required", codes.Unavailable
			}
			tests := []struct {
				name         string
				shown        []tls.Certificate
				source, body string
				code         int
				says         string
				grpc         codes.Code
			}{
				{"its own", []tls.Certificate{ca.Pair(t, named(prod))}, "vector", `{"k8s.cluster.name":"prod"}`, 200, `"accepted":1`, codes.OK},
				{"another source", []tls.Certificate{ca.Pair(t, named(prod))}, "falco", `{"k8s.cluster.name":"prod"}`, 403, "may not post to the source", codes.OK},
				{"another cluster", []tls.Certificate{ca.Pair(t, named(prod))}, "vector", `{"k8s.cluster.name":"dev"}`, 200, `"accepted":0,"quarantined":1`, codes.OK},
				{"of nobody", []tls.Certificate{ca.Pair(t, named(wanderer))}, "vector", `{}`, 403, "no entry of ingest.identities has the certificate", codes.PermissionDenied},
				{"over", []tls.Certificate{ca.Pair(t, named(prod), expired)}, "vector", `{}`, 0, "expired certificate", codes.Unavailable},
				{"of another authority", []tls.Certificate{other.Pair(t, named(prod))}, "vector", `{}`, 0, "unknown certificate authority", codes.Unavailable},
				{"none", nil, "vector", `{}`, none.code, none.says, none.grpc},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					code, says := sends(t, ca, s.node.ingest.Addr().String(), tt.shown...)(tt.source, tt.body)
					if code != tt.code || !strings.Contains(says, tt.says) {
						t.Errorf("%d %s, want %d %s", code, says, tt.code, tt.says)
					}
					pool := x509.NewCertPool()
					pool.AppendCertsFromPEM(ca.PEM)
					conn, err := grpc.NewClient(s.node.vector.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: tt.shown, MinVersion: tls.VersionTLS12})))
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					root := map[string]any{"a": "b"}
					if strings.Contains(tt.body, "dev") {
						root["k8s.cluster.name"] = "dev"
					}
					_, err = (&vectortest.Native{Conn: conn}).Call(t.Context(), "PushEvents", vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: root})))
					if status.Code(err) != tt.grpc {
						t.Errorf("gRPC: %v, want %s", err, tt.grpc)
					}
				})
			}
			if n := s.count(t, "tocsin_ingest_refused_total"); n < 5 {
				t.Errorf("%v refusals are counted", n)
			}
			for _, listener := range []string{"ingest", "vector"} {
				if n := s.count(t, fmt.Sprintf("tocsin_tls_handshake_failures_total{listener=%q}", listener)); n < 2 { // those of two tests
					t.Errorf("%v handshakes that failed are counted of %s", n, listener)
				}
			}
			if errs := s.releasesForeign(t); !strings.Contains(errs, "no entry of ingest.tokens") {
				t.Errorf("released: %s", errs)
			}
			var out bytes.Buffer
			s.node.announce(&out)
			if !strings.Contains(out.String(), "https://"+s.node.ingest.Addr().String()) {
				t.Error(out.String())
			}
		})
	}
}

// releasesForeign has an operator release the newest record of a foreign cluster, and returns what is said.
func (s *serving) releasesForeign(t *testing.T) string {
	t.Helper()
	var page struct{ Items []api.QuarantineView }
	if code := s.get("/api/v1/quarantine?reason=foreign_cluster", &page); code != http.StatusOK || len(page.Items) != 2 || page.Items[0].Input != "prod" {
		t.Fatalf("%d: %+v", code, page.Items)
	}
	_, errs, _ := s.command(s.node.cfg.API.Token, "quarantine", "release", page.Items[0].ID)
	return errs
}

// count sums the series of /metrics that begin so.
func (s *serving) count(t *testing.T, series string) (sum float64) {
	t.Helper()
	_, text := s.admin("/metrics")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, series) {
			n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// TestAuthorityIsReplaced: certificates of an authority that the file no longer has are refused, also to who was here before with one, and
// those of the new one count, without a restart. A file that holds nothing changes nothing.
func TestAuthorityIsReplaced(t *testing.T) {
	t.Parallel()
	ca, next := certs.New(t), certs.New(t)
	cert, key := ca.Sign(t)
	dir := writeFiles(t, map[string][]byte{"ca.pem": ca.PEM, "cert.pem": cert, "key.pem": key})
	file := filepath.Join(dir, "ca.pem")
	files, err := newServerTLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), file, authRequired, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: tls.NewListener(ln, files.config()), Config: &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}}
	srv.Start()
	defer srv.Close()
	age := time.Now()
	replace := func(b []byte) {
		t.Helper()
		age = age.Add(time.Minute)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, age, age); err != nil {
			t.Fatal(err)
		}
		files.clients.mu.Lock()
		files.clients.looked = time.Time{} // it is time to look
		files.clients.mu.Unlock()
	}
	addr := ln.Addr().String()
	old, young := ca.Pair(t), next.Pair(t)
	// comes says whether a connection of one who comes back, and has kept its session, is taken.
	sessions := map[*tls.Certificate]tls.ClientSessionCache{&old: tls.NewLRUClientSessionCache(4), &young: tls.NewLRUClientSessionCache(4)}
	comes := func(shown *tls.Certificate, newest uint16) (string, error) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca.PEM)
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: newest, ClientSessionCache: sessions[shown],
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil },
		}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + addr)
		if err != nil {
			return "", tlsAlert(t, addr, transport.TLSClientConfig)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	expect := func(what string, shown *tls.Certificate, refusal string) {
		t.Helper()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			proto, err := comes(shown, version)
			if refusal == "" && (err != nil || proto != "HTTP/2.0") {
				t.Errorf("%s, %s: %s %v", what, tls.VersionName(version), proto, err)
			}
			if refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)) {
				t.Errorf("%s, %s: %s %v, want %s", what, tls.VersionName(version), proto, err, refusal)
			}
		}
	}
	const unknown = "unknown certificate authority"
	expect("the old one before", &old, "")
	expect("the new one before", &young, unknown)
	replace([]byte("half a fi"))
	expect("the old one with half a file", &old, "")
	replace(append(bytes.Clone(ca.PEM), next.PEM...))
	expect("the old one with both", &old, "")
	expect("the new one with both", &young, "")
	replace(next.PEM)
	expect("the old one after", &old, unknown)
	expect("the new one after", &young, "")
	if _, err := comes(&young, tls.VersionTLS11); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}
