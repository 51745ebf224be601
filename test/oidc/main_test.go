// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is tocsin, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tocsin-oidc")
	if err == nil {
		binary = filepath.Join(dir, "tocsin")
		build := exec.Command("go", "build", "-o", binary, "./cmd/tocsin")
		build.Dir = filepath.Join("..", "..")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // what is left of it is in a temporary directory
	os.Exit(code)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// log is what a process has said so far.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts tocsin with a part of a configuration about the provider, and returns when the API answers.
func serve(t *testing.T, api, oidc string) *log {
	t.Helper()
	dir := t.TempDir()
	rules := filepath.Join(dir, "r.yml")
	text := "rule: r\ntitle: t\nseverity: low\nmatch: user.name == \"a\"\n"
	config := fmt.Sprintf("data: %s\nrules: [%s]\ningest: {listen: %s}\nadmin: {listen: %s}\nvector: {listen: 'off'}\napi:\n  listen: %s\n  token: the-admin\n  oidc:\n%s",
		filepath.Join(dir, "data"), rules, freePort(t), freePort(t), api, oidc)
	for name, text := range map[string]string{"r.yml": text, "tocsin.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := &log{}
	cmd := exec.Command(binary, "serve", "--config", filepath.Join(dir, "tocsin.yaml"))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-done; err != nil {
			t.Errorf("serve: %v\n%s", err, out)
		}
	})
	until(t, func() error {
		resp, err := http.Get("http://" + api + "/api/v1/me")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	})
	return out
}

// until polls: another process has to get there.
func until(t *testing.T, what func() error) {
	t.Helper()
	end := time.Now().Add(2 * time.Minute)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// browser keeps cookies and follows where it is sent.
type browser struct {
	*http.Client
	t   *testing.T
	api string
	// way are the addresses that it was sent to.
	way []*url.URL
}

func newBrowser(t *testing.T, api string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, api: "http://" + api}
	b.Client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		b.way = append(b.way, r.URL)
		return nil
	}}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

// ask returns the code and the body of an answer.
func (b *browser) ask(method, path string, headers ...string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.api+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

type me struct {
	Authenticated bool
	Name, Via     string
	Roles, Scope  []string
	Login         struct{ OIDC bool }
}

func (b *browser) me() (out me) {
	b.t.Helper()
	code, body := b.ask(http.MethodGet, "/api/v1/me")
	if err := json.Unmarshal([]byte(body), &out); err != nil || code != http.StatusOK {
		b.t.Fatalf("%d %s", code, body)
	}
	return out
}

func config(p *provider, api, more string) string {
	return fmt.Sprintf("    issuer: %s\n    client_id: %s\n    client_secret: %q\n    redirect_url: http://%s/auth/callback\n%s", p.url, clientID, secret, api, more)
}

const (
	keycloakYAML = "    audience: tocsin-api\n    roles_claims: [realm_access.roles]\n    map: {siem-analyst: analyst, siem-admin: admin}\n    scope_claim: tocsin_scope\n"
	auth0YAML    = "    audience: https://tocsin.example.org/api\n    name_claims: [email]\n    roles_claims: [permissions, 'https://tocsin.example.org/roles']\n    map: {'siem:analyst': analyst, reader: viewer}\n"
)
