// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

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

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// mount lays files out as the kubelet does: each a link to one of a hidden directory, which is a link itself.
func mount(t *testing.T, dir string, data any) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "..2026"), 0o755))
	must(os.Symlink("..2026", filepath.Join(dir, "..data")))
	for name, text := range data.(object) {
		must(os.WriteFile(filepath.Join(dir, "..2026", name), []byte(text.(string)), 0o644))
		must(os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
}

// TestServes: tocsin starts with the configuration, the arguments and the environment of the pod, the probes' addresses answer, and the
// tokens of the chart's Secret are those that count.
func TestServes(t *testing.T) {
	r := render(t, "rules:\n  extra:\n    own.yml: |\n      rule: own\n      title: Somebody was root\n      severity: low\n      match: user.name == \"root\"\n")
	tmp := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(root, "rules.d"))
	if err != nil {
		t.Fatal(err)
	}
	at := make(map[string]string)
	moved := []string{`/data`, filepath.Join(tmp, "data"), `/rules.d`, rules, `/rules.extra`, filepath.Join(tmp, "rules.extra")}
	for _, p := range r.container()["ports"].([]any) {
		name := get(p, "name").(string)
		port := freePort(t)
		at[name] = "127.0.0.1:" + port
		moved = append(moved, fmt.Sprintf("listen: :%v", get(p, "containerPort")), "listen: :"+port)
	}
	mount(t, filepath.Join(tmp, "rules.extra"), r.one("ConfigMap", "tocsin-rules")["data"])
	mount(t, filepath.Join(tmp, "etc"), object{"tocsin.yaml": strings.NewReplacer(moved...).Replace(r.tocsinYAML())})

	out := &log{}
	config := filepath.Join(tmp, "etc", "tocsin.yaml")
	cmd := exec.Command(binary, r.args(config)...)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = out, out, r.env(), tmp
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
	defer end()
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		end() // nobody will answer
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("serve: %v\n%s", err, out)
		}
	})
	tokens := make(map[string]string)
	for _, e := range r.env() {
		name, value, _ := strings.Cut(e, "=")
		tokens[name] = value
	}

	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		url := "http://" + at["admin"] + get(r.container(), probe, "httpGet", "path").(string)
		for code := 0; code != http.StatusOK; {
			if code, _ = ask(t, http.MethodGet, url, "", ""); ctx.Err() != nil {
				t.Fatalf("%s: %s answers %d\n%s", probe, url, code, out)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	record := `{"event.id":"1","user.name":"root"}`
	for _, x := range []struct {
		method, url, token, body string
		want                     int
	}{
		{http.MethodPost, at["ingest"] + "/ingest/vector", tokens["TOCSIN_INGEST_TOKEN"], record, http.StatusOK},
		{http.MethodPost, at["ingest"] + "/ingest/vector", tokens["TOCSIN_API_TOKEN"], record, http.StatusUnauthorized},
		{http.MethodPost, at["ingest"] + "/ingest/falco/" + tokens["TOCSIN_INGEST_TOKEN"], "", record, http.StatusOK},
		{http.MethodGet, at["api"] + "/api/v1/rules/own", tokens["TOCSIN_API_TOKEN"], "", http.StatusOK},
		{http.MethodGet, at["api"] + "/api/v1/rules/brute-force-then-login", tokens["TOCSIN_API_TOKEN"], "", http.StatusOK},
		{http.MethodGet, at["api"] + "/api/v1/rules/own", tokens["TOCSIN_INGEST_TOKEN"], "", http.StatusUnauthorized},
	} {
		if code, body := ask(t, x.method, "http://"+x.url, x.token, x.body); code != x.want {
			t.Errorf("%s %s: %d, want %d: %s", x.method, x.url, code, x.want, body)
		}
	}

	// As kubectl exec does it.
	sources := exec.Command(binary, "sources", "--config", config)
	sources.Env = r.env()
	if text, err := sources.CombinedOutput(); err != nil || !strings.Contains(string(text), "vector") {
		t.Errorf("sources: %v\n%s", err, text)
	}
}

// ask returns the code and the body of an answer; the code is 0 if nobody is there.
func ask(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
