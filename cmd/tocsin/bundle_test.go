// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/api"
	"tocsin/proof"
)

// TestAuditIsProved is the audit log as an auditor meets it, on each store: a checkpoint is kept, acts follow, the log is shown to go on
// from it; then a bundle is fetched and checked without the server.
func TestAuditIsProved(t *testing.T) {
	t.Parallel()
	for kind, where := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serveHere(t, where(t, data), data)
			admin := s.node.cfg.API.Token
			seal := func() {
				t.Helper()
				if _, err := s.node.auditor.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			act := func(name string) {
				t.Helper()
				if out, errs, code := s.command(admin, "tokens", "create", name, "--role", "viewer", "--expires", "1h"); code != 0 {
					t.Fatalf("%d %s%s", code, out, errs)
				}
			}
			act("one")
			seal()
			first, errs, code := s.command(admin, "audit", "checkpoint")
			if code != 0 || !strings.HasPrefix(first, proof.Name+"\n2\n") || !strings.Contains(errs, "2 entries, signed at ") {
				t.Fatalf("checkpoint: %d %s%s", code, first, errs)
			}
			kept := filepath.Join(t.TempDir(), "checkpoint")
			if err := os.WriteFile(kept, []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
			act("two")
			act("three")
			seal()
			if out, errs, code := s.command(admin, "audit", "verify", "--since", kept); code != 0 || !strings.Contains(out, "the audit log of 4 entries begins with the 2 of ") {
				t.Errorf("verify --since: %d %s%s", code, out, errs)
			}
			info, err := os.Stat(filepath.Join(data, auditKeyFile))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the key: %v, %v", info, err)
			}
		})
	}
}

// TestABundleIsCheckedOffline: what an incident's bundle has is checked with the key that is known, and not with another.
func TestABundleIsCheckedOffline(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	rule := writeFile(t, "shell.yml", shellRule)
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{rule} })
	admin := s.node.cfg.API.Token
	id := s.oneIncident("ana").ID
	if out, errs, code := s.command(admin, "incidents", "comment", id, "looked at"); code != 0 {
		t.Fatalf("comment: %d %s%s", code, out, errs)
	}
	bundle, errs, code := s.command(admin, "incidents", "bundle", id)
	if code != 0 {
		t.Fatalf("bundle: %d %s", code, errs)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file, key := write("evidence.tar.gz", bundle), write("key.pub", s.node.auditor.Key.Public()+"\n")
	verify := func(args ...string) (string, int) {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"audit", "verify"}, args...), strings.NewReader(""), &out, &out)
		return out.String(), code
	}
	out, code := verify(file, "--key", key)
	if code != 0 || !strings.Contains(out, "verifies: incident "+id) || !strings.Contains(out, "audit log  1 acts, proved by a checkpoint of 2 entries") {
		t.Errorf("%d %s", code, out)
	}
	v, err := proof.VerifyBundle(strings.NewReader(bundle), "")
	if err != nil || v.Events == 0 || v.Records != v.Events || v.Audit.Entries[0].Entry.Operation != "comment-incident" || v.Audit.Entries[0].Entry.Outcome != "done" {
		t.Errorf("%+v, %v", v, err)
	}
	secret, err := proof.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other := write("other.pub", strings.Fields(secret)[1])
	if out, code := verify(file, "--key", other); code != 1 || !strings.Contains(out, "it was made with the key") {
		t.Errorf("with another key: %d %s", code, out)
	}
	if out, code := verify(write("cut.tar.gz", bundle[:len(bundle)-9])); code != 1 || !strings.Contains(out, "does not verify") {
		t.Errorf("one that is cut off: %d %s", code, out)
	}
	if out, code := verify(); code != 2 || !strings.Contains(out, "name a bundle") {
		t.Errorf("of nothing: %d %s", code, out)
	}

	// Somebody with the database changes who it was: it is told, and nothing is taken for proved.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "tocsin.db")+"?_pragma=busy_timeout(10000)") // the server writes, too
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "DROP TRIGGER audit_stays; UPDATE audit SET actor = 'nobody'"); err != nil {
		t.Fatal(err)
	}
	if err := s.node.auditor.Verify(t.Context()); err == nil {
		t.Error("the log that was changed verifies")
	}
	out, errs, code = s.command(admin, "audit", "checkpoint", "-o", "json")
	var c api.CheckpointView
	if err := json.Unmarshal([]byte(out), &c); err != nil || code != 1 || !strings.Contains(c.Problem, "is not what it was when it entered") || !strings.Contains(errs, "the audit log does not verify") {
		t.Errorf("%v %d %s%s", err, code, out, errs)
	}
	bundle, _, _ = s.command(admin, "incidents", "bundle", id)
	if _, err := proof.VerifyBundle(strings.NewReader(bundle), ""); err == nil || !strings.Contains(err.Error(), "is not in the tree of the checkpoint") {
		t.Errorf("a bundle with what was changed: %v", err)
	}
}

