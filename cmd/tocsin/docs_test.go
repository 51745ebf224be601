// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tocsin/event"
)

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocsNameEveryField, key and metric: what the docs list is what there is.
func TestDocsNameEveryField(t *testing.T) {
	t.Parallel()
	text := page(t, "docs/fields.md")
	for _, d := range event.Registry() {
		if !strings.Contains(text, "| `"+d.Name+"` | "+d.Kind.String()+" |") {
			t.Errorf("docs/fields.md does not have %s (%s)", d.Name, d.Kind)
		}
	}
}

func TestDocsNameEveryKey(t *testing.T) {
	t.Parallel()
	text := page(t, "docs/configuration.md")
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for f := range typ.Fields() {
			key := prefix + f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[retention]() {
				walk(key+".", f.Type)
				continue
			}
			if !strings.Contains(text, "`"+key+"`") {
				t.Errorf("docs/configuration.md does not have %s", key)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	for _, e := range environment {
		if !strings.Contains(text, "`"+e.name+"`") {
			t.Errorf("docs/configuration.md does not have %s", e.name)
		}
	}
}

func TestDocsNameEveryMetric(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	edge := serveHere(t, "", t.TempDir(), func(c *Config) {
		c.Roles, c.Edge.Bytes, c.NATS.URL = []string{roleIngest}, leastEdge, "nats://127.0.0.1:1" // nobody is there
	})
	text := page(t, "docs/metrics.md")
	for _, n := range []*node{s.node, edge.node} {
		families, err := n.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "tocsin_") && !strings.Contains(text, "`"+f.GetName()+"`") {
				t.Errorf("docs/metrics.md does not have %s", f.GetName())
			}
		}
	}
	src := sources(t)
	for _, name := range regexp.MustCompile("`(tocsin_[a-z_]+)`").FindAllStringSubmatch(text, -1) {
		short := strings.TrimSuffix(strings.TrimPrefix(name[1], "tocsin_rule_"), "_total")
		if !strings.Contains(src, name[1]) && !strings.Contains(src, `"`+short+`"`) {
			t.Errorf("docs/metrics.md has %s, and nothing makes it", name[1])
		}
	}
	resp, err := http.Get("http://" + s.node.admin.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(b), `"ready":true`) {
		t.Errorf("/readyz: %d %s %v", resp.StatusCode, b, err)
	}
}

// sources returns what the rooms that make metrics are built from.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, room := range []string{"cmd/tocsin", "pipeline", "ingest", "alert"} {
		files, err := filepath.Glob(filepath.Join("../..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(room, err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				all.WriteString(page(t, filepath.Join(room, filepath.Base(f))))
			}
		}
	}
	return all.String()
}

// TestReadmeRuleWorks: the rule that the README shows passes its tests, and rules of ours fire and stay silent.
func TestReadmeRuleWorks(t *testing.T) {
	t.Parallel()
	yaml := regexp.MustCompile("(?s)```yaml\n(rule: .*?)```")
	for name, least := range map[string]int{"README.md": 1, "docs/rules-reference.md": 6} {
		all := yaml.FindAllStringSubmatch(page(t, name), -1)
		if len(all) < least {
			t.Fatalf("%s shows %d rules, not %d", name, len(all), least)
		}
		for _, m := range all {
			file := filepath.Join(t.TempDir(), "rule.yml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if code := run(context.Background(), []string{"rules", "test", file}, strings.NewReader(""), &out, &errs); code != 0 {
				t.Errorf("%s: %s%s\nof\n%s", name, &out, &errs, m[1])
			}
		}
	}
	set, err := loadRules(t.Context(), []string{"../../rules.d"})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rules) < 8 {
		t.Errorf("there are %d rules", len(set.Rules))
	}
	for _, r := range set.Rules {
		fires, silent := false, false
		for _, x := range r.Tests {
			fires = fires || len(x.Expect) > 0
			silent = silent || len(x.Expect) == 0
		}
		if !fires || !silent || len(r.Attack) == 0 || r.Runbook == "" {
			t.Errorf("%s needs a test that fires, one that stays silent, ATT&CK and a runbook", r.ID)
		}
	}
}

// TestDocsCommandsAreThere: what the pages tell people to type are commands, flags and numbers of arguments that there are.
func TestDocsCommandsAreThere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(?:bin/)?tocsin ([^#\n|>]+)`)
	word := regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)
	quotes := strings.NewReplacer("'", "", `"`, "")
	n := 0
	for _, name := range append(pages, "../../README.md") {
		for _, m := range line.FindAllStringSubmatch(page(t, strings.TrimPrefix(name, "../../")), -1) {
			n++
			args := word.FindAllString(strings.TrimSuffix(m[1], "&"), -1)
			for i := range args {
				args[i] = quotes.Replace(args[i])
			}
			root := newRootCommand(&cli{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard})
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil || !cmd.Runnable() {
				t.Errorf("%s: tocsin %s: %v", name, m[1], err)
			}
		}
	}
	if n < 15 {
		t.Errorf("the pages have %d commands", n)
	}
}

