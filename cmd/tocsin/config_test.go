// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configured runs `config check` on a file's text with an environment, and returns the exit code and all that was said.
func configured(t *testing.T, text string, env map[string]string, args ...string) (int, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := &cli{stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: func(k string) string { return env[k] }}
	code := runCLI(context.Background(), c, append([]string{"config", "check", "--config", file}, args...))
	return code, strings.ReplaceAll(out.String(), file, "FILE")
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		env        map[string]string
		want       string
	}{
		{"unknown key", "ingest:\n  lisen: 127.0.0.1:1\n", nil, `FILE:2: there is no key ingest.lisen: did you mean "listen"?`},
		{"unknown section", "zebra: 1\n", nil, "FILE:1: there is no key zebra: here are"},
		{"not a section", "ingest: 3\n", nil, "FILE:1: ingest is a section of keys: listen, "},
		{"two documents", "data: a\n---\ndata: b\n", nil, "FILE:3: a second document begins here"},
		{"not YAML", "data: [a\n", nil, "FILE:1: "},
		{"no value", "data:\n", nil, "FILE:1: data has no value"},
		{"number for text", "data: 0123\n", nil, "FILE:1: data is text: put it in quotes"},
		{"text for number", "partitions: many\n", nil, "FILE:1: partitions is a whole number"},
		{"text for truth", "api:\n  allow_plaintext: maybe\n", nil, "FILE:2: api.allow_plaintext is true or false"},
		{"no list", "rules: a\n", nil, "FILE:1: rules is a list"},
		{"no duration", "lateness: soon\n", nil, "FILE:1: lateness: "},
		{"out of range", "lateness: 25h\n", nil, "FILE:1: lateness: it is between 1s and 24h, not 25h"},
		{"from the environment", "", map[string]string{"TOCSIN_LATENESS": "0s"}, "TOCSIN_LATENESS: lateness: it is between 1s and 24h"},
		{"open API", "api:\n  listen: 0.0.0.0:1\n", nil, "FILE:2: api.listen: 0.0.0.0:1 is not loopback, and there is no TLS"},
		{"open ingest without a token", "ingest:\n  listen: 0.0.0.0:1\n  allow_plaintext: true\n", nil, "whoever reaches it could post: set ingest.token"},
		{"empty token", "ingest:\n  tokens: [{name: a, value: ''}]\n", nil, "ingest.tokens[0].value: it is empty"},
		{"open native sink", "vector: {listen: ':6000'}\n", nil, "FILE:1: vector.listen: :6000 is not loopback, and there is no TLS"},
		{"Falco without certificates", "falco:\n  grpc: [{address: 'node-a:5060'}]\n", nil, "falco.grpc[0]: an address that is no unix socket needs ca, cert and key"},
		{"replicas of one server", "nats: {replicas: 3}\n", nil, "FILE:1: nats.replicas: the embedded NATS is one server"},
		{"half a certificate", "nats: {url: 'nats://x', cert: a}\n", nil, "FILE:1: nats.cert: nats.cert and nats.key go together"},
		{"unknown role", "roles: [ingst]\n", nil, `FILE:1: roles: there is no role "ingst"`},
		{"no role", "roles: []\n", nil, "FILE:1: roles: it names none: leave the key out for all"},
		{"a role without a NATS of one's own", "roles: [ingest, match]\n", nil, "FILE:1: roles: a process with ingest, match alone meets those with the other roles in NATS, and the embedded one is reachable from nowhere else: set nats.url, or run all"},
		{"a role without a store of all", "nats: {url: 'nats://x'}\n", map[string]string{"TOCSIN_ROLES": "ingest,correlate"}, "TOCSIN_ROLES: roles: a process with ingest, correlate alone shares the store with those of the other roles, and SQLite is a file of one process: set store.url to a PostgreSQL, or run all"},
		{"a role on SQLite by name", "roles: [alert]\nstore: {url: 'sqlite:x.db'}\n", nil, "FILE:1: roles: a process with alert alone shares the store"},
		{"open ingest of a process that runs it", "roles: [ingest]\nnats: {url: 'nats://x'}\ningest: {listen: '0.0.0.0:1'}\n", nil, "FILE:3: ingest.listen: 0.0.0.0:1 is not loopback"},
		{"edge of a process with other roles", "nats: {url: 'nats://x'}\nedge: {bytes: 1073741824}\n", nil, "FILE:2: edge.bytes: a process at the edge works while its hub is away, and only ingest can"},
		{"edge with no room", "roles: [ingest]\nnats: {url: 'nats://x'}\n", map[string]string{"TOCSIN_EDGE_BYTES": "-1"}, "TOCSIN_EDGE_BYTES: edge.bytes: it is at least 16777216, not -1"},
		{"edge of no size", "", map[string]string{"TOCSIN_EDGE_BYTES": "10GiB"}, "TOCSIN_EDGE_BYTES: "},
		{"edge without a hub", "roles: [ingest]\nedge: {bytes: 1073741824}\n", nil, "FILE:1: roles: a process with ingest alone"},
		{"edge that watches a cluster", "roles: [ingest]\nnats: {url: 'nats://x'}\nedge: {bytes: 1073741824}\nkyverno: {enabled: true}\n", nil, "FILE:3: edge.bytes: what was told of policy reports is kept at the hub"},
		{"receiver without a URL", "alert:\n  receivers: [{name: a, type: webhook}]\n", nil, "alert.receivers[0]"},
		{"secret on the line", "store:\n  url: {a: hunter2}\n", nil, "FILE:2: store.url is text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			code, said := configured(t, tc.text, tc.env)
			if code != 2 || !strings.Contains(said, tc.want) || strings.Contains(said, "hunter2") {
				t.Errorf("exit %d:\n%s\nwant 2 and %q", code, said, tc.want)
			}
		})
	}
}