// TestABundleIsWhole: it has what was done with the incident wherever that was asked, the rule as it was, and which configuration the server
// has.
func TestABundleIsWhole(t *testing.T) {
	t.Parallel()
	for kind, where := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			rule := writeFile(t, "shell.yml", shellRule)
			s := serveHere(t, where(t, data), data, func(c *Config) { c.Rules = []string{rule} })
			admin := s.node.cfg.API.Token
			part, whole, third := s.oneIncident("ana").ID, s.oneIncident("mo").ID, s.oneIncident("bo").ID
			post := func(path, body string, want int) {
				t.Helper()
				if code := s.ask(t, http.MethodPost, path, json.RawMessage(body), nil); code != want {
					t.Fatalf("%s: %d, want %d", path, code, want)
				}
			}
			const path = "/api/v1/incidents/"
			post(path+"bulk", `{"ids":["`+whole+`","`+third+`"],"assignee":"mo"}`, 200)
			post(path+part+"/merge", `{"into":"`+whole+`"}`, 200)
			post(path+third+"/merge", `{"into":"`+part+`"}`, 200) // which is shown with the whole
			post(path+part+"/unmerge", "{}", 200)
			post(path+whole+"/comments", `{"text":"seen"}`, 201)

			changed := strings.ReplaceAll(shellRule, "severity: high", "severity: low\nwithin: 5m")
			if err := os.WriteFile(rule, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			post("/api/v1/rules/reload", "{}", 200)

			bundle, errs, code := s.command(admin, "incidents", "bundle", whole)
			if code != 0 {
				t.Fatalf("bundle: %d %s", code, errs)
			}
			v, err := proof.VerifyBundle(strings.NewReader(bundle), s.node.auditor.Key.Public())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range v.Audit.Entries {
				got = append(got, fmt.Sprintf("%s %s %s", e.Entry.Operation, strings.TrimPrefix(e.Entry.Object, path+whole), e.Entry.Outcome))
			}
			want := []string{
				"bulk-incidents  done", "merge-incident /merged/" + part + " done", "merge-incident /merged/" + third + " done",
				"unmerge-incident /merged/" + part + " done", "comment-incident /comments done",
			}
			if !slices.Equal(got, want) {
				t.Errorf("acts:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			list, err := proof.Unpack(strings.NewReader(bundle))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				if f.Name == proof.RuleFile && string(f.Data) != changed || f.Name == proof.RuleThenFile && string(f.Data) != shellRule {
					t.Errorf("%s is\n%s", f.Name, f.Data)
				}
			}
			sum, err := s.node.cfg.sum()
			if err != nil || v.Rule.Then == nil || v.Rule.Then.Withheld != "" || v.Server.Config != sum || v.Server.Version != version {
				t.Errorf("%+v %+v, %v", v.Rule, v.Server, err)
			}
			file := filepath.Join(t.TempDir(), "evidence.tar.gz")
			if err := os.WriteFile(file, []byte(bundle), 0o600); err != nil {
				t.Fatal(err)
			}
			out, errs, code := s.command(admin, "audit", "verify", file)
			if code != 0 || !strings.Contains(out, "rule       changed since: rule-then.yml made the incident; rule.yml is that in force") ||
				!strings.Contains(out, "server     tocsin "+version+", its configuration has the SHA-256 "+sum) || !strings.Contains(out, "audit log  5 acts") {
				t.Errorf("%d %s%s", code, out, errs)
			}
		})
	}
}
