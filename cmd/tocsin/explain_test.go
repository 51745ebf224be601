// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const explainRule = `rule: root-logins
title: Logins of root
severity: low
match:
  login: event.category == "authentication" and user.name in ["root", "admin"]
  change: event.category == "configuration" and not (raw.port == 22)
when: login and change
by: [host.name]
within: 1h
except:
  - {when: source.ip == "10.0.0.1", reason: the bastion, owner: platform, expires: 2027-01-01}
`

// TestExplain: a person is told which comparison decided, why an event is left out, and for which key it counts.
func TestExplain(t *testing.T) {
	t.Parallel()
	rule := filepath.Join(t.TempDir(), "rule.yml")
	if err := os.WriteFile(rule, []byte(explainRule), 0o600); err != nil {
		t.Fatal(err)
	}
	explain := func(record string, more ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		args := append([]string{"explain", "--rules", rule, "-"}, more...)
		if code := run(context.Background(), args, strings.NewReader(record), &out, &errs); code != 0 {
			t.Fatalf("%d: %s", code, &errs)
		}
		return out.String()
	}
	const at = `"timestamp":"2026-08-21T10:00:00Z","event.id":"e1"`
	for name, tc := range map[string]struct{ record, want string }{
		"what is missing and what is another": {`{` + at + `,"event.category":"configuration","port":22}`, `event e1, 2026-08-21T10:00:00Z, from vector
  root-logins: does not match
    no  login
        event.category == "authentication": is not so, it is "configuration"
        user.name == "root" or "admin": is not so, the field is missing
    no  change
        raw.port == 22: is so, it is 22
`},
		"the key": {`{` + at + `,"event.category":"authentication","user.name":"root","host.name":"h1"}`, `event e1, 2026-08-21T10:00:00Z, from vector
  root-logins: matches, for h1
    yes login
        event.category == "authentication": is so, it is "authentication"
        user.name == "root" or "admin": is so, it is "root"
    no  change
        event.category == "configuration": is not so, it is "authentication"
root-logins, over 1h
  h1: at 2026-08-21T10:00:00Z came as far as login: 1, change: only 0 of 1
`},
		"no key": {`{` + at + `,"event.category":"configuration"}`, `event e1, 2026-08-21T10:00:00Z, from vector
  root-logins: matches, and has no key: it lacks host.name
    no  login
        event.category == "authentication": is not so, it is "configuration"
        user.name == "root" or "admin": is not so, the field is missing
    yes change
        event.category == "configuration": is so, it is "configuration"
        raw.port == 22: is not so, the field is missing
