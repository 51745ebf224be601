// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
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
			if code != 0 || !strings.HasPrefix(first, proof.Name+"\n1\n") || !strings.Contains(errs, "1 entries, signed at ") {
				t.Fatalf("checkpoint: %d %s%s", code, first, errs)
			}
			kept := filepath.Join(t.TempDir(), "checkpoint")
			if err := os.WriteFile(kept, []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
			act("two")
			act("three")
			seal()
			if out, errs, code := s.command(admin, "audit", "verify", "--since", kept); code != 0 || !strings.Contains(out, "the audit log of 3 entries begins with the 1 of ") {
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
	if code != 0 || !strings.Contains(out, "verifies: incident "+id) || !strings.Contains(out, "audit log  1 acts, proved by a checkpoint of 1 entries") {
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
	db, err := sql.Open("sqlite", filepath.Join(data, "tocsin.db"))
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
