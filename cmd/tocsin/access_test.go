// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/incident"
	"tocsin/test/certs"
)

// command runs one of the client's commands against a server, and returns what it said.
func (s *serving) command(token string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	args = append(args, "--url", scheme(s.node.cfg.API.TLS.Cert)+"://"+s.node.api.Addr().String(), "--token", token)
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

// TestTokensAndAudit is the life of a token as an admin meets it, on each store: made, used, too small, revoked, and all of it in
// the audit log.
func TestTokensAndAudit(t *testing.T) {
	t.Parallel()
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serveHere(t, url(t, data), data)
			admin := s.node.cfg.API.Token
			out, errs, code := s.command(admin, "tokens", "create", "ci", "--role", "viewer", "--scope", "prod/shop", "--expires", "1h")
			secret := strings.TrimSpace(out)
			if code != 0 || !strings.HasPrefix(secret, "tocsin_") || !strings.Contains(errs, "token ci (") {
				t.Fatalf("create: %d %s%s", code, out, errs)
			}
			if out, errs, code := s.command(secret, "incidents", "list"); code != 0 {
				t.Errorf("the token lists incidents: %d %s%s", code, out, errs)
			}
			if _, errs, code := s.command(secret, "tokens", "list"); code != 1 || !strings.Contains(errs, "this needs tokens:read, which the role admin has: you have viewer") {
				t.Errorf("the token lists tokens: %d %s", code, errs)
			}
			if _, errs, code := s.command(secret, "sources"); code != 1 || !strings.Contains(errs, "you have the scope prod/shop") {
				t.Errorf("the token looks at all sources: %d %s", code, errs)
			}
			out, _, _ = s.command(admin, "tokens", "list", "-o", "json")
			var tokens []api.TokenView
			if err := json.Unmarshal([]byte(out), &tokens); err != nil || len(tokens) != 1 || tokens[0].LastUsed == 0 || tokens[0].CreatedBy != "admin" {
				t.Fatalf("list: %v %s", err, out)
			}
			if out, _, code := s.command(admin, "tokens", "revoke", tokens[0].ID); code != 0 || !strings.Contains(out, "is revoked") {
				t.Errorf("revoke: %d %s", code, out)
			}
			if _, errs, code := s.command(secret, "incidents", "list"); code != 1 || !strings.Contains(errs, "was revoked at") {
				t.Errorf("after that: %d %s", code, errs)
			}
			out, _, _ = s.command(admin, "audit", "-o", "json")
			var log []api.AuditView
			if err := json.Unmarshal([]byte(out), &log); err != nil {
				t.Fatalf("audit: %v %s", err, out)
			}
			var got []string
			for _, e := range log {
				got = append(got, fmt.Sprintf("%s %s %s %d", e.Actor, e.Operation, e.Outcome, e.Status))
			}
			want := "admin revoke-token done 204, token:ci list-sources refused 403, token:ci list-tokens refused 403, admin create-token done 201, system start-server done 0"
			if strings.Join(got, ", ") != want {
				t.Errorf("audit log:\n%s\nwant\n%s", strings.Join(got, ", "), want)
			}
			if out, _, code := s.command(admin, "audit", "--actor", "token:ci", "--since", "1h"); code != 0 || strings.Count(out, "\n") != 3 {
				t.Errorf("audit --actor: %d %s", code, out)
			}
		})
	}
}

// TestAScopeSeesItsNamespace has incidents of two namespaces, and a token for one of them, on each store.
func TestAScopeSeesItsNamespace(t *testing.T) {
	t.Parallel()
	rule := filepath.Join(t.TempDir(), "shell.yml")
	text := "rule: shell\ntitle: Shell\nseverity: high\nmatch: event.action == \"shell\"\nby: k8s.namespace.name\n"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind, url := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serveHere(t, url(t, data), data, func(c *Config) { c.Rules = []string{rule} })
			admin := s.node.cfg.API.Token
			out, errs, code := s.command(admin, "tokens", "create", "shop", "--role", "analyst", "--scope", "prod/shop")
			if code != 0 {
				t.Fatal(errs)
			}
			shop := strings.TrimSpace(out)
			var events []string
			for i, ns := range []string{"shop", "pay"} {
				events = append(events, fmt.Sprintf(`{"event.id":"%d","timestamp":%q,"event.action":"shell","k8s.cluster.name":"prod","k8s.namespace.name":%q}`,
					i, time.Now().UTC().Format(time.RFC3339Nano), ns))
			}
			resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/vector", "application/json", strings.NewReader("["+strings.Join(events, ",")+"]"))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			_ = resp.Body.Close()
			list := func(token string) (out []incident.View) {
				t.Helper()
				text, errs, code := s.command(token, "incidents", "list", "-o", "json")
				if err := json.Unmarshal([]byte(text), &out); err != nil || code != 0 {
					t.Fatalf("%v %s%s", err, text, errs)
				}
				return out
			}
			var all []incident.View
			waitFor(t, 20*time.Second, func() bool { return true }, func() error {
				if all = list(admin); len(all) != 2 {
					return fmt.Errorf("%d incidents", len(all))
				}
				return nil
			})
			seen := list(shop)
			if len(seen) != 1 || seen[0].Key["k8s.namespace.name"] != "shop" {
				t.Fatalf("in scope: %+v", seen)
			}
			for _, v := range all {
				want := 1
				if v.ID == seen[0].ID {
					want = 0
				}
				if out, errs, code := s.command(shop, "incidents", "show", v.ID); code != want || want == 1 && !strings.Contains(errs, "not found") {
					t.Errorf("show %v: %d %s%s", v.Key, code, out, errs)
				}
				if out, errs, code := s.command(shop, "incidents", "close", v.ID, "--verdict", "benign"); code != want {
					t.Errorf("close %v: %d %s%s", v.Key, code, out, errs)
				}
			}
		})
	}
}

// TestTLS serves the API over TLS on its own.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := certs.Write(t)
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.API.TLS.Cert, c.API.TLS.Key = cert, key })
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + s.node.api.Addr().String() + "/api/v1/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %v %s %v", resp.StatusCode, resp.Header, b, err)
	}
	var out bytes.Buffer
	s.node.announce(&out)
	if !strings.Contains(out.String(), "https://"+s.node.api.Addr().String()) {
		t.Error(out.String())
	}
}

// TestCertificatesAreRenewed: a pair that was written anew is served without a restart, and half of one is not.
func TestCertificatesAreRenewed(t *testing.T) {
	t.Parallel()
	_, cert, key := certs.Write(t)
	k := freshPair(cert, key, slog.New(slog.DiscardHandler))
	serial := func() string {
		t.Helper()
		k.looked = time.Time{} // it is time to look
		pair, err := k.get()
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.NotAfter.String() + string(pair.Leaf.Signature)
	}
	first := serial()
	_, otherCert, otherKey := certs.Write(t)
	later := time.Now().Add(time.Minute)
	replace := func(to, from string) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		if err == nil {
			err = os.Chtimes(to, later, later)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(cert, otherCert)
	if serial() != first {
		t.Error("a certificate is served whose key is not there yet")
	}
	replace(key, otherKey)
	if serial() == first {
		t.Error("a certificate that was renewed is not served")
	}
	if _, err := freshPair(cert, otherCert, slog.New(slog.DiscardHandler)).get(); err == nil {
		t.Error("a key that is none is taken at the start")
	}
}