`},
	} {
		if diff := cmp.Diff(tc.want, explain(tc.record, "--input", "vector")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	covered := `{` + at + `,"event.category":"configuration","host.name":"h1","source.ip":"10.0.0.1"}`
	if out := explain(covered); !strings.Contains(out, "root-logins: matches, and is excepted: the bastion (platform)") {
		t.Error(out)
	}
	want := `{"event":"e1","rule":"root-logins","matched":true,"keys":[{"host.name":"h1"}],"patterns":[` +
		`{"name":"login","holds":false,"why":[{"test":"event.category == \"authentication\"","holds":false,"value":"configuration"},` +
		`{"test":"user.name == \"root\" or \"admin\"","holds":false,"value":null}]},` +
		`{"name":"change","holds":true,"why":[{"test":"event.category == \"configuration\"","holds":true,"value":"configuration"},` +
		`{"test":"raw.port == 22","holds":false,"value":23}]}]}` + "\n" +
		`{"rule":"root-logins","key":{"host.name":"h1"},"at":"2026-08-21T10:00:00Z","done":false,"steps":[` +
		`{"what":"login","have":0,"need":1,"done":false},{"what":"change","have":1,"need":1,"done":true}]}` + "\n"
	if diff := cmp.Diff(want, explain(`{`+at+`,"event.category":"configuration","host.name":"h1","port":23}`, "--format", "json")); diff != "" {
		t.Error(diff)
	}
	other := `{"timestamp":"2026-08-21T10:00:00Z","event.id":"e2"}`
	if out := explain(other, "--matched"); strings.Contains(out, "root-logins") {
		t.Errorf("--matched shows what does not match: %s", out)
	}
	if out := explain(other, "--event", "e1"); out != "" {
		t.Errorf("--event shows another event: %s", out)
	}
}

// TestExplainOfAReference: an exception that covers what a referenced rule fires is told, too.
func TestExplainOfAReference(t *testing.T) {
	t.Parallel()
	rule := filepath.Join(t.TempDir(), "rule.yml")
	text := "rule: below\ntitle: t\nseverity: low\nmatch: event.action == \"a\"\nby: [host.name]\n---\n" +
		"rule: above\ntitle: t\nseverity: low\nmatch: {d: detection(\"below\")}\nwhen: count(d) >= 2\nby: [host.name]\nwithin: 10s\n" +
		"except: [{when: user.name == \"deployer\", reason: nightly, owner: platform, expires: 2027-06-30}]\n"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{
		"a": "above: does not match, and what a rule below it makes of it is excepted: nightly (platform)\n",
		"b": "above: does not match\n",
	} {
		record := `{"timestamp":"2026-08-21T10:00:00Z","event.action":"` + action + `","host.name":"h","user.name":"deployer"}`
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"explain", "--rules", rule, "-"}, strings.NewReader(record), &out, &errs); code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %d: %s%s, want %s", action, code, &out, &errs, want)
		}
	}
}

// TestExplainAgreesWithReplay: of each form, what explain calls done is what replay finds, and what it says of the rest is so.
func TestExplainAgreesWithReplay(t *testing.T) {
	t.Parallel()
	event := func(id, second, action, more string) string {
		return `{"event.id":"` + id + `","timestamp":"2026-11-20T09:00:` + second + `Z","event.action":"` + action + `","user.name":"ana"` + more + "}\n"
	}
	input := event("1", "00", "upload", `,"bytes":5`) + event("2", "01", "n", "") + event("3", "02", "c", "") +
		event("4", "04", "x2", "") + event("5", "04", "x1", "") + event("6", "05", "same", "") + event("6", "05", "same", "") +
		`{"event.action":"plain","user.name":"ana","timestamp":"2026-11-20T09:00:06Z"}` + "\n" +
		`{"event.action":"plain","user.name":"ana","timestamp":"2026-11-20T09:00:06Z"}` + "\n" +
		`{"event.action":"timeless","user.name":"ana"}` + "\n"
	for name, tc := range map[string]struct{ match, when, want string }{
		"a sum below":            {`a: event.action == "upload"`, "sum(a, raw.bytes) > 1000", "came as far as sum(a, raw.bytes) > 1000: it is 5"},
		"a sum above":            {`a: event.action == "upload"`, "sum(a, raw.bytes) > 4", "has all of sum(a, raw.bytes) > 4: it is 5"},
		"a silence not over":     {`a: event.action == "upload"`, "silent(a)", "came as far as silent(a): the input ends before that is known"},
		"an absence between":     {`a: event.action == "upload", n: event.action == "n", c: event.action == "c"`, "sequence(a, not n, c)", "came as far as a: 1, not n: event 2 is against it, c: 1"},
		"no absence between":     {`a: event.action == "upload", n: event.action == "x1", c: event.action == "c"`, "sequence(a, not n, c)", "has all of a: 1, not n, c: 1"},
		"equal times":            {`a: event.action == "x1", c: event.action == "x2"`, "sequence(a, c)", "has all of a: 1, c: 1"},
		"an absence":             {`a: event.action == "upload", c: event.action == "c"`, "a and not c", "came as far as a: 1, not c: event 3 is against it"},
		"fewer than":             {`a: event.action == "upload"`, "count(a) < 3", "came as far as count(a) < 3: the input ends before that is known"},
		"exactly":                {`a: event.action == "upload"`, "count(a) == 1", "has all of count(a) == 1: it is 1"},
		"copies are one event":   {`a: event.action == "same"`, "count(a) >= 2", "came as far as count(a) >= 2: only 1 of 2"},
		"equal records are two":  {`a: event.action == "plain"`, "count(a) >= 2", "has all of count(a) >= 2: 2"},
		"nothing without a time": {`a: event.action == "timeless", b: event.action == "c"`, "a or b", "has all of b: 1"},
	} {
		rule := filepath.Join(t.TempDir(), "rule.yml")
		text := "rule: r\ntitle: t\nseverity: low\nmatch: {" + tc.match + "}\nwhen: " + tc.when + "\nby: [user.name]\nwithin: 1h\n"
		if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		tocsin := func(args ...string) string {
			var out, errs bytes.Buffer
			if code := run(context.Background(), append(args, "--rules", rule, "-"), strings.NewReader(input), &out, &errs); code != 0 && !strings.Contains(errs.String(), "it has no time") {
				t.Fatalf("%s: %d: %s", name, code, &errs)
			}
			return out.String()
		}
		said := tocsin("explain", "--matched")
		_, last, _ := strings.Cut(said[strings.LastIndex(said, "ana: at "):], "Z ")
		if last != tc.want+"\n" {
			t.Errorf("%s: explain says %q, want %q", name, last, tc.want)
		}
		if found := tocsin("replay") != ""; found != strings.HasPrefix(last, "has all of") {
			t.Errorf("%s: explain says %q, and replay finds something: %t", name, last, found)
		}
	}
}
