// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/pipeline"
	"tocsin/rules"
)

// command runs a command and returns what it prints, and its code.
func command(args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLargeRuleFilesAreNotReadWhole: of a file that is too large no more is read than shows it.
func TestLargeRuleFilesAreNotReadWhole(t *testing.T) {
	t.Parallel()
	name := writeFile(t, "r.yml", "")
	if err := os.Truncate(name, 1<<40); err != nil {
		t.Skip(err) // not every file system has holes
	}
	files, err := readRules([]string{name})
	if err != nil || len(files[0].Data) != rules.MaxFile+1 {
		t.Fatal(len(files), err)
	}
	if _, stderr, code := command("rules", "check", name); code != 2 || !strings.Contains(stderr, "r.yml:1: a file of rules has at most 1048576 bytes, this one has more") {
		t.Error(code, stderr)
	}
}

// TestRulesCheckEndsWithItsContext: what is being compiled does not keep a command that was told to end, and a compilation
// that never comes back is not waited for.
func TestRulesCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	never := make(chan struct{})
	defer close(never)
	began := make(chan struct{})
	go func() {
		<-began
		cancel(errors.New("told to end"))
	}()
	if _, err := unlessEnded(ctx, func() (int, error) { close(began); <-never; return 1, nil }); err == nil || err.Error() != "rules: told to end" {
		t.Error(err)
	}
	if n, err := unlessEnded(t.Context(), func() (int, error) { return 1, nil }); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestRulesCheckFormats(t *testing.T) {
	t.Parallel()
	bad := writeFile(t, "a b.yml", "rule: r\ntitle: t\nseverity: low\nmatch: usr.name == \"a\"\n---\nrule: s\ntitle: t\nseverity: lo\nmatch: user.name == \"a\"\n")
	odd := writeFile(t, "odd.yml", "rule: r\ntitle: t\nseverity: low\nmatch: event.action == \"a\" and event.action == \"b\"\n")
	out, _, code := command("rules", "check", "--format", "json", bad)
	var report checkReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 2 {
		t.Fatalf("%d, %v:\n%s", code, err, out)
	}
	lines := make(map[int]string)
	for _, f := range report.Findings {
		lines[f.Line] = f.Level + " " + f.Kind + " " + f.Rule
	}
	if d := cmp.Diff(map[int]string{4: "error invalid r", 8: "error invalid s"}, lines); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	out, _, code = command("rules", "check", "--format", "json", odd)
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || report.Rules != 1 || report.Set == "" {
		t.Fatalf("%d, %v:\n%s", code, err, out)
	}
	for _, kind := range []string{"never-matches", "no-tests"} {
		if !strings.Contains(out, `"kind": "`+kind+`"`) {
			t.Errorf("no finding %s in\n%s", kind, out)
		}
	}
	out, _, code = command("rules", "check", "--format", "sarif", bad)
	var sarif struct {
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Rules []struct {
						ID string `json:"id"`
					} `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
			Results []struct {
				RuleID    string `json:"ruleId"`
				Level     string `json:"level"`
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct {
							URI string `json:"uri"`
						} `json:"artifactLocation"`
						Region struct {
							StartLine int `json:"startLine"`
						} `json:"region"`
					} `json:"physicalLocation"`
				} `json:"locations"`
			} `json:"results"`
		} `json:"runs"`
	}
	if err := json.Unmarshal([]byte(out), &sarif); err != nil || code != 2 || sarif.Version != "2.1.0" || len(sarif.Runs) != 1 {
		t.Fatalf("%d, %v:\n%s", code, err, out)
	}
	known := make(map[string]bool)
	for _, r := range sarif.Runs[0].Tool.Driver.Rules {
		known[r.ID] = true
	}
	for i, want := range []int{4, 8} {
		r := sarif.Runs[0].Results[i]
		at := r.Locations[0].PhysicalLocation
		if r.Level != "error" || !known[r.RuleID] || at.Region.StartLine != want || !strings.HasSuffix(at.ArtifactLocation.URI, "/a%20b.yml") {
			t.Errorf("result %d: %+v, want an error at line %d of a%%20b.yml", i, r, want)
		}
	}
}

// TestRulesCheckNamesFilesWithoutRules: a file that is empty, or whose rules are all commented out, loads and is told of; one that
// has something for other rules is not.
func TestRulesCheckNamesFilesWithoutRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yml":        "",
		"b.yml":        "# rule: r\n# title: t\n---\n# and no more\n",
		"c.yml":        "rule: r\ntitle: t\nseverity: low\nmatch: user.name == \"a\"\n",
		"settings.yml": "placeholders: {admins: [ana]}\n",
		"filter.yml":   "title: f\nlogsource: {product: p}\nfilter: {rules: [7b4ec8a5-1b5d-4d2f-9d32-3c8b1c0e6a55], selection: {User: ana}, condition: selection}\n",
		"sigma.yml":    "title: s\nid: 7b4ec8a5-1b5d-4d2f-9d32-3c8b1c0e6a55\nlogsource: {product: p}\nlevel: low\ndetection: {sel: {A: b}, condition: sel}\n",
		"lists/l.txt":  "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := command("rules", "check", dir)
	if code != 0 || !strings.HasPrefix(out, "2 rules, ") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	var got []string
	for line := range strings.Lines(errs) {
		if strings.Contains(line, "there is no rule in it") {
			got = append(got, line)
		}
	}
	want := []string{dir + "/a.yml: there is no rule in it\n", dir + "/b.yml: there is no rule in it\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("told of (-want +got):\n%s\nin\n%s", d, errs)
	}
	if out, _, code := command("rules", "check", "--format", "json", filepath.Join(dir, "a.yml")); code != 0 || !strings.Contains(out, `"kind": "no-rules"`) {
		t.Errorf("%d: %s", code, out)
	}
}

func TestRulesTestJUnit(t *testing.T) {
	t.Parallel()
	rules := writeFile(t, "a.yml", `rule: r
title: t
severity: low
match: user.name == "a"
by: user.name
tests:
  - {name: fires, events: [{at: 0s, user.name: a}], expect: [{key: {user.name: a}}]}
  - {name: wrong <&>, events: [{at: 0s, user.name: b}], expect: [{key: {user.name: b}}]}
`)
	out, said, code := command("rules", "test", "--format", "junit", rules)
	var got junitRun
	if err := xml.Unmarshal([]byte(out), &got); err != nil || code != 1 || got.Tests != 2 || got.Failures != 1 {
		t.Fatalf("%d, %v:\n%s%s", code, err, out, said)
	}
	cases := got.Suites[0].Cases
	if cases[0].Failure != nil || cases[1].Failure == nil || cases[1].Name != "wrong <&>" || cases[1].Line != 8 {
		t.Errorf("cases: %+v", cases)
	}
	if out, said, code = command("rules", "test", "--run", "r/fir", rules); code != 0 || !strings.Contains(out, "1 tests passed, 0 failed") {
		t.Errorf("--run: %d %s%s", code, out, said)
	}
	if _, said, code = command("rules", "test", "--run", "nonesuch", rules); code != 2 || !strings.Contains(said, "no test is like") {
		t.Errorf("--run of nothing: %d %s", code, said)
	}
}

func TestRulesCoverage(t *testing.T) {
	t.Parallel()
	rule := func(id, attack, more string) string {
		return fmt.Sprintf("---\nrule: %s\ntitle: t\nseverity: low\nattack: [%s]\nmatch: user.name == \"a\"\nby: user.name\n%s", id, attack, more)
	}
	tests := "tests: [{name: n, events: [{at: 0s, user.name: b}], expect: []}]\n"
	rules := writeFile(t, "a.yml", rule("one", "T1059.004, TA0002", "")+rule("two", "T1059", tests)+
		rule("three", "T1059.004", "")+rule("four", "T1611", "shadow: true\n")+rule("five", "TA0001", ""))
	out, said, code := command("rules", "coverage", rules)
	var l layer
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 {
		t.Fatalf("%d, %v:\n%s", code, err, out)
	}
	got := make(map[string]string)
	for _, x := range l.Techniques {
		got[x.ID] = fmt.Sprintf("%d %s %t", x.Score, x.Comment, x.Parent)
	}
	if d := cmp.Diff(map[string]string{"T1059": "2 two true", "T1059.004": "1 one, three false"}, got); d != "" {
		t.Errorf("techniques (-want +got):\n%s", d)
	}
	if l.Domain != "enterprise-attack" || l.Versions["layer"] != "4.5" || !strings.Contains(said, "1 rules name no technique: five") {
		t.Errorf("%+v\n%s", l.Versions, said)
	}
}

func TestReplayDiff(t *testing.T) {
	t.Parallel()
	rule := func(id, severity string, n int) string {
		return fmt.Sprintf("---\nrule: %s\ntitle: t\nseverity: %s\nmatch: {a: 'event.action == \"%s\"'}\nwhen: count(a) >= %d\nby: user.name\nwithin: 1m\n", id, severity, id, n)
	}
	before := writeFile(t, "old.yml", rule("kept", "low", 2)+rule("louder", "low", 1)+rule("stricter", "low", 2)+rule("gone", "low", 1))
	after := writeFile(t, "new.yml", rule("kept", "low", 2)+rule("louder", "high", 1)+rule("stricter", "low", 3)+rule("looser", "low", 1))
	var lines strings.Builder
	for i, action := range []string{"kept", "kept", "louder", "stricter", "stricter", "gone", "looser"} {
		fmt.Fprintf(&lines, `{"timestamp":"2026-08-21T10:00:%02dZ","user.name":"ana","event.action":%q}`+"\n", i, action)
	}
	events := writeFile(t, "events.ndjson", lines.String())
	out, said, code := command("replay", "--diff", before, after, events)
	if code != 0 || !strings.Contains(said, "7 events, 0 not read: 1 incidents added, 2 removed, 1 changed, 1 the same") {
		t.Fatalf("%d %s", code, said)
	}
	got := []string{}
	for line := range strings.Lines(out) {
		var d pipeline.Difference
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		one := d.After
		if one == nil {
			one = d.Before
		}
		got = append(got, fmt.Sprint(d.Change, " ", one.Rule.ID, " ", d.Fields, d.Before != nil, d.After != nil))
	}
	want := []string{"changed louder [severity] true true", "removed stricter [] true false", "removed gone [] true false", "added looser [] false true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differences (-want +got):\n%s\n%s", d, out)
	}
	if _, said, code := command("replay", "--diff", before, events); code != 2 || !strings.Contains(said, "OLD NEW FILE") {
		t.Errorf("%d %s", code, said)
	}
}
