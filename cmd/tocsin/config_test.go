// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
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
		{"open API says how", "api:\n  listen: 0.0.0.0:1\n", nil, "set api.tls.cert and api.tls.key, or put a proxy with TLS before it and say api.allow_plaintext: true"},
		{"half of the API's certificate", "api:\n  tls: {cert: a}\n", nil, "FILE:2: api.tls.cert: api.tls.cert and api.tls.key go together"},
		{"neither true nor false", "", map[string]string{"TOCSIN_API_ALLOW_PLAINTEXT": "perhaps"}, "TOCSIN_API_ALLOW_PLAINTEXT: "},
		{"a negative rate", "api:\n  rate: {address: -1}\n", nil, "FILE:2: api.rate.address: it is negative"},
		{"a proxy by name", "api:\n  trusted_proxies: [nginx]\n", nil, `api.trusted_proxies[0]: "nginx" is no address and no network`},
		{"no provider", "api:\n  oidc: {audience: a}\n", nil, "api.oidc.issuer: it names no provider"},
		{"a provider without TLS", "api:\n  oidc: {issuer: 'http://id.example.org', audience: a}\n", nil, "is not https: whoever is on the way could make tokens"},
		{"a provider that is no address", "api:\n  oidc: {issuer: id.example.org, audience: a}\n", nil, "is no address such as https://"},
		{"no audience", "api:\n  oidc: {issuer: 'https://id.example.org'}\n", nil, "api.oidc.audience: it is empty"},
		{"a symmetric algorithm", "api:\n  oidc: {issuer: 'https://a', audience: a, algorithms: [HS256]}\n", nil, `api.oidc.algorithms[0]: "HS256" is not taken`},
		{"no algorithm", "api:\n  oidc: {issuer: 'https://a', audience: a, algorithms: [none]}\n", nil, `api.oidc.algorithms[0]: "none" is not taken`},
		{"no map", "api:\n  oidc: {issuer: 'https://a', audience: a}\n", nil, "api.oidc.map: it is empty"},
		{"a role that there is not", "api:\n  oidc: {issuer: 'https://a', audience: a, map: {x: analist}}\n", nil, `api.oidc.map: x: there is no role "analist": did you mean "analyst"?`},
		{"a login without a way back", "api:\n  oidc: {issuer: 'https://a', audience: a, map: {x: admin}, client_id: c}\n", nil, "api.oidc.redirect_url: "},
		{"a login that ends elsewhere", "api:\n  oidc: {issuer: 'https://a', audience: a, map: {x: admin}, client_id: c, redirect_url: 'https://b/cb'}\n", nil, "its path is /auth/callback"},
		{"a login for a year", "api:\n  oidc: {issuer: 'https://a', audience: a, map: {x: admin}, client_id: c, redirect_url: 'https://b/auth/callback', session: 365d}\n", nil, "api.oidc.session: it is between 1m and 30d"},
		{"open ingest without a token", "ingest:\n  listen: 0.0.0.0:1\n  allow_plaintext: true\n", nil, "whoever reaches it could post: set ingest.token"},
		{"open ingest says how", "ingest:\n  listen: 0.0.0.0:1\n", nil, "set ingest.tls.cert and ingest.tls.key, or put a proxy with TLS before it and say ingest.allow_plaintext: true"},
		{"open ingest with TLS alone", "ingest:\n  listen: 0.0.0.0:1\n  tls: {cert: a, key: b}\n", nil, "whoever reaches it could post: set ingest.token, ingest.tokens or ingest.tls.client_ca"},
		{"half of ingest's certificate", "ingest:\n  tls: {key: a}\n", nil, "ingest.tls.cert: ingest.tls.cert and ingest.tls.key go together"},
		{"certificates of clients without TLS", "ingest:\n  tls: {client_ca: a}\n", nil, "ingest.tls.client_ca: clients show certificates over TLS only"},
		{"certificates of clients, sometimes", "ingest:\n  tls: {cert: a, key: b, client_ca: c, client_auth: maybe}\n", nil, `ingest.tls.client_auth: it is optional or required, not "maybe"`},
		{"certificates of nobody", "vector: {cert: a, key: b, client_auth: required}\n", nil, "vector.client_auth: it says whose certificates nowhere: set vector.client_ca"},
		{"identities of nobody", "ingest:\n  identities: [{certificate: a}]\n", nil, "ingest.identities: nobody is asked for a certificate"},
		{"an identity without a certificate", "ingest:\n  tls: {cert: a, key: b, client_ca: c}\n  identities: [{name: a}]\n", nil, "ingest.identities[0].certificate: it is a URI, "},
		{"an identity twice", "ingest:\n  tls: {cert: a, key: b, client_ca: c}\n  identities: [{certificate: a}, {certificate: a}]\n", nil, `ingest.identities[1].certificate: "a" is there twice`},
		{"an identity of no source", "ingest:\n  tls: {cert: a, key: b, client_ca: c}\n  identities: [{certificate: a, sources: [Vector]}]\n", nil, `ingest.identities[0].sources[0]: "Vector" is no name of a source`},
		{"a token of no cluster", "ingest:\n  tokens: [{name: a, value: b, clusters: ['']}]\n", nil, "ingest.tokens[0].clusters[0]: it is empty"},
		{"a token with a negative rate", "ingest:\n  tokens: [{name: a, value: b, rate: -1}]\n", nil, "ingest.tokens[0].rate: it is negative"},
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
		{"an anchor of nothing", "audit:\n  anchors: [{every: 1h}]\n", nil, "audit.anchors[0]: it has a file or a url"},
		{"an anchor of both", "audit:\n  anchors: [{file: a, url: 'https://a'}]\n", nil, "audit.anchors[0]: it has a file or a url"},
		{"an anchor at no address", "audit:\n  anchors: [{file: a}, {url: 'hunter2'}]\n", nil, "FILE:2: audit.anchors[1].url: not an http or https address with a host"},
		{"an anchor too often", "audit:\n  anchors: [{file: a, every: 1s}]\n", nil, "FILE:2: audit.anchors[0].every: it is between 1m and 30d, not 1s"},
		{"an anchor twice", "audit:\n  anchors: [{name: a, file: a}, {name: a, file: b}]\n", nil, `audit.anchors[1].name: there is an anchor "a" already`},
		{"an anchor with the number of another", "audit:\n  anchors: [{name: '1', file: a}, {file: b}]\n", nil, `audit.anchors[1].name: there is an anchor "1" already`},
		{"an anchor with no name", "audit:\n  anchors: [{name: A B, file: a}]\n", nil, `audit.anchors[0].name: "A B" is no name`},
		{"an anchor by another method", "audit:\n  anchors: [{url: 'https://a', method: GET}]\n", nil, `audit.anchors[0].method: it is PUT or POST, not "GET"`},
		{"an anchor with two tokens", "audit:\n  anchors: [{url: 'https://a', token: hunter2, token_file: b}]\n", nil, "audit.anchors[0].token_file: there is a token already"},
		{"an anchor with a user and a token", "audit:\n  anchors: [{url: 'https://a:hunter2@b', token_file: b}]\n", nil, "audit.anchors[0].url: a user in it and a token are two credentials"},
		{"an anchor with a token of two lines", "audit:\n  anchors: [{url: 'https://a', token: \"hunter2\\nx\"}]\n", nil, "audit.anchors[0].token: it has blanks around it, or more than one line"},
		{"an anchor with no header", "audit:\n  anchors: [{url: 'https://a', headers: {'X Y': hunter2}}]\n", nil, `audit.anchors[0].headers: "X Y" is no name of a header`},
		{"an anchor with a header of two lines", "audit:\n  anchors: [{url: 'https://a', headers: {X-Y: \"hunter2\\nx\"}}]\n", nil, "audit.anchors[0].headers: the value of X-Y has a control character"},
		{"an anchor with Authorization twice", "audit:\n  anchors: [{url: 'https://a', token_file: b, headers: {authorization: hunter2}}]\n", nil, "audit.anchors[0].headers: Authorization is there already"},
		{"a file with a token", "audit:\n  anchors: [{file: a, token_file: b}]\n", nil, "audit.anchors[0].file: method, headers, token and token_file are of a url"},
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
audit:
  anchors: [{url: "https://anchors.example/hunter2", token: hunter2, headers: {X-Key: hunter2}, every: 6h}]