// TestConfigOfRoles: what each set of roles needs, and no more; listeners of other roles may be anything.
func TestConfigOfRoles(t *testing.T) {
	t.Parallel()
	open := "ingest: {listen: '0.0.0.0:1'}\n"
	const nats, postgres = "nats: {url: 'nats://x'}\n", "store: {url: 'postgres://x/y'}\n"
	for _, text := range []string{
		"roles: [all]\n", "roles: [api, alert, correlate, match, ingest]\n", "roles: [match, all]\n",
		"roles: [ingest]\n" + nats, "roles: [match]\n" + nats + open, "roles: [ingest, match]\n" + nats, "roles: [correlate]\n" + nats + postgres + open,
		"roles: [api, alert]\n" + nats + postgres + open, "roles: [ingest]\n" + nats + "api: {listen: '0.0.0.0:1'}\n",
		"roles: [ingest]\nedge: {bytes: 16777216}\n" + nats, "roles: [match, api]\nedge: {bytes: 16777216}\n" + nats + postgres,
		"roles: [alert]\n" + postgres, // what it does is in the store
	} {
		if code, said := configured(t, text, nil); code != 0 {
			t.Errorf("%s is refused:\n%s", text, said)
		}
	}
}

// TestConfigCheck: what is in force, from where, and no secret.
func TestConfigCheck(t *testing.T) {
	t.Parallel()
	code, said := configured(t, `
store: {url: "postgres://me:hunter2@db/x?sslpassword=hunter2"}
ingest:
  tokens: [{name: edge, value: hunter2}]
alert:
  receivers: [{name: chat, type: webhook, url: "https://hooks.example/services/hunter2", secrets: [whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==]},
    {name: logs, type: loki, url: "https://loki.example", user: me, password: hunter2, labels: {cluster: eu}, detections: true},
    {name: more, type: loki, url: "https://loki.example", token: hunter2}]
`, map[string]string{"TOCSIN_API_TOKEN": "hunter2", "TOCSIN_LATENESS": "90s"}, "--data", "here")
	if code != 0 || strings.Contains(said, "hunter2") || strings.Contains(said, "aHVudGVy") {
		t.Errorf("exit %d:\n%s", code, said)
	}
	for _, want := range []string{
		`data: "here" # --data`, "lateness: 90s # TOCSIN_LATENESS", `token: "xxxxx" # TOCSIN_API_TOKEN`, "FILE:2", "FILE:4", "partitions: 16 # default",
	} {
		if flat := strings.Join(strings.Fields(said), " "); !strings.Contains(flat, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}
