// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

// TestListenersOfRoles: a process opens and names the addresses of its roles, and no others; it tells the admin token only if it made it.
func TestListenersOfRoles(t *testing.T) {
	t.Parallel()
	for roles, want := range map[string]string{
		"ingest":       "ingest http://AT/ingest/vector and /ingest/falco; metrics http://AT/metrics",
		"match":        "metrics http://AT/metrics",
		"correlate":    "metrics http://AT/metrics",
		"alert,api":    "incidents http://AT/#token=secret; metrics http://AT/metrics",
		"api":          "incidents http://AT/; metrics http://AT/metrics",
		"ingest,match": "ingest http://AT/ingest/vector and /ingest/falco; metrics http://AT/metrics",
	} {
		cfg := defaultConfig()
		cfg.Roles, cfg.API.Token = strings.Split(roles, ","), "secret"
		cfg.Ingest.Listen, cfg.Vector.Listen, cfg.API.Listen, cfg.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		n := &node{cfg: cfg, preset: roles == "api", log: slog.New(slog.DiscardHandler)}
		if err := n.listen(); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		n.announce(&out)
		n.close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, l := range lines {
			lines[i] = strings.Join(strings.Fields(regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(l, "AT")), " ")
		}
		if got := strings.Join(lines[1:], "; "); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", roles, got, want)
		}
		if (n.vector != nil) != strings.Contains(roles, "ingest") {
			t.Errorf("%s: Vector's native sink is open: %t", roles, n.vector != nil)
		}
	}
}

// TestDemoNeedsAllRoles: a demo in a part of an installation is refused before anything is opened.
func TestDemoNeedsAllRoles(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	env := map[string]string{"TOCSIN_NATS_URL": "nats://x"}
	c := &cli{stdin: strings.NewReader(""), stdout: &said, stderr: &said, getenv: func(k string) string { return env[k] }}
	if code := runCLI(context.Background(), c, []string{"serve", "--demo", "--roles", "ingest"}); code != 2 || !strings.Contains(said.String(), "--demo") {
		t.Errorf("exit %d:\n%s", code, &said)
	}
}