alert:
  receivers: [{name: chat, type: webhook, url: "https://hooks.example/services/hunter2", secrets: [whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==]},
    {name: logs, type: loki, url: "https://loki.example", user: me, password: hunter2, labels: {cluster: eu}, detections: true},
    {name: more, type: loki, url: "https://loki.example", token: hunter2}]
`, map[string]string{"TOCSIN_API_TOKEN": "hunter2", "TOCSIN_API_OIDC_CLIENT_SECRET": "hunter2", "TOCSIN_LATENESS": "90s"}, "--data", "here")
	if code != 0 || strings.Contains(said, "hunter2") || strings.Contains(said, "aHVudGVy") {
		t.Errorf("exit %d:\n%s", code, said)
	}
	for _, want := range []string{
		`data: "here" # --data`, "lateness: 90s # TOCSIN_LATENESS", `token: "xxxxx" # TOCSIN_API_TOKEN`, `client_secret: "xxxxx" # TOCSIN_API_OIDC_CLIENT_SECRET`, "FILE:2", "FILE:4", "partitions: 16 # default",
	} {
		if flat := strings.Join(strings.Fields(said), " "); !strings.Contains(flat, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// TestTheSumOfAConfiguration: it is the same whatever the secrets are and wherever the values came from, and another for any other value.
func TestTheSumOfAConfiguration(t *testing.T) {
	t.Parallel()
	const text = "lateness: 90s\ningest:\n  token: %s\napi:\n  oidc: {issuer: 'https://a', audience: a, map: {x: admin, y: viewer, z: analyst, w: engineer}}\n"
	sum := func(text string, env map[string]string, args ...string) string {
		t.Helper()
		code, said := configured(t, text, env, args...)
		_, sum, ok := strings.Cut(said, "# SHA-256 of the keys and values, without secrets: ")
		if code != 0 || !ok || len(sum) != 65 {
			t.Fatalf("exit %d:\n%s", code, said)
		}
		return sum
	}
	is := sum(fmt.Sprintf(text, "hunter2"), nil)
	for name, same := range map[string]string{
		"another secret": sum(fmt.Sprintf(text, "hunter3"), nil), "from the environment": sum(fmt.Sprintf(text, "a"), map[string]string{"TOCSIN_LATENESS": "90s"}),
		"a token of the API": sum(fmt.Sprintf(text, "a"), map[string]string{"TOCSIN_API_TOKEN": "hunter2"}),
	} {
		if same != is {
			t.Errorf("%s: %s, want %s", name, same, is)
		}
	}
	if other := sum(fmt.Sprintf(text, "hunter2"), map[string]string{"TOCSIN_LATENESS": "91s"}); other == is {
		t.Error("another value has the same sum")
	}
	for range 20 { // the map has no order
		if again := sum(fmt.Sprintf(text, "hunter2"), nil); again != is {
			t.Fatalf("%s, then %s", is, again)
		}
	}
}