// TestCommandLine is what a user meets: exit codes and what is said.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	config := write("bad.yaml", "ingest:\n  lisen: 127.0.0.1:1\n")
	open := write("open.yaml", "api: {listen: 0.0.0.0:8080}\n")
	rule := write("bad.yml", "rule: r\ntitle: t\nseverity: low\nmatch: usr.name == \"a\"\n")
	events := write("events.ndjson", `{"timestamp":"2026-08-21T10:00:00Z","user.name":"a"}`+"\n{oops\n"+`{"user.name":"b"}`+"\n")
	good := write("good.yml", "rule: r\ntitle: t\nseverity: low\nmatch: exists(user.name)\n")
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"version"}, 0, "tocsin"},
		{[]string{"nonsense"}, 2, `unknown command "nonsense"`},
		{[]string{"incidents", "lst"}, 2, `did you mean "tocsin incidents list"?`},
		{[]string{"migrate", "now"}, 2, "tocsin migrate: "},
		{[]string{"serve", "--nonsense"}, 2, "unknown flag"},
		{[]string{"config", "check"}, 0, "lateness: 5m"},
		{[]string{"config", "check", "--config", config}, 2, `did you mean "listen"?`},
		{[]string{"config", "check", "--config", open}, 2, "api.listen: 0.0.0.0:8080 is not loopback"},
		{[]string{"rules", "check", rule}, 2, `did you mean "user.name"?`},
		{[]string{"serve", "--rules", rule, "--data", filepath.Join(dir, "data")}, 2, `rule "r"`},
		{[]string{"replay", "--rules", good, events}, 0, `"rule":{"id":"r"`},
		{[]string{"replay", "--rules", good, events}, 0, "it has no time"},
		{[]string{"replay", "--rules", rule, "--lenient", events}, 0, "left out:"},
		{[]string{"replay", "--rules", good, "--until", "2026-08-21T09:00:00Z", events}, 0, "1 events, 2 not read, 0 incidents\n1 of the events arrive after --until"},
		{[]string{"explain", "--rules", good, "--rule", "q", events}, 2, `there is no rule "q"; the nearest is "r"`},
		{[]string{"explain", "--rules", good, "--format", "xml", events}, 2, "--format is text or json"},
		{[]string{"parse", "--input", "vector", events}, 1, `"user.name":"a"`},
		{[]string{"incidents", "list", "--url", "http://127.0.0.1:1", "--token", "x"}, 1, "is `tocsin serve` running there?"},
		{[]string{"incidents", "close", "x"}, 2, "--verdict is"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args[:min(2, len(tt.args))], " "), func(t *testing.T) {
			var out bytes.Buffer
			code := run(context.Background(), tt.args, strings.NewReader(""), &out, &out)
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("%v: %d\n%s\nwant %d and %q", tt.args, code, &out, tt.code, tt.want)
			}
		})
	}
}

// TestPortTaken names the key of the port that is taken.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	cfg := defaultConfig()
	cfg.Data, cfg.Rules = t.TempDir(), []string{"../../rules.d"}
	cfg.Vector.Listen = "127.0.0.1:0"
	cfg.Ingest.Listen, cfg.API.Listen, cfg.Admin.Listen = "127.0.0.1:0", s.node.api.Addr().String(), "127.0.0.1:0"
	c := &cli{stdout: io.Discard, stderr: io.Discard}
	if err := c.serve(context.Background(), cfg, false); err == nil || !strings.HasPrefix(err.Error(), "api.listen: ") {
		t.Errorf("serve on a port that is taken: %v", err)
	}
}

// TestDocsConfigurationsWork: each part of a tocsin.yaml in docs/sources.md, docs/edge.md, docs/auth.md and docs/alerts.md is one that Tocsin takes, and what is shown for others is YAML.
func TestDocsConfigurationsWork(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t, "docs/sources.md")+page(t, "docs/edge.md")+page(t, "docs/auth.md")+page(t, "docs/alerts.md"), -1)
	ours := 0
	for _, m := range blocks {
		if !strings.HasPrefix(m[1], "# tocsin.yaml") {
			var shown map[string]any
			if err := yaml.Unmarshal([]byte(m[1]), &shown); err != nil || len(shown) == 0 {
				t.Errorf("%v in\n%s", err, m[1])
			}
			continue
		}
		ours++
		file := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if code := run(context.Background(), []string{"config", "check", "--config", file}, strings.NewReader(""), &out, &out); code != 0 {
			t.Errorf("%s\nof\n%s", &out, m[1])
		}
	}
	if ours < 3 || len(blocks) < 10 {
		t.Errorf("%d blocks, %d of them ours", len(blocks), ours)
	}
}
