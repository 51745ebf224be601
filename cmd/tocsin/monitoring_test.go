// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const (
	alertRules = "../../deploy/prometheus/tocsin.rules.yaml"
	alertTests = "../../deploy/prometheus/tocsin.tests.yaml"
	dashboards = "../../deploy/grafana/*.json"
)

// prometheusTool returns one of Prometheus's programs.
func prometheusTool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TOCSIN_TEST_PROMETHEUS")
	if dir == "" {
		t.Skip("TOCSIN_TEST_PROMETHEUS names no Prometheus: scripts/with-prometheus finds one")
	}
	return filepath.Join(dir, name)
}

// TestAlertRules: each alert rule fires when it should and is silent when all is well, by promtool; each has a runbook.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	b, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &rules); err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile(alertTests)
	if err != nil {
		t.Fatal(err)
	}
	books, n := page(t, "docs/runbooks.md"), 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			if !strings.Contains(books, "\n## "+r.Alert+"\n") {
				t.Errorf("docs/runbooks.md has nothing on %s", r.Alert)
			}
			if want := "#" + strings.ToLower(r.Alert); !strings.HasSuffix(r.Annotations["runbook_url"], want) {
				t.Errorf("the runbook of %s is %q, want one that ends in %s", r.Alert, r.Annotations["runbook_url"], want)
			}
			if !strings.Contains(string(cases), "- name: "+r.Alert+"\n") {
				t.Errorf("no test lets %s fire", r.Alert)
			}
		}
	}
	if have := strings.Count(books, "\n## "); have != n {
		t.Errorf("%d alert rules have %d runbooks", n, have)
	}
	cmd := exec.CommandContext(t.Context(), prometheusTool(t, "promtool"), "test", "rules", filepath.Base(alertTests))
	cmd.Dir = filepath.Dir(alertTests)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestDashboardsOnARealPrometheus: a Prometheus that scrapes a running server loads the alert rules and answers every query of every
// dashboard with numbers, but those about what this server does not have.
func TestDashboardsOnARealPrometheus(t *testing.T) {
	t.Parallel()
	program := prometheusTool(t, "prometheus")
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	body := `{"timestamp":"2026-11-23T10:00:00Z","event.id":"1","event.category":"authentication","event.outcome":"failure","user.name":"ana","source.ip":"203.0.113.9"}`
	for _, b := range []string{body, "no JSON"} {
		resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/vector", "application/json", strings.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	at := startPrometheus(t, program, s.node.admin.Addr().String())
	alive := func() bool { return true }
	waitFor(t, time.Minute, alive, func() error {
		r, err := askPrometheus(at, `count_over_time(tocsin_rules[1m]) >= 2`)
		if err == nil && len(r) == 0 {
			err = errors.New("it was not scraped twice")
		}
		return err
	})
	files, err := filepath.Glob(dashboards)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	// What has no series here: no edge, no Falco of the gRPC kind, nothing that went wrong or was alerted yet.
	absent := []string{"tocsin_edge_", "tocsin_rule_", "tocsin_alert_", `outcome="error"`, "tocsin_incidents", `outcome!="parsed"`, `handler="api"`}
	for _, f := range files {
		for _, q := range queriesOf(t, f) {
			got, err := askPrometheus(at, strings.NewReplacer("$__rate_interval", "30s", "$job", ".+").Replace(q))
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(f), q, err)
				continue
			}
			empty := false
			for _, a := range absent {
				empty = empty || strings.Contains(q, a)
			}
			if len(got) == 0 && !empty {
				t.Errorf("%s: %s has no numbers", filepath.Base(f), q)
			}
		}
	}
	healthyRules(t, at, alive)
}

// startPrometheus runs a Prometheus that scrapes one address, and returns its own.
func startPrometheus(t *testing.T, program, target string) string {
	t.Helper()
	rules, err := filepath.Abs(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n"+
		"  - {job_name: tocsin, static_configs: [{targets: [%q]}]}\n", rules, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	return at
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
}

func askPrometheus(at, query string) ([]sample, error) {
	var out struct {
		Error string `json:"error"`
		Data  struct {
			Result []sample `json:"result"`
		} `json:"data"`
	}
	b, err := get("http://" + at + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, err
	}
	if out.Error != "" {
		return nil, errors.New(out.Error)
	}
	return out.Data.Result, nil
}

// queriesOf returns the queries of a dashboard.
func queriesOf(t *testing.T, file string) []string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var out []string
	for _, p := range d.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s: panel %q asks nothing", file, p.Title)
		}
		for _, x := range p.Targets {
			out = append(out, x.Expr)
		}
	}
	return out
}

// healthyRules waits until each rule was evaluated, and expects none to have failed.
func healthyRules(t *testing.T, at string, alive func() bool) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	waitFor(t, time.Minute, alive, func() error {
		b, err := get("http://" + at + "/api/v1/rules")
		if err == nil {
			err = json.Unmarshal(b, &answer)
		}
		if err == nil && len(answer.Data.Groups) == 0 {
			err = errors.New("no rules are loaded")
		}
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "unknown" {
					err = fmt.Errorf("rule %s is not evaluated", r.Name)
				}
			}
		}
		return err
	})
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				t.Errorf("rule %s: %s %s", r.Name, r.Health, r.LastError)
			}
		}
	}
}
